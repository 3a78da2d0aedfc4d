/* SPDX-License-Identifier: MIT */
/*
 * Rules: what to look for in the documents of a run, what it comes from, what to do, and what that
 * would bring. One table, at the end; what is looked for is a function of its own above it. A rule
 * that would bring less than 3 % is not a finding.
 *
 * What a change of a part brings is Amdahl's law: with T the time of all decode steps, p the time
 * in them of that part and s by how much it would be faster, they would take T - p + p / s.
 * (Amdahl, Validity of the single processor approach to achieving large scale computing
 * capabilities, AFIPS 1967.)
 */
#include <math.h>
#include <string.h>

#include "common/explain-look.h"
#include "common/explain-rules.h"

#define TOKENS_FOR_TAIL 100  /* fewer have no 99th percentile to speak of */
#define TAIL_MIN        3.0  /* p99 over p50 */
#define SPREAD_MIN      2.0  /* p95 over p50; steps that grow steadily from nothing have 1.9 */
#define FIRST_MIN       20.0 /* time to first token over that of a token */
#define FIRST_SHARE_MIN 0.25 /* of the time of prefill and decode */
#define ALLOC_SHARE_MIN 0.03 /* of the thread that decodes */
#define GROWTH_MIN      0.25 /* of what is live at the end */
#define GROWTH_FIT_MIN  0.8  /* R2 */
#define GROWN_MAX       1.5  /* times what the longest KV cache makes of a token */
#define MANY_THREADS    3.0
#define OVERHEAD_MIN    1.5 /* thread time over compute */
#define BATCH_MORE      4.0 /* times as many columns */
#define BATCH_FASTER    3.0 /* times as many GFLOP/s with them */
#define FORECAST_TOKENS 32768.0
#define BATCH_FLAT      1.3
#define MAX_BATCHES     64

double look_number(const json_t *o, const char *name)
{
        const json_t *v = json_object_get(o, name);

        return json_is_number(v) ? json_number_value(v) : NAN;
}

const char *look_text(const json_t *o, const char *name)
{
        const char *s = json_string_value(json_object_get(o, name));

        return s ? s : "";
}

/* ---- latency --------------------------------------------------------------------- */

/* Of decode steps; false: that is the judgement. */
static bool steps_of(struct look *l, const json_t **ret, uint64_t least)
{
        *ret = json_object_get(l->f->report, "tokens");
        if (!(look_number(*ret, "p50_ns") > 0)) {
                judge_unknown(l->j, "no token was decoded");
                return false;
        }
        if (l->f->tokens < (double)least) {
                judge_unknown(l->j, "%.0f tokens are too few to know", l->f->tokens);
                return false;
        }
        return true;
}

/* Is a token that takes `ns` no slower than the longest KV cache makes one? NaN: not known. */
static bool grows_to(const struct look *l, double ns)
{
        const json_t *kv = json_object_get(l->f->token_growth, "kv"),
                     *fit = json_object_get(kv, "token"), *bins = json_object_get(kv, "bins");
        const json_t *last = json_array_get(bins, json_array_size(bins) - 1);
        double longest =
                look_number(fit, "a_ns") + look_number(fit, "b_ns") * look_number(last, "length");

        return json_is_true(json_object_get(fit, "depends")) &&
               look_number(fit, "r2") >= GROWTH_FIT_MIN && ns <= GROWN_MAX * longest;
}

static void look_tail(struct look *l)
{
        double p50, p99, mean, over;
        const json_t *tokens;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!steps_of(l, &tokens, TOKENS_FOR_TAIL))
                return;
        p50 = look_number(tokens, "p50_ns");
        p99 = look_number(tokens, "p99_ns");
        mean = look_number(tokens, "mean_ns");
        if (!(p99 >= TAIL_MIN * p50)) {
                judge_no(l->j, "p99 of a token is %.2f times its p50", p99 / p50);
                return;
        }
        if (grows_to(l, p99)) {
                judge_no(l->j,
                         "p99 of a token is %.2f times its p50, as its time grows with its KV "
                         "cache (infprof tokens)",
                         p99 / p50);
                return;
        }
        judge_yes(l->j, "one token in a hundred takes %.1f times as long as the usual one",
                  p99 / p50);
        judge_evidence(l->j, p50, "ns", "p50 of a token");
        judge_evidence(l->j, p99, "ns", "p99 of a token");
        judge_evidence(l->j, p99 / p50, "factor", "p99 over p50");
        over = fmax(mean - p50, 0);
        l->cost_ns = over * l->f->tokens;
        l->share = over / mean;
        l->wall = l->f->wall * (1 - l->share); /* tokens of several texts pass side by side */
        snprintf(l->cost, sizeof(l->cost), "the mean of a token is %s, %s above the usual one",
                 explain_ns(a, mean), explain_ns(b, over));
}

static void look_variance(struct look *l)
{
        double p50, p95, over;
        const json_t *tokens;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!steps_of(l, &tokens, TOKENS_FOR_TAIL))
                return;
        p50 = look_number(tokens, "p50_ns");
        p95 = look_number(tokens, "p95_ns");
        if (look_number(tokens, "p99_ns") >= TAIL_MIN * p50) {
                judge_no(l->j, "p95 of a token is %.2f times its p50; tail-latency says more",
                         p95 / p50);
                return;
        }
        if (!(p95 >= SPREAD_MIN * p50)) {
                judge_no(l->j, "p95 of a token is %.2f times its p50", p95 / p50);
                return;
        }
        if (grows_to(l, p95)) {
                judge_no(l->j,
                         "p95 of a token is %.2f times its p50, as its time grows with its KV "
                         "cache (infprof tokens)",
                         p95 / p50);
                return;
        }
        judge_yes(l->j, "tokens differ: one in twenty takes %.1f times as long as the usual one",
                  p95 / p50);
        judge_evidence(l->j, p50, "ns", "p50 of a token");
        judge_evidence(l->j, p95, "ns", "p95 of a token");
        judge_evidence(l->j, look_number(tokens, "stddev_ns"), "ns", "standard deviation");
        over = fmax(look_number(tokens, "mean_ns") - p50, 0);
        l->cost_ns = over * l->f->tokens;
        l->share = over / look_number(tokens, "mean_ns");
        l->wall = l->f->wall * (1 - l->share);
        snprintf(l->cost, sizeof(l->cost), "p95 is %s where the usual token takes %s",
                 explain_ns(a, p95), explain_ns(b, p50));
}

static void look_first(struct look *l)
{
        const json_t *phases = json_object_get(l->f->report, "phases"), *tokens;
        double first, mean, prompt, sequences,
                prefill = look_number(json_object_get(phases, "prefill"), "duration_ns"),
                decode = look_number(json_object_get(phases, "decode"), "duration_ns"), share;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!steps_of(l, &tokens, 1))
                return;
        first = look_number(tokens, "ttft_ns");
        mean = look_number(tokens, "mean_ns");
        if (isnan(first)) {
                judge_unknown(l->j, "no prompt was taken in that a token came of");
                return;
        }
        share = prefill / (prefill + decode);
        if (!(first >= FIRST_MIN * mean && share >= FIRST_SHARE_MIN)) {
                judge_no(l->j,
                         "the first token takes %.1f times as long as the others (told from %.0f "
                         "on); prefill is %s of the work (from %.0f%% on)",
                         first / mean, FIRST_MIN,
                         isnan(share) ? "an unknown part" : fmt_share(a, share),
                         100 * FIRST_SHARE_MIN);
                return;
        }
        prompt = look_number(tokens, "prompt");
        sequences = look_number(tokens, "sequences");
        judge_yes(l->j, "the first token takes as long as %.0f others", first / mean);
        judge_evidence(l->j, first, "ns", "to the first token");
        judge_evidence(l->j, mean, "ns", "a token after that");
        judge_evidence(l->j, prompt, "count", "tokens of prompts");
        judge_evidence(l->j, sequences, "count", "prompts");
        judge_evidence(l->j, prompt * 1e9 / prefill, "tokens/s", "taken in");
        l->share = share;
        snprintf(l->cost, sizeof(l->cost), "prefill takes %s, %s of prefill and decode together",
                 explain_ns(a, prefill), fmt_share(b, share));
}

/* ---- memory ----------------------------------------------------------------------- */

static void look_allocations(struct look *l)
{
        const json_t *calls = json_object_get(json_object_get(l->f->memory, "per_token"), "calls");
        double each = look_number(calls, "mean"), ns = l->f->own[IFP_LEDGER_ALLOC], share;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (isnan(each) || isnan(ns)) {
                judge_unknown(l->j, "how much a token allocates, or how long that takes, is not "
                                    "known");
                return;
        }
        share = ns / l->f->wall;
        if (!(share >= ALLOC_SHARE_MIN)) {
                judge_no(l->j, "%.1f allocations a token take %s of its time", each,
                         fmt_share(a, fmax(share, 0)));
                return;
        }
        judge_yes(l->j, "%.0f allocations for each token take %s of its time", each,
                  fmt_share(a, share));
        judge_evidence(l->j, each, "1/token", "allocations");
        judge_evidence(
                l->j,
                look_number(json_object_get(json_object_get(l->f->memory, "per_token"), "bytes"),
                            "mean"),
                "bytes", "asked for a token");
        judge_evidence(l->j, ns / l->f->tokens, "ns", "of a token in the allocator");
        l->cost_ns = ns;
        l->share = share;
        l->wall = l->f->wall - ns;
        snprintf(l->cost, sizeof(l->cost), "the allocator takes %s a token, %s of its time",
                 explain_ns(a, ns / l->f->tokens), fmt_share(b, share));
}

static void look_growth(struct look *l)
{
        const json_t *kv = json_object_get(l->f->memory, "kv"),
                     *totals = json_object_get(l->f->memory, "totals");
        double each = look_number(kv, "bytes_per_token"), r2 = look_number(kv, "r2"),
               live = look_number(totals, "live_bytes"), grown, share;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (isnan(each) || isnan(r2) || isnan(live)) {
                judge_unknown(l->j, "live memory was not seen against tokens");
                return;
        }
        grown = each * (look_number(kv, "to_token") - look_number(kv, "from_token"));
        share = live > 0 ? grown / live : 0;
        if (!(each > 0 && r2 >= GROWTH_FIT_MIN && share >= GROWTH_MIN &&
              each * FORECAST_TOKENS >= 64 << 20)) {
                judge_no(l->j, "live memory grows by %s a token", fmt_bytes(a, llround(each)));
                return;
        }
        judge_yes(l->j, "memory grows with the text: %s for each token",
                  fmt_bytes(a, llround(each)));
        judge_evidence(l->j, each, "bytes", "more live memory a token");
        judge_evidence(l->j, look_number(kv, "stderr_bytes_per_token"), "bytes",
                       "standard error of that");
        judge_evidence(l->j, each * FORECAST_TOKENS, "bytes", "at 32,768 tokens, if it goes on");
        l->share = fmin(share, 1);
        snprintf(l->cost, sizeof(l->cost), "%s since the first token, %s of what is live",
                 fmt_bytes(a, llround(grown)), fmt_share(b, fmin(share, 1)));
}

/* ---- threads ---------------------------------------------------------------------- */

/* Where no verdict says what it is that they do besides. */
static void look_overhead(struct look *l)
{
        const struct facts *f = l->f;
        double useful = f->all[IFP_LEDGER_COMPUTE], factor = f->threads_ns / useful;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!f->has_ledger || !(useful > 0)) {
                judge_unknown(l->j, "there is no ledger of what threads did for a token");
                return;
        }
        if (f->team < MANY_THREADS || !(factor >= OVERHEAD_MIN)) {
                judge_no(l->j,
                         "%.0f thread%s %.2f times the time of computing (told from %.0f threads "
                         "and %.1f times on)",
                         f->team, f->team < 1.5 ? " spends" : "s spend", factor, MANY_THREADS,
                         OVERHEAD_MIN);
                return;
        }
        if (f->said) {
                judge_no(l->j, "threads spend %.2f times the time of computing, and '%s' says why",
                         factor, f->said);
                return;
        }
        judge_yes(l->j, "%.0f threads spend %.1f times the time that they compute", f->team,
                  factor);
        judge_evidence(l->j, factor, "factor", "thread time over compute");
        judge_evidence(l->j, f->threads_ns / f->tokens, "ns", "of all threads for a token");
        judge_evidence(l->j, useful / f->tokens, "ns", "of that computing");
        l->cost_ns = fmax(f->wall - f->ideal, 0);
        l->share = l->cost_ns / f->wall;
        l->wall = f->ideal;
        snprintf(l->cost, sizeof(l->cost), "a token takes %s, and could take %s",
                 explain_ns(a, f->wall / f->tokens), explain_ns(b, f->ideal / f->tokens));
}

/* ---- ops -------------------------------------------------------------------------- */

static const json_t *op_named(const json_t *report, const char *name)
{
        const json_t *op;
        size_t i;

        json_array_foreach(json_object_get(report, "ops"), i, op)
        {
                if (!strcmp(look_text(op, "name"), name) && !strcmp(look_text(op, "kind"), "node"))
                        return op;
        }
        return NULL;
}

static const json_t *in_decode(const json_t *op)
{
        return json_object_get(json_object_get(op, "phases"), "decode");
}

/* Time of an op in decode steps, as one of the team: what it takes of their wall time. */
static double wall_of(const struct facts *f, const json_t *figures)
{
        double ns = look_number(figures, "total_ns"), threads = look_number(figures, "threads");

        if (threads > f->team)
                threads = f->team;
        return threads > 1 ? ns / threads : ns;
}

/* An op whose whole result is read by the next, once, where one op would do for both. */
static const struct {
        const char *first, *second, *fused;
} pairs[] = {
        {"RMS_NORM", "MUL", "a normalisation that multiplies by its weights"},
        {"NORM", "MUL", "a normalisation that multiplies by its weights"},
        {"SILU", "MUL", "SWIGLU"},
        {"GELU", "MUL", "GEGLU"},
        {"RELU", "MUL", "REGLU"},
        {"SCALE", "SOFT_MAX", "a softmax that scales"},
        {"ADD", "RMS_NORM", "an addition that normalises"},
};

/*
 * What one op in place of two saves is the write of what lies between them and the read of it: half
 * of the first's traffic at most, which reads one such operand and writes one; and a third of the
 * second's, which reads two and writes one.
 */
static void look_fusion(struct look *l)
{
        double best = 0;
        size_t at = 0;
        const json_t *a = NULL, *b = NULL;
        char x[FMT_SIZE], y[FMT_SIZE];

        if (isnan(l->f->wall)) {
                judge_unknown(l->j, "no token was decoded");
                return;
        }
        for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
                const json_t *p = in_decode(op_named(l->f->report, pairs[i].first)),
                             *q = in_decode(op_named(l->f->report, pairs[i].second));
                double n = look_number(p, "calls"), m = look_number(q, "calls"), saved;

                if (!(n > 0 && m > 0 && n <= 2 * m && m <= 2 * n))
                        continue;
                saved = wall_of(l->f, p) / 2 + wall_of(l->f, q) / 3 * fmin(n / m, 1);
                if (saved > best) {
                        best = saved;
                        at = i;
                        a = p;
                        b = q;
                }
        }
        if (!a) {
                judge_no(l->j, "no two small ops follow each other that one could do");
                return;
        }
        judge_yes(l->j, "%s and %s follow each other: %s would do both", pairs[at].first,
                  pairs[at].second, pairs[at].fused);
        judge_evidence(l->j, look_number(a, "calls") / l->f->tokens, "1/token", "%s",
                       pairs[at].first);
        judge_evidence(l->j, look_number(b, "calls") / l->f->tokens, "1/token", "%s",
                       pairs[at].second);
        judge_evidence(l->j, wall_of(l->f, a) / l->f->tokens, "ns", "of a token in %s",
                       pairs[at].first);
        judge_evidence(l->j, wall_of(l->f, b) / l->f->tokens, "ns", "of a token in %s",
                       pairs[at].second);
        l->cost_ns = best;
        l->share = best / l->f->wall;
        l->wall = l->f->wall - best;
        snprintf(
                l->cost, sizeof(l->cost),
                "writing what lies between them and reading it takes at most %s a token, %s of its "
                "time",
                explain_ns(x, best / l->f->tokens), fmt_share(y, fmin(l->share, 1)));
}

struct batch {
        char weights[64]; /* "q8_0[288,768]" */
        double columns, gflops, ns;
};

/* "A x B[k,n]" of a product; false: it is none of a matrix and one or more columns. */
static bool read_batch(const char *shape, struct batch *ret)
{
        const char *x = strstr(shape, " x "), *open = x ? strchr(x, '[') : NULL,
                   *comma = open ? strchr(open, ',') : NULL;
        unsigned long long n;

        if (!comma || x - shape >= (long)sizeof(ret->weights) ||
            sscanf(comma + 1, "%llu]", &n) != 1 || !n)
                return false;
        snprintf(ret->weights, sizeof(ret->weights), "%.*s", (int)(x - shape), shape);
        ret->columns = (double)n;
        return true;
}

static size_t batches_of(const json_t *op, struct batch *ret)
{
        const json_t *shape;
        size_t n = 0, i;

        json_array_foreach(json_object_get(op, "shapes"), i, shape)
        {
                struct batch b;

                if (n == MAX_BATCHES || !read_batch(look_text(shape, "shape"), &b))
                        continue;
                b.gflops = look_number(shape, "gflops");
                b.ns = look_number(json_object_get(json_object_get(shape, "phases"), "decode"),
                                   "total_ns");
                if (b.gflops > 0)
                        ret[n++] = b;
        }
        return n;
}

/*
 * The same matrix with one column and with many: where the time hardly grows with their number, the
 * matrix's way from memory is what takes it; where it grows as they do, arithmetic is.
 */
static void look_batch(struct look *l)
{
        const json_t *op = op_named(l->f->report, "MUL_MAT");
        struct batch all[MAX_BATCHES], *few = NULL, *many = NULL;
        double best = 0, slow_ns = 0, threads = look_number(op, "threads");
        size_t n = batches_of(op, all);
        char a[FMT_SIZE];

        if (l->f->short_of_cpus) {
                judge_short_of_cpus(l->j, l->f);
                return;
        }

        for (size_t i = 0; i < n; i++) {
                double faster = 0;

                for (size_t k = 0; k < n; k++) {
                        if (strcmp(all[i].weights, all[k].weights) != 0 ||
                            all[k].columns < BATCH_MORE * all[i].columns || !(all[i].ns > 0))
                                continue;
                        if (all[k].gflops / all[i].gflops > faster)
                                faster = all[k].gflops / all[i].gflops;
                        if (faster > best) {
                                best = faster;
                                few = &all[i];
                                many = &all[k];
                        }
                }
                if (faster >= BATCH_FASTER)
                        slow_ns += all[i].ns;
        }
        if (!few) {
                judge_unknown(l->j,
                              "no matrix was multiplied by few columns and by %.0f times as "
                              "many",
                              BATCH_MORE);
                return;
        }
        if (best < BATCH_FASTER) {
                judge_no(l->j,
                         "%s is multiplied %.1f times as fast with %.0f columns as with %.0f, not "
                         "three times%s",
                         few->weights, best, many->columns, few->columns,
                         best < BATCH_FLAT ? ": arithmetic binds it with few as with many" : "");
                return;
        }
        slow_ns /= threads > 1 && l->f->team > 1 ? fmin(threads, l->f->team) : 1;
        judge_yes(l->j, "%s is multiplied %.1f times as fast with %.0f columns as with %.0f",
                  few->weights, best, many->columns, few->columns);
        judge_evidence(l->j, few->gflops, "GFLOP/s", "with %.0f column%s", few->columns,
                       few->columns == 1 ? "" : "s");
        judge_evidence(l->j, many->gflops, "GFLOP/s", "with %.0f columns", many->columns);
        judge_evidence(l->j, slow_ns / l->f->tokens, "ns", "of a token in such products");
        l->cost_ns = slow_ns;
        l->share = fmin(slow_ns / l->f->wall, 1);
        l->wall = l->f->wall - slow_ns + slow_ns / best;
        snprintf(l->cost, sizeof(l->cost), "such products take %s a token",
                 explain_ns(a, slow_ns / l->f->tokens));
}

/* ---- the table -------------------------------------------------------------------- */

static const struct rule {
        const char *id;
        void (*look)(struct look *l);
        enum confidence most;
        const char *cause, *remedy, *gain;
} rules[] = {
        {"thread-overhead", look_overhead, CONFIDENCE_MEDIUM,
         "threads wait for each other, or do other things than compute, for more of the time than "
         "the work they take off each other is worth",
         "use fewer threads (infprof ledger and infprof waits say where their time goes), or give "
         "each a larger piece",
         "if the same computing were spread evenly and nobody waited"},
        {"tail-latency", look_tail, CONFIDENCE_MEDIUM,
         "some tokens meet what others do not: infprof ledger lists the slowest with what was "
         "different about them",
         "look at the rows of the slowest tokens: a CPU taken by others (pin threads, lower the "
         "count), page faults (lock or touch memory first), allocation, I/O",
         "if all tokens took as long as the usual one"},
        {"variable-latency", look_variance, CONFIDENCE_LOW,
         "the time of a token depends on something besides its work: threads that move between "
         "CPUs or share them, or caches that others empty",
         "pin threads (taskset, OMP_PROC_BIND=true), leave a CPU to the rest of the machine, and "
         "compare infprof tokens: what grows with the text is no such thing",
         "if all tokens took as long as the usual one"},
        {"slow-first-token", look_first, CONFIDENCE_MEDIUM,
         "the whole prompt is taken in before the first token comes",
         "keep what a prompt's common beginning left in the KV cache (llama.cpp: --cache-reuse, "
         "--prompt-cache), take long prompts in by chunks between others' tokens, use more "
         "threads for prefill (llama.cpp: -tb)",
         "not of tokens/s: a prompt that is cached whole costs nothing until its first token"},
        {"decode-allocations", look_allocations, CONFIDENCE_MEDIUM,
         "memory is asked for and given back for each token",
         "allocate once and keep it: infprof memory --phase decode names the stacks",
         "if nothing were allocated in decode"},
        {"memory-grows", look_growth, CONFIDENCE_MEDIUM,
         "keys and values of all tokens are kept (KV cache), or something is kept that need not be",
         "smaller types for keys and values (llama.cpp: -ctk q8_0 -ctv q8_0), a shorter or sliding "
         "context; where it is no KV cache, infprof memory --by inuse names who keeps it",
         "of memory, not of time"},
        {"batch", look_batch, CONFIDENCE_MEDIUM,
         "each token reads all weights once, and that takes longer than the arithmetic on them: "
         "throughput grows with the batch",
         "work at several sequences at a time, or guess tokens ahead (speculative decoding); for "
         "one sequence, smaller types of weights",
         "with as many columns at a time as it was fastest with"},
        {"far-from-roof", look_far_from_roof, CONFIDENCE_MEDIUM,
         "neither bandwidth nor arithmetic is used up: code that does not use the widest "
         "instructions, works at one element after the other, or waits for single accesses",
         "another kernel for this op (where it is attention in llama.cpp: -fa on or off, other "
         "types "
         "for keys and values), a library built for this CPU, or more threads for it",
         "at most: if it met its roof"},
        {"memory-bound", look_memory_bound, CONFIDENCE_HIGH,
         "the bytes come no faster: arithmetic waits for them",
         "fewer bytes: smaller types of weights (f32 or f16 to q8_0, q8_0 to q4_K), or more done "
         "with each: several "
         "sequences at a time, tiles that stay in a cache; more memory channels or NUMA nodes",
         "with types of half the size"},
        {"compute-bound", look_compute_bound, CONFIDENCE_MEDIUM,
         "the CPU multiplies and adds as fast as it can with that type",
         "types with wider arithmetic (bf16 or int8 where the ISA has them), more cores, or less "
         "to "
         "do (a smaller model, a cached prompt)",
         "not known: it is at its ceiling"},
        {"beyond-cache", look_beyond_cache, CONFIDENCE_MEDIUM,
         "weights are larger than the last cache, so each token fetches them from memory again",
         "smaller types until they fit, fewer layers on this CPU, or several sequences for each "
         "time they come by",
         "if they came from the last cache"},
        {"batch-overflow", look_batch_overflow, CONFIDENCE_MEDIUM,
         "with so many columns at a time, activations and results do not stay in the cache between "
         "one use and the next",
         "smaller pieces of the prompt at a time (llama.cpp: -ub)",
         "not of tokens/s, but of prefill"},
        {"context-overflow", look_context_overflow, CONFIDENCE_MEDIUM,
         "each token goes through all keys and values before it, and they are more than L2 holds",
         "smaller types for keys and values (llama.cpp: -ctk q8_0 -ctv q8_0), a shorter or sliding "
         "context, more threads: each has the heads it works on in a L2 of its own",
         "if they came from L2"},
        {"weights-overflow", look_weights_overflow, CONFIDENCE_LOW,
         "the matrix is more than L2 holds: the next use of it fetches it from L3 again",
         "smaller types, fewer rows at a time (tiles over d_ff), or more threads: each has its "
         "rows "
         "in a L2 of its own",
         "if they came from L2"},
        {"unaligned", look_unaligned, CONFIDENCE_LOW,
         "an access of 64 bytes that does not begin at a multiple of 64 lies on two cache lines, "
         "and "
         "both are fetched (Intel 64 and IA-32 Architectures Optimization Reference Manual, on "
         "AVX-512)",
         "allocate operands at multiples of 64 bytes (aligned_alloc, posix_memalign), and keep "
         "rows "
         "at such strides",
         "not known: nothing where memory is waited for"},
        {"slower-variant", look_variant, CONFIDENCE_HIGH,
         "the library was built for older CPUs, or the better variant lies not where it is looked "
         "for",
         "OpenBLAS: a newer one, or OPENBLAS_CORETYPE=SkylakeX where the CPU has AVX-512; "
         "llama.cpp: "
         "build for this machine (GGML_NATIVE, or GGML_CPU_ALL_VARIANTS with GGML_BACKEND_DL), and "
         "look which libggml-cpu-*.so there are beside the one that was loaded",
         "not known: at most twice a step in ops that compute, nothing where memory is waited for"},
        {"fusion", look_fusion, CONFIDENCE_LOW,
         "what the first writes is read by the second alone, and travels through the caches for "
         "that",
         "a version of the engine, or a kernel, that does both in one pass",
         "if what lies between them were neither written nor read"},
};

_Static_assert(sizeof(rules) / sizeof(rules[0]) == EXPLAIN_RULES, "explain-rules.h says how many");

const char *explain_rule_id(size_t rule)
{
        return rules[rule].id;
}

void explain_rule(size_t rule, const struct facts *f, struct judgement *j)
{
        const struct rule *r = &rules[rule];
        struct look l = {.f = f, .j = j, .wall = NAN, .cost_ns = NAN, .share = NAN};

        r->look(&l);
        if (j->judged != JUDGED_YES)
                return;
        if ((l.whole ? f->run_ns : f->wall) / l.wall < EXPLAIN_GAIN_MIN) {
                j->factor = (l.whole ? f->run_ns : f->wall) / l.wall;
                judge_small(j);
                return;
        }
        judge_cost(j, f, l.cost_ns, l.share, "%s", l.cost);
        judge_cause(j, "%s", r->cause);
        judge_remedy(j, "%s", r->remedy);
        judge_gain(j, f, l.wall, "%s%s",
                   isnan(l.wall) && !strncmp(r->gain, "if ", 3) ? "not known: " : "", r->gain);
        judge_confidence(j, f, r->most);
}
