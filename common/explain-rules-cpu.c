/* SPDX-License-Identifier: MIT */
/* Rules on what the CPU has and the engine does not use. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "common/explain-look.h"

#define VECTOR_BYTES    64.0 /* of AVX-512 */
#define UNALIGNED_SHARE 0.1  /* of decode */

enum width { WIDTH_128, WIDTH_AVX, WIDTH_AVX2, WIDTH_512 };

/* Those that ggml's CPU library is built in: libggml-cpu-NAME.so (ggml/src/CMakeLists.txt). */
static const struct {
        const char *name;
        enum width width;
} variants[] = {
        {"x64", WIDTH_128},         {"sse42", WIDTH_128},          {"sandybridge", WIDTH_AVX},
        {"ivybridge", WIDTH_AVX},   {"piledriver", WIDTH_AVX},     {"haswell", WIDTH_AVX2},
        {"alderlake", WIDTH_AVX2},  {"skylakex", WIDTH_512},       {"cannonlake", WIDTH_512},
        {"cascadelake", WIDTH_512}, {"icelake", WIDTH_512},        {"cooperlake", WIDTH_512},
        {"zen4", WIDTH_512},        {"sapphirerapids", WIDTH_512},
};

/* What OpenBLAS calls the CPUs it has kernels for (driver/others/dynamic.c), those of x86-64. */
static const struct {
        const char *name;
        enum width width;
} cores[] = {
        {"Prescott", WIDTH_128},       {"Core2", WIDTH_128},     {"Penryn", WIDTH_128},
        {"Dunnington", WIDTH_128},     {"Nehalem", WIDTH_128},   {"Atom", WIDTH_128},
        {"Athlon", WIDTH_128},         {"Opteron", WIDTH_128},   {"Opteron(SSE3)", WIDTH_128},
        {"Barcelona", WIDTH_128},      {"Bobcat", WIDTH_128},    {"Nano", WIDTH_128},
        {"Sandybridge", WIDTH_AVX},    {"Bulldozer", WIDTH_AVX}, {"Piledriver", WIDTH_AVX},
        {"Steamroller", WIDTH_AVX},    {"Haswell", WIDTH_AVX2},  {"Excavator", WIDTH_AVX2},
        {"Zen", WIDTH_AVX2},           {"SkylakeX", WIDTH_512},  {"Cooperlake", WIDTH_512},
        {"SapphireRapids", WIDTH_512},
};
#define N_CORES (sizeof(cores) / sizeof(cores[0]))

static const char *const width_names[] = {"128 bits", "AVX", "AVX2 and FMA", "AVX-512"};

static bool has_feature(const json_t *machine, const char *name)
{
        const json_t *feature;
        size_t i;

        json_array_foreach(json_object_get(json_object_get(machine, "isa"), "features"), i, feature)
        {
                if (json_is_string(feature) && !strcmp(json_string_value(feature), name))
                        return true;
        }
        return false;
}

static enum width width_of(const json_t *machine)
{
        if (has_feature(machine, "avx512f") && has_feature(machine, "avx512bw"))
                return WIDTH_512;
        if (has_feature(machine, "avx2") && has_feature(machine, "fma"))
                return WIDTH_AVX2;
        return has_feature(machine, "avx") ? WIDTH_AVX : WIDTH_128;
}

/* The variant that computes nodes; SIZE_MAX: none of these. */
static size_t variant_of(const json_t *report)
{
        const json_t *op;
        size_t i;

        json_array_foreach(json_object_get(report, "ops"), i, op)
        {
                const char *at = strstr(look_text(op, "library"), "libggml-cpu-");

                for (size_t v = 0; at && v < sizeof(variants) / sizeof(variants[0]); v++) {
                        size_t n = strlen(variants[v].name);

                        if (!strncmp(at + 12, variants[v].name, n) &&
                            !strncmp(at + 12 + n, ".so", 3))
                                return v;
                }
        }
        return SIZE_MAX;
}

/* The core that the BLAS computes for; N_CORES: it did not say, or it is none of these. */
static size_t core_of(const struct facts *f)
{
        for (size_t i = 0; f->blas_core && i < N_CORES; i++)
                if (!strcasecmp(f->blas_core, cores[i].name))
                        return i;
        return N_CORES;
}

/* False: no BLAS said for which CPU it computes. */
static bool judge_core(struct look *l)
{
        size_t c = core_of(l->f);
        enum width most = width_of(l->f->machine);

        if (c == N_CORES)
                return false;
        if (cores[c].width >= most) {
                judge_no(l->j, "OpenBLAS computes for '%s', which is as wide as the CPU (%s)",
                         cores[c].name, width_names[most]);
                return true;
        }
        judge_yes(l->j, "OpenBLAS computes for '%s', where the CPU has %s", cores[c].name,
                  width_names[most]);
        judge_evidence(l->j, (double)(most - cores[c].width), "count",
                       "steps from %s, which it uses, to %s, which there is",
                       width_names[cores[c].width], width_names[most]);
        snprintf(l->cost, sizeof(l->cost),
                 "each instruction does a part of what it could, in ops that compute");
        return true;
}

void look_variant(struct look *l)
{
        size_t v = variant_of(l->f->report);
        enum width most;

        if (!json_is_array(json_object_get(json_object_get(l->f->machine, "isa"), "features"))) {
                judge_unknown(l->j, "what the machine's CPU can do is not in the run's file");
                return;
        }
        if (v == SIZE_MAX && judge_core(l))
                return;
        if (v == SIZE_MAX) {
                judge_unknown(l->j, "no op is in a library that tells for which CPUs it was built");
                return;
        }
        most = width_of(l->f->machine);
        if (variants[v].width >= most) {
                judge_no(l->j, "the variant '%s' was loaded, and is as wide as the CPU (%s)",
                         variants[v].name, width_names[most]);
                return;
        }
        judge_yes(l->j, "the library for '%s' computes, where the CPU has %s", variants[v].name,
                  width_names[most]);
        judge_evidence(l->j, (double)(most - variants[v].width), "count",
                       "steps from %s, which it uses, to %s, which there is",
                       width_names[variants[v].width], width_names[most]);
        snprintf(l->cost, sizeof(l->cost),
                 "each instruction does a part of what it could, in ops that compute");
}

/* ---- alignment -------------------------------------------------------------------- */

/* Elements that vectors are loaded of as they lie; blocks of quantised types begin anywhere. */
static bool is_plain(const char *type)
{
        return !strcmp(type, "f32") || !strcmp(type, "f16") || !strcmp(type, "bf16") ||
               !strcmp(type, "f64");
}

/* The least alignment of a shape's plain operands; NaN: none is known. */
static double least_alignment(const json_t *shape)
{
        const json_t *operand;
        double least = NAN;
        size_t i;

        json_array_foreach(json_object_get(shape, "operands"), i, operand)
        {
                double bytes = look_number(operand, "alignment");

                if (bytes > 0 && is_plain(look_text(operand, "type")) && !(least <= bytes))
                        least = bytes;
        }
        return least;
}

struct unaligned {
        double ns, most_ns, known_ns, bytes; /* in decode; bytes: of the one that takes most */
        const char *op, *shape;
};

static void add_shape(struct unaligned *u, const json_t *op, const json_t *shape)
{
        double least = least_alignment(shape);
        double ns = look_number(json_object_get(json_object_get(shape, "phases"), "decode"),
                                "total_ns");

        if (isnan(least) || !(ns > 0))
                return;
        u->known_ns += ns;
        if (least >= VECTOR_BYTES)
                return;
        u->ns += ns;
        if (ns <= u->most_ns)
                return;
        u->most_ns = ns;
        u->bytes = least;
        u->op = look_text(op, "name");
        u->shape = look_text(shape, "shape");
}

void look_unaligned(struct look *l)
{
        struct unaligned u = {0};
        double threads = l->f->team >= 1 ? l->f->team : 1, share;
        const json_t *op, *shape;
        char a[FMT_SIZE];
        size_t i, k;

        if (!json_is_array(json_object_get(json_object_get(l->f->machine, "isa"), "features"))) {
                judge_unknown(l->j, "what the machine's CPU can do is not in the run's file");
                return;
        }
        if (width_of(l->f->machine) != WIDTH_512) {
                judge_no(l->j, "the CPU has no AVX-512");
                return;
        }
        json_array_foreach(json_object_get(l->f->report, "ops"), i, op)
        {
                json_array_foreach(json_object_get(op, "shapes"), k, shape)
                {
                        add_shape(&u, op, shape);
                }
        }
        if (!(u.known_ns > 0) || !(l->f->wall > 0)) {
                judge_unknown(l->j, "how operands are aligned was not seen in decode");
                return;
        }
        share = fmin(u.ns / threads / l->f->wall, 1);
        if (share < UNALIGNED_SHARE) {
                judge_no(l->j,
                         "ops with operands that are not aligned to 64 bytes take %s of decode",
                         fmt_share(a, share));
                return;
        }
        judge_yes(l->j, "operands of %s are aligned to %.0f bytes only, where AVX-512 reads 64",
                  u.op, u.bytes);
        judge_evidence(l->j, u.bytes, "bytes", "that the addresses are multiples of, of %s",
                       u.shape);
        judge_evidence(l->j, share, "share", "of decode in ops with such operands");
        l->share = share;
        snprintf(l->cost, sizeof(l->cost), "such ops take %s of decode", fmt_share(a, share));
}
