/* SPDX-License-Identifier: MIT */
/*
 * Writes a model of the architecture "llama" with random weights, as a GGUF file. What such a model
 * says is noise; how it is computed is what a real one would cost. Matrices may be block-quantised;
 * vectors (the norms) and routers are always f32. The same options give the same bytes.
 *
 * Of a model with experts the choice can be known beforehand (--router parity): the first element
 * of a token's embedding is +1 where its id is even, -1 where it is odd; nothing is ever added to
 * that element, for the rows that would do so are zero; and the routers look at it alone. In layer
 * l an even token is sent to the experts l, l + 1, ..., an odd one to l - 1, l - 2, ..., modulo
 * their number.
 */
#include "gguf.h"
#include "gguf-vocabulary.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model {
        int dim, layers, heads, vocab, ffn, ctx;
        int experts, used; /* experts is 0: dense */
        bool parity;       /* the router's choice is that of the token's parity */
        enum gguf_type type;
        uint64_t seed;
};

enum fill {
        FILL_RANDOM,
        FILL_PARITY, /* the same, but for the first of each row: +1 and -1 in turns */
        FILL_KEEP,   /* the same, but for the first row of each matrix: zeros */
        FILL_ROUTER, /* by the first element alone */
};

struct tensor {
        char name[64];
        int n_in, n_out, n_experts; /* n_out is 0: a vector of ones; n_experts: so many matrices, 0
                                       and 1: one */
        int layer;
        enum gguf_type type;
        enum fill fill;
};

static void write_metadata(const struct model *m)
{
        gguf_kv_string("general.architecture", "llama");
        gguf_kv_string("general.name", "random weights");
        gguf_kv_u32("general.alignment", GGUF_ALIGN);
        gguf_kv_u32("llama.context_length", (uint32_t)m->ctx);
        gguf_kv_u32("llama.embedding_length", (uint32_t)m->dim);
        gguf_kv_u32("llama.block_count", (uint32_t)m->layers);
        gguf_kv_u32("llama.feed_forward_length", (uint32_t)m->ffn);
        gguf_kv_u32("llama.attention.head_count", (uint32_t)m->heads);
        gguf_kv_u32("llama.attention.head_count_kv", (uint32_t)m->heads);
        gguf_kv_f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
        gguf_kv_u32("llama.rope.dimension_count", (uint32_t)(m->dim / m->heads));
        gguf_kv_u32("llama.vocab_size", (uint32_t)m->vocab);
        if (m->experts) {
                gguf_kv_u32("llama.expert_count", (uint32_t)m->experts);
                gguf_kv_u32("llama.expert_used_count", (uint32_t)m->used);
        }
        gguf_write_vocabulary(m->vocab);
}

/* Tensors. */

static uint64_t n_matrices(const struct tensor *t)
{
        return t->n_experts ? (uint64_t)t->n_experts : 1;
}

static uint64_t tensor_bytes(const struct tensor *t)
{
        return gguf_row_bytes(t->type, t->n_in) * (uint64_t)(t->n_out ? t->n_out : 1) *
               n_matrices(t);
}

static struct tensor *describe(struct tensor *t, const struct model *m, int layer, const char *name,
                               int n_in, int n_out)
{
        if (layer < 0)
                snprintf(t->name, sizeof(t->name), "%s.weight", name);
        else
                snprintf(t->name, sizeof(t->name), "blk.%d.%s.weight", layer, name);
        t->n_in = n_in;
        t->n_out = n_out;
        t->layer = layer;
        t->type = n_out ? m->type : GGUF_T_F32;
        return t;
}

static struct tensor *describe_mlp(struct tensor *t, const struct model *m, int layer)
{
        static const char *const dense[] = {"ffn_gate", "ffn_up", "ffn_down"},
                                 *const experts[] = {"ffn_gate_exps", "ffn_up_exps",
                                                     "ffn_down_exps"};
        struct tensor *router;

        if (m->experts) {
                router = describe(t++, m, layer, "ffn_gate_inp", m->dim, m->experts);
                router->type = GGUF_T_F32;
                router->fill = m->parity ? FILL_ROUTER : FILL_RANDOM;
        }
        for (int i = 0; i < 3; i++) {
                describe(t, m, layer, (m->experts ? experts : dense)[i], i < 2 ? m->dim : m->ffn,
                         i < 2 ? m->ffn : m->dim);
                t->n_experts = m->experts;
                if (i == 2 && m->parity)
                        t->fill = FILL_KEEP;
                t++;
        }
        return t;
}

static struct tensor *list_tensors(const struct model *m, int *ret_n)
{
        struct tensor *list = calloc((size_t)m->layers * 10 + 3, sizeof(*list)), *t = list;

        if (!list)
                gguf_die(1, "out of memory", "tensors");
        describe(t, m, -1, "token_embd", m->dim, m->vocab)->fill =
                m->parity ? FILL_PARITY : FILL_RANDOM;
        t++;
        for (int i = 0; i < m->layers; i++) {
                describe(t++, m, i, "attn_norm", m->dim, 0);
                describe(t++, m, i, "attn_q", m->dim, m->dim);
                describe(t++, m, i, "attn_k", m->dim, m->dim);
                describe(t++, m, i, "attn_v", m->dim, m->dim);
                describe(t, m, i, "attn_output", m->dim, m->dim)->fill =
                        m->parity ? FILL_KEEP : FILL_RANDOM;
                t++;
                describe(t++, m, i, "ffn_norm", m->dim, 0);
                t = describe_mlp(t, m, i);
        }
        describe(t++, m, -1, "output_norm", m->dim, 0);
        describe(t++, m, -1, "output", m->dim, m->vocab);
        *ret_n = (int)(t - list);
        return list;
}

static void write_table(const struct tensor *tensors, int n)
{
        uint64_t offset = 0;

        for (int i = 0; i < n; i++) {
                const struct tensor *t = &tensors[i];

                gguf_put_string(t->name);
                gguf_put_u32(t->n_experts ? 3 : t->n_out ? 2 : 1);
                gguf_put_u64((uint64_t)t->n_in);
                if (t->n_out)
                        gguf_put_u64((uint64_t)t->n_out);
                if (t->n_experts)
                        gguf_put_u64((uint64_t)t->n_experts);
                gguf_put_u32(t->type);
                gguf_put_u64(offset);
                offset += (tensor_bytes(t) + GGUF_ALIGN - 1) / GGUF_ALIGN * GGUF_ALIGN;
        }
}

static float random_weight(uint64_t *state, float scale)
{
        uint64_t z = *state += 0x9e3779b97f4a7c15u;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        z ^= z >> 31;
        return ((float)(z >> 40) / (float)(1 << 23) - 1.0f) * scale;
}

/* The first element of a row as `fill` wants it, or all of it. */
static float weight(const struct tensor *t, int64_t row, int column, float random)
{
        int rank;

        switch (t->fill) {
        case FILL_PARITY:
                return column ? random : row % 2 ? -1.0f : 1.0f;
        case FILL_KEEP:
                return row % t->n_out ? random : 0.0f;
        case FILL_ROUTER: /* from 1 down to -1, beginning with expert `layer` */
                rank = (int)((row + t->n_out - t->layer % t->n_out) % t->n_out);
                return column ? 0.0f : 1.0f - 2.0f * (float)rank / (float)(t->n_out - 1);
        default:
                return random;
        }
}

static void write_matrix(const struct tensor *t, uint64_t *seed)
{
        float scale = sqrtf(3.0f / (float)t->n_in), block[GGUF_BLOCK];

        for (int64_t row = 0; row < t->n_out * (int64_t)n_matrices(t); row++)
                for (int at = 0; at < t->n_in; at += GGUF_BLOCK) {
                        for (int i = 0; i < GGUF_BLOCK; i++)
                                block[i] = weight(t, row, at + i, random_weight(seed, scale));
                        gguf_put_block(t->type, block);
                }
}

static void write_data(const struct tensor *t, uint64_t *seed)
{
        gguf_align();
        if (t->n_out)
                write_matrix(t, seed);
        else
                for (int i = 0; i < t->n_in; i++)
                        gguf_put_f32(1.0f);
}

static void write_model(const struct model *m, const char *path)
{
        uint64_t seed = m->seed;
        int n;
        struct tensor *tensors = list_tensors(m, &n);

        gguf_open(path, (uint64_t)n);
        write_metadata(m);
        write_table(tensors, n);
        for (int i = 0; i < n; i++)
                write_data(&tensors[i], &seed);
        gguf_close(path);
        free(tensors);
}

/* Options. */

static const char usage[] =
        "usage: make-gguf [--preset tiny|small|moe] [options] -o FILE\n"
        "  --dim N --layers N --heads N --vocab N --ffn N --ctx N\n"
        "  --type f32|q8_0|q4_0   of the matrices\n"
        "  --experts N            in each layer (0: dense)\n"
        "  --experts-used N       for each token\n"
        "  --router random|parity how they are chosen: parity: by the token's id, even or odd\n"
        "  --seed N               of the weights\n"
        "later options override earlier ones; tiny is 0.6 MB, small 27 MB, moe 3 MB\n";

static int number(const char *option, const char *text, long min, long max)
{
        char *end, what[80];

        errno = 0;
        long n = strtol(text, &end, 10);
        if (end == text || *end || errno || n < min || n > max) {
                snprintf(what, sizeof(what), "%s wants a number from %ld to %ld, not", option, min,
                         max);
                gguf_die(2, what, text);
        }
        return (int)n;
}

static enum gguf_type type_named(const char *name)
{
        if (strcmp(name, "f32") == 0)
                return GGUF_T_F32;
        if (strcmp(name, "q8_0") == 0)
                return GGUF_T_Q8_0;
        if (strcmp(name, "q4_0") == 0)
                return GGUF_T_Q4_0;
        gguf_die(2, "--type wants f32, q8_0 or q4_0, not", name);
}

static struct model preset_named(const char *name)
{
        if (strcmp(name, "tiny") == 0)
                return (struct model){.dim = 64,
                                      .layers = 2,
                                      .heads = 4,
                                      .vocab = 512,
                                      .ffn = 160,
                                      .ctx = 2048,
                                      .type = GGUF_T_F32,
                                      .seed = 1};
        if (strcmp(name, "small") == 0)
                return (struct model){.dim = 288,
                                      .layers = 6,
                                      .heads = 6,
                                      .vocab = 32000,
                                      .ffn = 768,
                                      .ctx = 2048,
                                      .type = GGUF_T_Q8_0,
                                      .seed = 1};
        if (strcmp(name, "moe") == 0)
                return (struct model){.dim = 64,
                                      .layers = 4,
                                      .heads = 4,
                                      .vocab = 512,
                                      .ffn = 96,
                                      .ctx = 2048,
                                      .experts = 8,
                                      .used = 2,
                                      .type = GGUF_T_F32,
                                      .seed = 1};
        gguf_die(2, "--preset wants tiny, small or moe, not", name);
}

static bool is_parity(const char *name)
{
        if (strcmp(name, "random") && strcmp(name, "parity"))
                gguf_die(2, "--router wants random or parity, not", name);
        return !strcmp(name, "parity");
}

static void check(const struct model *m)
{
        if (m->dim % GGUF_BLOCK || m->ffn % GGUF_BLOCK)
                gguf_die(2, "--dim and --ffn must be", "multiples of 32");
        if (m->dim % m->heads || m->dim / m->heads % 2)
                gguf_die(2, "--heads must divide --dim into heads of", "an even size");
        if (m->experts == 1 || (m->experts && (m->used < 1 || m->used > m->experts)))
                gguf_die(2, "--experts-used wants one to all of", "two --experts or more");
        if (m->parity && !m->experts)
                gguf_die(2, "--router parity wants", "--experts");
}

static const char *parse(struct model *m, int argc, char **argv)
{
        static const struct option longs[] = {
                {"preset", 1, NULL, 'P'},       {"dim", 1, NULL, 'd'},    {"layers", 1, NULL, 'l'},
                {"heads", 1, NULL, 'H'},        {"vocab", 1, NULL, 'v'},  {"ffn", 1, NULL, 'f'},
                {"ctx", 1, NULL, 'c'},          {"type", 1, NULL, 't'},   {"seed", 1, NULL, 's'},
                {"output", 1, NULL, 'o'},       {"help", 0, NULL, 'h'},   {"experts", 1, NULL, 'e'},
                {"experts-used", 1, NULL, 'u'}, {"router", 1, NULL, 'r'}, {0},
        };
        const char *file = NULL;
        int c;

        *m = preset_named("tiny");
        opterr = 0;
        while ((c = getopt_long(argc, argv, ":o:", longs, NULL)) != -1) {
                switch (c) {
                case 'P':
                        *m = preset_named(optarg);
                        break;
                case 'd':
                        m->dim = number("--dim", optarg, GGUF_BLOCK, 65536);
                        break;
                case 'l':
                        m->layers = number("--layers", optarg, 1, 1000);
                        break;
                case 'H':
                        m->heads = number("--heads", optarg, 1, 1024);
                        break;
                case 'v':
                        m->vocab = number("--vocab", optarg, N_SPECIAL + N_BYTE_TOKENS, 1000000);
                        break;
                case 'f':
                        m->ffn = number("--ffn", optarg, GGUF_BLOCK, 262144);
                        break;
                case 'c':
                        m->ctx = number("--ctx", optarg, 1, 1 << 20);
                        break;
                case 't':
                        m->type = type_named(optarg);
                        break;
                case 'e':
                        m->experts = number("--experts", optarg, 0, 1024);
                        break;
                case 'u':
                        m->used = number("--experts-used", optarg, 1, 1024);
                        break;
                case 'r':
                        m->parity = is_parity(optarg);
                        break;
                case 's':
                        m->seed = (uint64_t)number("--seed", optarg, 0, INT_MAX);
                        break;
                case 'o':
                        file = optarg;
                        break;
                case 'h':
                        fputs(usage, stdout);
                        exit(0);
                case ':':
                        gguf_die(2, "option wants a value", argv[optind - 1]);
                default:
                        gguf_die(2, "unknown option", argv[optind - 1]);
                }
        }
        if (optind < argc)
                gguf_die(2, "takes no arguments but options", argv[optind]);
        if (!file)
                gguf_die(2, "no file to write", "give -o FILE");
        check(m);
        return file;
}

int main(int argc, char **argv)
{
        struct model m;
        const char *file = parse(&m, argc, argv);

        write_model(&m, file);
        return 0;
}
