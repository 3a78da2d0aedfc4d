/* SPDX-License-Identifier: MIT */
/*
 * Rules that go by how ops stand against the ceilings of their machine: in decode, or, where no
 * token was decoded, in all of the run. There ops may run on several threads at a time, each at its
 * own; together they count as no more than the run took.
 */
#include <math.h>
#include <string.h>

#include "common/explain-look.h"

#define FAR_SHARE      0.2 /* of its roof, and less */
#define NEAR_SHARE     0.5 /* of its roof, and more */
#define DECODE_SHARE   0.3 /* of decode; less is not what binds it */
#define PREFILL_SHARE  0.3 /* of prefill */
#define BEYOND_GAIN    1.1
#define OVERFLOW_SHARE 0.2 /* of decode */

/* Rows of one op in one phase. */
struct sum {
        const char *op, *bound; /* of its longest row */
        const json_t *longest;
        double wall, at_roof, longest_wall, bytes;
};

/* What shares are of. */
struct scope {
        const char *phase; /* NULL: any */
        const char *name, *each;
        double wall, n; /* of how many tokens; 1 where there are none */
        double part;    /* of a row's time that counts */
};

static bool is_in(const json_t *row, const char *phase)
{
        return (!phase || !strcmp(look_text(row, "phase"), phase)) &&
               look_number(row, "wall_ns") > 0;
}

static bool is_known(const json_t *row)
{
        return *look_text(row, "bound") && look_number(row, "at_roof_ns") > 0;
}

/* That computes. */
static bool any_op(const json_t *report)
{
        const json_t *op;
        size_t i;

        json_array_foreach(json_object_get(report, "ops"), i, op)
        {
                if (!strcmp(look_text(op, "kind"), "kernel") ||
                    !strcmp(look_text(op, "kind"), "node"))
                        return true;
        }
        return !json_is_array(json_object_get(report, "ops"));
}

/* False: nothing is known of roofs, and that is the judgement. */
static bool roofs_known(struct look *l)
{
        const json_t *row;
        bool known = false;
        size_t i;

        json_array_foreach(json_object_get(l->f->roofline, "rows"), i, row) known |= is_known(row);
        if (!known && !any_op(l->f->report))
                judge_unknown(l->j, "no op of this engine is known: infprof record --kernels names "
                                    "functions, --op what they do");
        else if (!known && *look_text(json_object_get(l->f->roofline, "machine"), "ceilings_from"))
                judge_unknown(l->j, "what the ops had to do is not known: their operands were not "
                                    "read (INFPROF_SHAPES=off), or there is no formula for them");
        else if (!known)
                judge_unknown(l->j, "what the machine can do is not known: infprof machine, once, "
                                    "before the run");
        return known;
}

/* Wall time of all rows of a phase. */
static double time_in(const json_t *roofline, const char *phase)
{
        const json_t *row;
        double sum = 0;
        size_t i;

        json_array_foreach(json_object_get(roofline, "rows"), i, row)
        {
                if (is_in(row, phase))
                        sum += look_number(row, "wall_ns");
        }
        return sum;
}

static struct scope scope_of(struct look *l)
{
        double all;

        if (!isnan(l->f->wall))
                return (struct scope){"decode", "decode", "a token", l->f->wall, l->f->tokens, 1};
        all = time_in(l->f->roofline, NULL);
        l->whole = true;
        return (struct scope){NULL,         "the run", "the run",
                              l->f->run_ns, 1,         all > l->f->run_ns ? l->f->run_ns / all : 1};
}

static void add_row(struct sum *s, const json_t *row, double part)
{
        double wall = look_number(row, "wall_ns");

        s->wall += wall * part;
        s->bytes += look_number(row, "bytes");
        s->at_roof += fmin(look_number(row, "at_roof_ns"), wall) * part;
        if (wall <= s->longest_wall)
                return;
        s->longest_wall = wall;
        s->longest = row;
        s->op = look_text(row, "op");
        s->bound = look_text(row, "bound");
}

/* Those rows of an op in that phase whose bound `counts`; op NULL: of any. */
static struct sum sum_of(const json_t *roofline, const struct scope *in, const char *op,
                         bool (*counts)(const char *bound))
{
        struct sum s = {.op = op};
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(roofline, "rows"), i, row)
        {
                if (!is_in(row, in->phase) || !is_known(row) ||
                    (op && strcmp(look_text(row, "op"), op) != 0) ||
                    !counts(look_text(row, "bound")))
                        continue;
                add_row(&s, row, in->part);
        }
        return s;
}

static bool is_level(const char *bound)
{
        return !strcmp(bound, "memory") || !strcmp(bound, "L3") || !strcmp(bound, "L2") ||
               !strcmp(bound, "L1");
}

static bool is_compute(const char *bound)
{
        return !strcmp(bound, "compute");
}

static bool is_either(const char *bound)
{
        return is_level(bound) || is_compute(bound);
}

static bool is_memory(const char *bound)
{
        return !strcmp(bound, "memory");
}

/* "L3" as it is, "memory" too. */
static void tell_use(struct look *l, const json_t *row)
{
        judge_evidence(l->j, look_number(row, "gflops"), "GFLOP/s", "it does, on %s",
                       look_text(row, "shape"));
        judge_evidence(l->j, look_number(row, "roof_gflops"), "GFLOP/s",
                       "is its roof, at its FLOPs a byte");
        judge_evidence(l->j, look_number(row, "compute_gflops"), "GFLOP/s",
                       "is the ceiling of arithmetic (%s)", look_text(row, "compute_type"));
        judge_evidence(l->j, look_number(row, "gbps"), "GB/s", "it moves");
        judge_evidence(l->j, look_number(row, "level_gbps"), "GB/s", "come from %s at most",
                       look_text(row, "level"));
}

/* Of a token's time, which rows of ops that are not only nodes may exceed. */
static double part_of(const struct scope *of, double wall)
{
        return fmin(wall / of->wall, 1);
}

void look_far_from_roof(struct look *l)
{
        struct sum best = {0};
        struct scope in;
        const json_t *row;
        char a[FMT_SIZE], b[FMT_SIZE];
        size_t i;

        if (!roofs_known(l))
                return;
        in = scope_of(l);
        json_array_foreach(json_object_get(l->f->roofline, "rows"), i, row)
        {
                struct sum s = sum_of(l->f->roofline, &in, look_text(row, "op"), is_either);

                if (s.wall > 0 && s.at_roof < FAR_SHARE * s.wall &&
                    s.wall - s.at_roof > best.wall - best.at_roof)
                        best = s;
        }
        if (!best.longest) {
                judge_no(l->j, "no op whose time is not overhead stays below %s of its roof in %s",
                         fmt_share(a, FAR_SHARE), in.name);
                return;
        }
        judge_yes(l->j, "%s reaches %s of what this machine can do", best.op,
                  fmt_share(a, best.at_roof / best.wall));
        judge_evidence(l->j, best.at_roof / best.wall, "share", "of its roof, all shapes");
        judge_evidence(l->j, best.wall / in.n, "ns", "of %s", in.each);
        tell_use(l, best.longest);
        l->cost_ns = best.wall - best.at_roof;
        l->share = part_of(&in, l->cost_ns);
        l->wall = in.wall - l->cost_ns;
        snprintf(l->cost, sizeof(l->cost), "it takes %s of %s, and at its roof would take %s",
                 explain_ns(a, best.wall / in.n), in.each, explain_ns(b, best.at_roof / in.n));
}

/* An op in decode at its ceiling; false: there is none, and that is said. */
static bool at_ceiling(struct look *l, bool (*counts)(const char *bound), const char *what,
                       struct scope *in, struct sum *ret)
{
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!roofs_known(l))
                return false;
        *in = scope_of(l);
        *ret = sum_of(l->f->roofline, in, NULL, counts);
        if (!ret->longest || ret->wall < DECODE_SHARE * in->wall ||
            ret->at_roof < NEAR_SHARE * ret->wall) {
                if (ret->wall > 0)
                        judge_no(l->j, "ops that %s binds take %s of %s, and reach %s of it", what,
                                 fmt_share(a, part_of(in, ret->wall)), in->name,
                                 fmt_share(b, ret->at_roof / ret->wall));
                else
                        judge_no(l->j, "no op in %s is bound by %s", in->name, what);
                return false;
        }
        return true;
}

void look_memory_bound(struct look *l)
{
        struct scope in;
        struct sum s;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!at_ceiling(l, is_level, "bandwidth", &in, &s))
                return;
        judge_yes(l->j, "%s of %s waits for bytes from %s, at %s of its bandwidth",
                  fmt_share(a, part_of(&in, s.wall)), in.name, s.bound,
                  fmt_share(b, s.at_roof / s.wall));
        judge_evidence(l->j, s.at_roof / s.wall, "share", "of the bandwidth there is");
        judge_evidence(l->j, s.wall / in.n, "ns", "of %s in such ops, %s the longest", in.each,
                       s.op);
        tell_use(l, s.longest);
        l->cost_ns = s.wall;
        l->share = part_of(&in, s.wall);
        l->wall = in.wall - fmin(s.wall, in.wall) / 2;
        snprintf(l->cost, sizeof(l->cost), "such ops take %s of %s, %s of its time",
                 explain_ns(a, s.wall / in.n), in.each, fmt_share(b, l->share));
}

void look_compute_bound(struct look *l)
{
        struct scope in;
        struct sum s;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!at_ceiling(l, is_compute, "arithmetic", &in, &s))
                return;
        judge_yes(l->j, "%s of %s is arithmetic, at %s of the CPU's ceiling",
                  fmt_share(a, part_of(&in, s.wall)), in.name, fmt_share(b, s.at_roof / s.wall));
        judge_evidence(l->j, s.at_roof / s.wall, "share", "of the ceiling");
        judge_evidence(l->j, s.wall / in.n, "ns", "of %s in such ops, %s the longest", in.each,
                       s.op);
        tell_use(l, s.longest);
        l->cost_ns = s.wall;
        l->share = part_of(&in, s.wall);
        snprintf(l->cost, sizeof(l->cost), "such ops take %s of %s, %s of its time",
                 explain_ns(a, s.wall / in.n), in.each, fmt_share(b, l->share));
}

/* ---- caches ----------------------------------------------------------------------- */

static const json_t *cache_level(const json_t *row, const char *name)
{
        const json_t *level;
        size_t i;

        json_array_foreach(json_object_get(json_object_get(row, "cache"), "levels"), i, level)
        {
                if (!strcmp(look_text(level, "level"), name))
                        return level;
        }
        return NULL;
}

/* Bandwidth of a level as some row has it; NaN: no row does. */
static double bandwidth_of(const json_t *roofline, const char *level)
{
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(roofline, "rows"), i, row)
        {
                if (!strcmp(look_text(row, "level"), level) && look_number(row, "level_gbps") > 0)
                        return look_number(row, "level_gbps");
        }
        return NAN;
}

void look_beyond_cache(struct look *l)
{
        struct scope in;
        struct sum s;
        double weights, room, faster;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!roofs_known(l))
                return;
        in = scope_of(l);
        s = sum_of(l->f->roofline, &in, NULL, is_memory);
        if (!s.longest || s.wall < DECODE_SHARE * in.wall) {
                judge_no(l->j, "ops whose operands come from memory take %s of %s",
                         fmt_share(a, part_of(&in, s.wall)), in.name);
                return;
        }
        weights = look_number(json_object_get(s.longest, "cache"), "weights_bytes");
        room = look_number(cache_level(s.longest, "L3"), "room_bytes");
        faster = bandwidth_of(l->f->roofline, "L3") / look_number(s.longest, "level_gbps");
        judge_yes(l->j, "%s: %s of %s",
                  in.phase ? "weights come from memory for each token"
                           : "operands come from memory each time",
                  fmt_share(a, part_of(&in, s.wall)), in.name);
        judge_evidence(l->j, s.wall / in.n, "ns", "of %s in such ops, %s the longest", in.each,
                       s.op);
        judge_evidence(l->j, s.bytes / in.n, "bytes", "of %s come in such ops", in.each);
        judge_evidence(l->j, room, "bytes", "of them the last cache holds at most");
        judge_evidence(l->j, weights, "bytes", "of weights in one %s, on %s", s.op,
                       look_text(s.longest, "shape"));
        tell_use(l, s.longest);
        l->cost_ns = s.wall;
        l->share = part_of(&in, s.wall);
        if (faster > BEYOND_GAIN)
                l->wall = in.wall - fmin(s.wall, in.wall) * (1 - 1 / faster);
        snprintf(l->cost, sizeof(l->cost), "such ops take %s of %s, %s of its time",
                 explain_ns(a, s.wall / in.n), in.each, fmt_share(b, l->share));
}

/* What of an op grows with one of its extents, and does not fit into L2 because of it. */
struct overflow {
        const char *extent;      /* in fits_up_to */
        const char *what, *noun; /* "the keys and values of a context", "positions" */
        bool (*counts)(const char *bound);
};

static bool is_beyond_l2(const char *bound)
{
        return is_memory(bound) || !strcmp(bound, "L3");
}

static bool is_l3(const char *bound)
{
        return !strcmp(bound, "L3");
}

/* Rows in decode that come from further out than L2, and would not with less of that extent. */
static struct sum overflowing(const json_t *roofline, const struct scope *in,
                              const struct overflow *o)
{
        struct sum s = {0};
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(roofline, "rows"), i, row)
        {
                const json_t *l2 = cache_level(row, "L2");
                double fits = look_number(json_object_get(l2, "fits_up_to"), o->extent);
                double whole = look_number(json_object_get(row, "cache"), "whole_bytes");

                if (!is_in(row, in->phase) || !is_known(row) || !(fits >= 1) ||
                    !(whole > look_number(l2, "room_bytes")) || !o->counts(look_text(row, "bound")))
                        continue;
                add_row(&s, row, in->part);
        }
        return s;
}

static void look_overflow(struct look *l, const struct overflow *o)
{
        struct scope in;
        struct sum s;
        const json_t *l2;
        double faster;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!roofs_known(l))
                return;
        in = scope_of(l);
        s = overflowing(l->f->roofline, &in, o);
        if (!s.longest) {
                judge_no(l->j, "no op in %s fetches what fewer %s would keep in L2", in.name,
                         o->noun);
                return;
        }
        if (s.wall < OVERFLOW_SHARE * in.wall || s.at_roof < FAR_SHARE * s.wall) {
                judge_no(l->j,
                         "ops that fetch what fewer %s would keep in L2 take %s of %s (told from "
                         "%.0f%% on), and reach %s of what comes from there",
                         o->noun, fmt_share(a, part_of(&in, s.wall)), in.name, 100 * OVERFLOW_SHARE,
                         fmt_share(b, s.at_roof / s.wall));
                return;
        }
        l2 = cache_level(s.longest, "L2");
        faster = bandwidth_of(l->f->roofline, "L2") / look_number(s.longest, "level_gbps");
        judge_yes(l->j, "%s do not fit into L2: %s of %s", o->what,
                  fmt_share(a, part_of(&in, s.wall)), in.name);
        judge_evidence(l->j, look_number(json_object_get(s.longest, "cache"), "whole_bytes"),
                       "bytes", "that %s works on, %s", s.op, look_text(s.longest, "shape"));
        judge_evidence(l->j, look_number(l2, "room_bytes"), "bytes", "of L2");
        judge_evidence(l->j, look_number(json_object_get(l2, "fits_up_to"), o->extent), "count",
                       "%s would fit", o->noun);
        tell_use(l, s.longest);
        l->cost_ns = s.wall;
        l->share = part_of(&in, s.wall);
        if (faster > BEYOND_GAIN)
                l->wall = in.wall - fmin(s.wall, in.wall) * (1 - 1 / faster);
        snprintf(l->cost, sizeof(l->cost), "such ops take %s of %s, %s of its time",
                 explain_ns(a, s.wall / in.n), in.each, fmt_share(b, l->share));
}

void look_context_overflow(struct look *l)
{
        static const struct overflow context = {"sequence", "the keys and values of this context",
                                                "positions", is_beyond_l2};

        look_overflow(l, &context);
}

/* What comes from memory is beyond-cache's. */
void look_weights_overflow(struct look *l)
{
        static const struct overflow weights = {"d_ff", "matrices of so many rows (d_ff)", "rows",
                                                is_l3};

        look_overflow(l, &weights);
}

void look_batch_overflow(struct look *l)
{
        const struct scope in = {.phase = "prefill", .part = 1};
        double all, batch, whole, room;
        struct sum s;
        const json_t *level;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!roofs_known(l))
                return;
        all = time_in(l->f->roofline, "prefill");
        if (!(all > 0)) {
                judge_unknown(l->j, "no prompt was taken in");
                return;
        }
        s = sum_of(l->f->roofline, &in, NULL, is_level);
        level = s.longest ? cache_level(s.longest, "L2") : NULL;
        batch = look_number(json_object_get(level, "fits_up_to"), "batch");
        whole = look_number(json_object_get(s.longest, "cache"), "whole_bytes");
        room = look_number(level, "room_bytes");
        if (s.wall < PREFILL_SHARE * all || !(whole > room) || !(batch >= 1)) {
                judge_no(l->j,
                         "ops that bandwidth binds take %s of prefill (told from %.0f%% on), and a "
                         "smaller batch would %s",
                         fmt_share(a, fmin(s.wall / all, 1)), 100 * PREFILL_SHARE,
                         whole > room ? "not bring them into L2" : "not help them");
                return;
        }
        judge_yes(l->j, "the batch of a prompt does not fit into L2: %s of prefill",
                  fmt_share(a, fmin(s.wall / all, 1)));
        judge_evidence(l->j, whole, "bytes", "that %s works on, %s", s.op,
                       look_text(s.longest, "shape"));
        judge_evidence(l->j, room, "bytes", "of L2");
        judge_evidence(l->j, batch, "count", "columns at a time would fit");
        tell_use(l, s.longest);
        l->share = fmin(s.wall / all, 1);
        snprintf(l->cost, sizeof(l->cost), "such ops take %s of prefill's %s",
                 fmt_share(a, l->share), explain_ns(b, all));
}
