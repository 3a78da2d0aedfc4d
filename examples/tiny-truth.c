/* SPDX-License-Identifier: MIT */
/*
 * What the engine counted about itself, as JSON. Nothing is sampled or estimated: each worker's own
 * counts are added up once all have ended.
 */
#include "tiny.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int close_file(FILE *f)
{
        int failed = ferror(f);

        if (fclose(f) != 0 || failed)
                return -EIO;
        return 0;
}

static void add_memory(struct tk_memory *sum, const struct tk_memory *m)
{
        sum->calls += m->calls;
        sum->asked += m->asked;
        sum->usable += m->usable;
        sum->frees += m->frees;
        sum->freed += m->freed;
        sum->failed += m->failed;
}

static struct tk_count merged(const struct tk_ctx *ctx, int n_ctx, int kernel)
{
        struct tk_count sum = {0};

        for (int i = 0; i < n_ctx; i++) {
                const struct tk_count *c = &ctx[i].count[kernel];
                sum.calls += c->calls;
                sum.flops += c->flops;
                sum.bytes += c->bytes;
                add_memory(&sum.memory, &c->memory);
        }
        return sum;
}

/* Members of an object that is open. */
static void write_memory(FILE *f, const struct tk_memory *m)
{
        fprintf(f,
                "\"alloc_calls\": %ju, \"alloc_bytes\": %ju, \"usable_bytes\": %ju, "
                "\"free_calls\": %ju, \"freed_bytes\": %ju, \"failed_calls\": %ju, "
                "\"live_objects\": %ju, \"live_bytes\": %ju",
                (uintmax_t)m->calls, (uintmax_t)m->asked, (uintmax_t)m->usable, (uintmax_t)m->frees,
                (uintmax_t)m->freed, (uintmax_t)m->failed, (uintmax_t)(m->calls - m->frees),
                (uintmax_t)(m->usable - m->freed));
}

static void write_kernels(FILE *f, const struct tk_ctx *ctx, int n_ctx)
{
        const char *comma = "";

        fprintf(f, "\"kernels\": {");
        for (int k = 0; k < TK_N_KERNELS; k++) {
                struct tk_count c = merged(ctx, n_ctx, k);
                if (!c.calls)
                        continue;
                fprintf(f, "%s\n  \"%s\": {\"calls\": %ju, \"flops\": %ju, \"bytes\": %ju, ", comma,
                        tk_kernel_names[k], (uintmax_t)c.calls, (uintmax_t)c.flops,
                        (uintmax_t)c.bytes);
                write_memory(f, &c.memory);
                fprintf(f, "}");
                comma = ",";
        }
        fprintf(f, "}");
}

static struct tk_memory of_worker(const struct tk_ctx *ctx)
{
        struct tk_memory sum = {0};

        for (int k = 0; k < TK_N_KERNELS; k++)
                add_memory(&sum, &ctx->count[k].memory);
        return sum;
}

/* The first worker is the engine's own thread. */
static void write_workers(FILE *f, const struct tk_ctx *ctx, int n_ctx)
{
        fprintf(f, ",\n \"workers\": [");
        for (int i = 0; i < n_ctx; i++) {
                struct tk_memory sum = of_worker(&ctx[i]);
                fprintf(f, "%s\n  {", i ? "," : "");
                write_memory(f, &sum);
                fprintf(f, "}");
        }
        fprintf(f, "]");
}

static void write_classes(FILE *f, const struct tk_ctx *ctx, int n_ctx)
{
        const char *comma = "";

        fprintf(f, ",\n \"size_classes\": [");
        for (int c = 0; c < TK_SIZE_CLASSES; c++) {
                struct tk_memory sum = tiny_classes[c];
                for (int i = 0; i < n_ctx; i++)
                        add_memory(&sum, &ctx[i].classes[c]);
                if (!sum.calls && !sum.frees)
                        continue;
                fprintf(f,
                        "%s\n  {\"from_bytes\": %ju, \"calls\": %ju, \"asked_bytes\": %ju, "
                        "\"usable_bytes\": %ju, \"frees\": %ju}",
                        comma, (uintmax_t)1 << c, (uintmax_t)sum.calls, (uintmax_t)sum.asked,
                        (uintmax_t)sum.usable, (uintmax_t)sum.frees);
                comma = ",";
        }
        fprintf(f, "]");
}

static void write_total(FILE *f, const struct tk_ctx *ctx, int n_ctx)
{
        struct tk_memory sum = tiny_outside;

        for (int i = 0; i < n_ctx; i++) {
                struct tk_memory worker = of_worker(&ctx[i]);
                add_memory(&sum, &worker);
        }
        fprintf(f, ",\n \"memory\": {");
        write_memory(f, &sum);
        fprintf(f, "},\n \"outside\": {");
        write_memory(f, &tiny_outside);
        fprintf(f, "},\n \"functions\": {\"tiny_mixed_alloc\": {");
        write_memory(f, &tiny_mixed);
        fprintf(f, "}}");
}

/* Waits as a caller counts them: each call of a barrier, a join, a sleep; of locks, those that were
 * not to be had at once. */
static void write_waits(FILE *f, const struct tiny_truth *truth, const struct tiny_pool *pool)
{
        uint64_t barriers = 0, locks = 0, contended = 0;

        for (int i = 0; i < pool->n_threads; i++) {
                barriers += pool->meets[i].n;
                locks += pool->ctx[i].n_locks;
                contended += pool->ctx[i].n_contended;
        }
        fprintf(f,
                ",\n \"waits\": {\"barrier\": %ju, \"join\": %ju, \"sleep\": %ju, \"mutex\": %ju}, "
                "\"locks\": %ju",
                (uintmax_t)barriers, (uintmax_t)pool->n_joins, (uintmax_t)truth->n_sleeps,
                (uintmax_t)contended, (uintmax_t)locks);
}

int tiny_truth_write(const char *path, const struct tiny_truth *truth, const struct tiny_pool *pool)
{
        const struct tk_ctx *ctx = pool->ctx;
        int n_ctx = pool->n_threads;
        FILE *f = fopen(path, "we");

        if (!f)
                return -errno;
        fprintf(f, "{");
        write_kernels(f, ctx, n_ctx);
        write_workers(f, ctx, n_ctx);
        write_classes(f, ctx, n_ctx);
        write_total(f, ctx, n_ctx);
        write_waits(f, truth, pool);
        fprintf(f,
                ",\n \"spawns\": %ju, \"tokens\": %ju, \"prompt_tokens\": %ju, \"wall_ns\": %ju, "
                "\"cpu_ns\": %ju, \"threads\": %d, \"kv_bytes_per_token\": %ju}\n",
                (uintmax_t)pool->n_spawns, (uintmax_t)truth->n_tokens,
                (uintmax_t)truth->n_prompt_tokens, (uintmax_t)truth->wall_ns,
                (uintmax_t)truth->cpu_ns, truth->n_threads, (uintmax_t)truth->kv_bytes_per_token);
        return close_file(f);
}

static int compare_ns(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

/* The value below which a fraction q of the sorted values lies: nearest rank. */
static uint64_t quantile(const struct tk_spans *s, double q)
{
        size_t rank = (size_t)ceil(q * (double)s->n);

        return s->ns[rank ? rank - 1 : 0];
}

static void write_spans(FILE *f, const char *comma, const char *name, const struct tk_spans *s)
{
        uint64_t total = 0;

        for (size_t i = 0; i < s->n; i++)
                total += s->ns[i];
        qsort(s->ns, s->n, sizeof(*s->ns), compare_ns);
        fprintf(f,
                "%s\n  \"%s\": {\"count\": %zu, \"total_ns\": %ju, \"min_ns\": %ju, \"max_ns\": "
                "%ju, "
                "\"p50_ns\": %ju, \"p95_ns\": %ju, \"p99_ns\": %ju}",
                comma, name, s->n, (uintmax_t)total, (uintmax_t)s->ns[0],
                (uintmax_t)s->ns[s->n - 1], (uintmax_t)quantile(s, 0.5),
                (uintmax_t)quantile(s, 0.95), (uintmax_t)quantile(s, 0.99));
}

int tiny_spans_write(const char *path, const struct tk_ctx *ctx, int n_ctx)
{
        FILE *f = fopen(path, "we");
        const char *comma = "";

        if (!f)
                return -errno;
        fprintf(f, "{\"kernels\": {");
        for (int k = 0; k < TK_N_KERNELS; k++) {
                struct tk_spans all = {0};
                for (int i = 0; i < n_ctx; i++)
                        for (size_t j = 0; j < ctx[i].spans[k].n; j++)
                                tk_spans_add(&all, ctx[i].spans[k].ns[j]);
                if (!all.n)
                        continue;
                write_spans(f, comma, tk_kernel_names[k], &all);
                comma = ",";
        }
        fprintf(f, "}}\n");
        return close_file(f);
}
