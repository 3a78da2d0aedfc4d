/* SPDX-License-Identifier: MIT */
/*
 * The kernels of the small engine, in a library of their own and called through the PLT, from the
 * engine and from each other, as those of a real engine are. Plain loops: what matters is not their
 * speed but that each call counts its work, exactly, in the caller's context. The arithmetic of one
 * output does not depend on how the work is split, so results are the same for any number of
 * workers.
 */
#include "tinykernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const tk_kernel_names[TK_N_KERNELS] = {
        "tk_matmul", "tk_rmsnorm", "tk_softmax", "tk_attention", "tk_rope",   "tk_swiglu",
        "tk_add",    "tk_vec_dot", "tk_vec_mad", "tk_nop",       "tk_gather",
};

enum { GATHER_STEPS = 300 }; /* in a hold of the shared mutex: some hundred ns */

struct scratch {
        char *heap; /* or NULL */
        int keep;   /* not to be freed */
        size_t mark;
};

/* Asked at every few calls, so that there are failures to count. */
static void ask_too_much(struct tk_ctx *ctx, struct tk_memory *of)
{
        size_t bytes = PTRDIFF_MAX;
        void *p;

        __asm__("" : "+r"(bytes)); /* no compiler may know better */
        p = malloc(bytes);
        free(tk_took(of, ctx->classes, p, bytes));
}

/* Which member of the malloc family serves a kernel differs, so that all of them are met. */
static void *heap_take(struct tk_ctx *ctx, enum tk_kernel id, size_t bytes)
{
        struct tk_memory *of = &ctx->count[id].memory;
        enum tk_row was = tk_turn(ctx->clock, TK_ROW_ALLOC);
        void *p;

        if (bytes < ctx->alloc_bytes)
                bytes = ctx->alloc_bytes;
        ctx->n_heap++;
        if (ctx->fail && ctx->n_heap % ctx->fail == 0)
                ask_too_much(ctx, of);
        if (id == TK_ATTENTION) {
                bytes &= ~(sizeof(float) - 1);
                p = calloc(bytes / sizeof(float), sizeof(float));
        } else if (id == TK_SWIGLU) {
                bytes = (bytes + 63) & ~(size_t)63;
                p = aligned_alloc(64, bytes);
        } else {
                p = malloc(bytes);
        }
        tk_turn(ctx->clock, was);
        if (!p)
                abort();
        return tk_took(of, ctx->classes, p, bytes);
}

/* Scratch for one call of `id`. */
static void *scratch_take(struct tk_ctx *ctx, enum tk_kernel id, size_t bytes, struct scratch *s)
{
        s->heap = NULL;
        s->mark = ctx->scratch_used;
        if (ctx->alloc == TK_ALLOC_OP) {
                s->heap = heap_take(ctx, id, bytes);
                s->keep = ctx->keep && ctx->n_heap % ctx->keep == 0;
                return s->heap;
        }
        if (ctx->scratch_used + bytes > ctx->scratch_bytes)
                abort();
        char *p = ctx->scratch + ctx->scratch_used;
        ctx->scratch_used += (bytes + 63) & ~(size_t)63;
        return p;
}

static void scratch_give(struct tk_ctx *ctx, enum tk_kernel id, struct scratch *s)
{
        if (s->heap && !s->keep) {
                enum tk_row was = tk_turn(ctx->clock, TK_ROW_ALLOC);

                free(tk_gave(&ctx->count[id].memory, ctx->classes, s->heap));
                tk_turn(ctx->clock, was);
        }
        ctx->scratch_used = s->mark;
}

static struct tk_count *enter(struct tk_ctx *ctx, enum tk_kernel id)
{
        ctx->count[id].calls++;
        return &ctx->count[id];
}

/* The worker's share [*ret_from, *ret_to) of n items. */
static void share(const struct tk_ctx *ctx, int n, int *ret_from, int *ret_to)
{
        *ret_from = (int)((int64_t)n * ctx->ith / ctx->nth);
        *ret_to = (int)((int64_t)n * (ctx->ith + 1) / ctx->nth);
}

static void count_work(struct tk_count *c, uint64_t flops, uint64_t floats)
{
        c->flops += flops;
        c->bytes += floats * sizeof(float);
}

float tk_vec_dot(struct tk_ctx *ctx, const float *a, const float *b, int n)
{
        float sum[8] = {0};

        count_work(enter(ctx, TK_VEC_DOT), 2 * (uint64_t)n, 2 * (uint64_t)n);
        for (int i = 0; i + 8 <= n; i += 8)
                for (int j = 0; j < 8; j++)
                        sum[j] += a[i + j] * b[i + j];
        for (int i = n & ~7; i < n; i++)
                sum[0] += a[i] * b[i];
        return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

void tk_vec_mad(struct tk_ctx *ctx, float *dst, const float *x, float s, int n)
{
        count_work(enter(ctx, TK_VEC_MAD), 2 * (uint64_t)n, 3 * (uint64_t)n);
        for (int i = 0; i < n; i++)
                dst[i] += x[i] * s;
}

/* How many of `n` outputs are to be made once more, so that over all calls it is the percentage
 * asked for, exactly. */
static int slower(struct tk_ctx *ctx, int n)
{
        int again;

        ctx->owed += (uint64_t)n * (uint64_t)ctx->slow_percent;
        again = (int)(ctx->owed / 100);
        ctx->owed %= 100;
        return again;
}

void tk_matmul(struct tk_ctx *ctx, float *dst, const float *w, const float *x, int n_out, int n_in,
               int n_tok)
{
        struct tk_count *c = enter(ctx, TK_MATMUL);
        size_t x_floats = (size_t)n_tok * n_in;
        struct scratch s;
        float *packed = scratch_take(ctx, TK_MATMUL, x_floats * sizeof(float), &s);
        int from, to, again;

        share(ctx, n_out, &from, &to);
        memcpy(packed, x, x_floats * sizeof(float));
        for (int i = 0; i < ctx->times; i++)
                for (int t = 0; t < n_tok; t++)
                        for (int r = from; r < to; r++)
                                TK_CALL(ctx, TK_VEC_DOT,
                                        dst[(size_t)t * n_out + r] =
                                                tk_vec_dot(ctx, w + (size_t)r * n_in,
                                                           packed + (size_t)t * n_in, n_in));
        again = slower(ctx, (to - from) * n_tok);
        for (int i = 0; i < again; i++) {
                size_t t = (size_t)(i / (to - from) % n_tok), r = (size_t)(from + i % (to - from));

                TK_CALL(ctx, TK_VEC_DOT,
                        dst[t * n_out + r] =
                                tk_vec_dot(ctx, w + r * n_in, packed + t * n_in, n_in));
        }
        uint64_t rows = (uint64_t)(to - from) * ctx->times;
        count_work(c, 2 * rows * n_in * n_tok, rows * n_in + x_floats + rows * n_tok);
        count_work(c, 2 * (uint64_t)again * n_in, (uint64_t)again * (n_in + 1));
        scratch_give(ctx, TK_MATMUL, &s);
}

void tk_rmsnorm(struct tk_ctx *ctx, float *dst, const float *x, const float *w, int dim, int n_tok)
{
        struct tk_count *c = enter(ctx, TK_RMSNORM);
        int from, to;

        share(ctx, n_tok, &from, &to);
        for (int t = from; t < to; t++) {
                const float *in = x + (size_t)t * dim;
                float *out = dst + (size_t)t * dim;
                float sum = 0;
                for (int i = 0; i < dim; i++)
                        sum += in[i] * in[i];
                float scale = 1.0f / sqrtf(sum / (float)dim + 1e-5f);
                for (int i = 0; i < dim; i++)
                        out[i] = in[i] * scale * w[i];
        }
        uint64_t n = (uint64_t)(to - from) * dim;
        count_work(c, 4 * n, 3 * n);
}

void tk_softmax(struct tk_ctx *ctx, float *x, int n)
{
        struct tk_count *c = enter(ctx, TK_SOFTMAX);
        struct scratch s;
        float *e = scratch_take(ctx, TK_SOFTMAX, (size_t)n * sizeof(float), &s);
        float max = x[0], sum = 0;

        for (int i = 1; i < n; i++)
                max = x[i] > max ? x[i] : max;
        for (int i = 0; i < n; i++) {
                e[i] = expf(x[i] - max);
                sum += e[i];
        }
        for (int i = 0; i < n; i++)
                x[i] = e[i] / sum;
        count_work(c, 4 * (uint64_t)n, 2 * (uint64_t)n);
        scratch_give(ctx, TK_SOFTMAX, &s);
}

/* One query of one head over `n` cached rows. */
static void attend(struct tk_ctx *ctx, float *dst, const float *q, const float *k, const float *v,
                   float *scores, int n, int head_dim, int stride)
{
        float scale = 1.0f / sqrtf((float)head_dim);

        for (int j = 0; j < n; j++) {
                TK_CALL(ctx, TK_VEC_DOT,
                        scores[j] = tk_vec_dot(ctx, q, k + (size_t)j * stride, head_dim));
                scores[j] *= scale;
        }
        TK_CALL(ctx, TK_SOFTMAX, tk_softmax(ctx, scores, n));
        memset(dst, 0, (size_t)head_dim * sizeof(float));
        for (int j = 0; j < n; j++)
                TK_CALL(ctx, TK_VEC_MAD,
                        tk_vec_mad(ctx, dst, v + (size_t)j * stride, scores[j], head_dim));
}

void tk_attention(struct tk_ctx *ctx, float *dst, const float *q, const float *k_cache,
                  const float *v_cache, int n_heads, int head_dim, int pos, int n_tok)
{
        struct tk_count *c = enter(ctx, TK_ATTENTION);
        int stride = n_heads * head_dim, from, to;
        struct scratch s;
        float *scores = scratch_take(ctx, TK_ATTENTION, (size_t)(pos + n_tok) * sizeof(float), &s);

        share(ctx, n_tok * n_heads, &from, &to);
        for (int i = from; i < to; i++) {
                int t = i / n_heads, n = pos + t + 1;
                size_t head = (size_t)(i % n_heads) * head_dim;
                size_t row = (size_t)t * stride + head;

                attend(ctx, dst + row, q + row, k_cache + head, v_cache + head, scores, n, head_dim,
                       stride);
                count_work(c, 4 * (uint64_t)n * head_dim + 5 * (uint64_t)n,
                           2 * (uint64_t)n * head_dim + 2 * (uint64_t)head_dim);
        }
        scratch_give(ctx, TK_ATTENTION, &s);
}

void tk_rope(struct tk_ctx *ctx, float *x, int n_heads, int head_dim, int pos, int n_tok)
{
        struct tk_count *c = enter(ctx, TK_ROPE);
        int half = head_dim / 2, from, to;
        struct scratch s;
        float *angle = scratch_take(ctx, TK_ROPE, (size_t)head_dim * sizeof(float), &s);

        share(ctx, n_tok, &from, &to);
        for (int t = from; t < to; t++) {
                for (int i = 0; i < half; i++) {
                        float a = (float)(pos + t) *
                                  powf(10000.0f, -2.0f * (float)i / (float)head_dim);
                        angle[2 * i] = cosf(a);
                        angle[2 * i + 1] = sinf(a);
                }
                for (int h = 0; h < n_heads; h++) {
                        float *p = x + ((size_t)t * n_heads + h) * head_dim;
                        for (int i = 0; i < half; i++) {
                                float re = p[2 * i], im = p[2 * i + 1];
                                p[2 * i] = re * angle[2 * i] - im * angle[2 * i + 1];
                                p[2 * i + 1] = re * angle[2 * i + 1] + im * angle[2 * i];
                        }
                }
        }
        uint64_t n = (uint64_t)(to - from) * n_heads * head_dim;
        count_work(c, 3 * n, 2 * n);
        scratch_give(ctx, TK_ROPE, &s);
}

void tk_swiglu(struct tk_ctx *ctx, float *gate, const float *up, int dim, int n_tok)
{
        struct tk_count *c = enter(ctx, TK_SWIGLU);
        struct scratch s;
        float *act = scratch_take(ctx, TK_SWIGLU, (size_t)dim * sizeof(float), &s);
        int from, to;

        share(ctx, n_tok, &from, &to);
        for (int t = from; t < to; t++) {
                float *g = gate + (size_t)t * dim;
                for (int i = 0; i < dim; i++)
                        act[i] = g[i] / (1.0f + expf(-g[i]));
                for (int i = 0; i < dim; i++)
                        g[i] = act[i] * up[(size_t)t * dim + i];
        }
        uint64_t n = (uint64_t)(to - from) * dim;
        count_work(c, 5 * n, 3 * n);
        scratch_give(ctx, TK_SWIGLU, &s);
}

void tk_add(struct tk_ctx *ctx, float *dst, const float *x, int dim, int n_tok)
{
        struct tk_count *c = enter(ctx, TK_ADD);
        int from, to;

        share(ctx, n_tok, &from, &to);
        for (size_t i = (size_t)from * dim; i < (size_t)to * dim; i++)
                dst[i] += x[i];
        uint64_t n = (uint64_t)(to - from) * dim;
        count_work(c, n, 3 * n);
}

void tk_nop(struct tk_ctx *ctx)
{
        ctx->count[TK_NOP].calls++;
}

/* Who finds the mutex taken asks again, and waits: so waits alone are counted and timed. */
static void take(struct tk_ctx *ctx)
{
        ctx->n_locks++;
        if (pthread_mutex_trylock(&ctx->shared->mutex) == 0)
                return;
        ctx->n_contended++;
        enum tk_row was = tk_turn(ctx->clock, TK_ROW_LOCK);

        pthread_mutex_lock(&ctx->shared->mutex);
        tk_turn(ctx->clock, was);
}

void tk_gather(struct tk_ctx *ctx)
{
        struct tk_count *c = enter(ctx, TK_GATHER);

        for (int i = 0; i < ctx->shared->times; i++) {
                take(ctx);
                uint64_t sum = ctx->shared->sum;
                for (int j = 0; j < GATHER_STEPS; j++)
                        sum = sum * 6364136223846793005u + 1;
                ctx->shared->sum = sum;
                pthread_mutex_unlock(&ctx->shared->mutex);
        }
        count_work(c, 2 * (uint64_t)GATHER_STEPS * ctx->shared->times, 0);
}

/* No tail calls: each has a frame while its pass goes on. */
__attribute__((noinline)) void tp_prefill(void (*pass)(void *), void *arg)
{
        pass(arg);
        __asm__ volatile("");
}

__attribute__((noinline)) void tp_decode(void (*pass)(void *), void *arg)
{
        pass(arg);
        __asm__ volatile("");
}
