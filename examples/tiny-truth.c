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

static struct tk_count merged(const struct tk_ctx *ctx, int n_ctx, int kernel)
{
        struct tk_count sum = {0};

        for (int i = 0; i < n_ctx; i++) {
                const struct tk_count *c = &ctx[i].count[kernel];
                sum.calls += c->calls;
                sum.flops += c->flops;
                sum.bytes += c->bytes;
                sum.alloc_calls += c->alloc_calls;
                sum.alloc_bytes += c->alloc_bytes;
                sum.free_calls += c->free_calls;
        }
        return sum;
}

int tiny_truth_write(const char *path, const struct tiny_truth *truth, const struct tk_ctx *ctx,
                     int n_ctx)
{
        FILE *f = fopen(path, "we");
        const char *comma = "";

        if (!f)
                return -errno;
        fprintf(f, "{\"kernels\": {");
        for (int k = 0; k < TK_N_KERNELS; k++) {
                struct tk_count c = merged(ctx, n_ctx, k);
                if (!c.calls)
                        continue;
                fprintf(f,
                        "%s\n  \"%s\": {\"calls\": %ju, \"flops\": %ju, \"bytes\": %ju, "
                        "\"alloc_calls\": %ju, \"alloc_bytes\": %ju, \"free_calls\": %ju}",
                        comma, tk_kernel_names[k], (uintmax_t)c.calls, (uintmax_t)c.flops,
                        (uintmax_t)c.bytes, (uintmax_t)c.alloc_calls, (uintmax_t)c.alloc_bytes,
                        (uintmax_t)c.free_calls);
                comma = ",";
        }
        fprintf(f,
                "},\n \"spawns\": %ju, \"tokens\": %ju, \"prompt_tokens\": %ju, \"wall_ns\": %ju, "
                "\"cpu_ns\": %ju, \"threads\": %d}\n",
                (uintmax_t)truth->n_spawns, (uintmax_t)truth->n_tokens,
                (uintmax_t)truth->n_prompt_tokens, (uintmax_t)truth->wall_ns,
                (uintmax_t)truth->cpu_ns, truth->n_threads);
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
