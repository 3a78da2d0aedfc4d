/* SPDX-License-Identifier: MIT */
/*
 * Every exported kernel takes the context of the calling worker: which part of the work is its own,
 * where scratch memory comes from, and where it counts what it did. A context belongs to one thread
 * at a time, so nothing in it is shared and no count is ever lost.
 */
#pragma once

#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum tk_kernel {
        TK_MATMUL,
        TK_RMSNORM,
        TK_SOFTMAX,
        TK_ATTENTION,
        TK_ROPE,
        TK_SWIGLU,
        TK_ADD,
        TK_VEC_DOT,
        TK_VEC_MAD,
        TK_NOP,
        TK_GATHER,
        TK_N_KERNELS,
};

/* What a thread's time goes to. */
enum tk_row {
        TK_ROW_COMPUTE, /* in kernels, without what follows */
        TK_ROW_BARRIER, /* waits */
        TK_ROW_LOCK,
        TK_ROW_JOIN,
        TK_ROW_SLEEP,
        TK_ROW_ALLOC,   /* in malloc, calloc, aligned_alloc and free */
        TK_ROW_SPAWN,   /* in pthread_create */
        TK_ROW_OUTSIDE, /* outside of passes: graphs, sampling, printing */
        TK_ROW_PASS,    /* in a pass, and none of these */
        TK_N_ROWS,
};

/*
 * A thread's clock of rows: its time goes to one of them at any moment, so that they sum up to all
 * of it, and a change of row costs one stamp. It stands still where `rows` is NULL.
 */
struct tk_clock {
        uint64_t *rows; /* ticks, TK_N_ROWS of them */
        uint64_t last;  /* when the row began */
        enum tk_row row;
};

enum tk_alloc {
        TK_ALLOC_NONE,  /* scratch is the context's own, set up beforehand */
        TK_ALLOC_OP,    /* one malloc-family call for each call of a kernel that needs scratch */
        TK_ALLOC_ARENA, /* taken from the context's arena, which is emptied when the kernel ends */
};

#define TK_SIZE_CLASSES 48 /* class i: usable bytes from 2^i up to 2^(i+1) - 1 */

struct tk_memory {
        uint64_t calls;
        uint64_t asked; /* bytes */
        uint64_t usable;
        uint64_t frees;
        uint64_t freed; /* usable bytes */
        uint64_t failed;
};

/* flops and bytes include the inner kernels a kernel calls; memory is its own alone. */
struct tk_count {
        uint64_t calls;
        uint64_t flops;
        uint64_t bytes;
        struct tk_memory memory;
};

/* Durations of the calls of one kernel, all of them, in memory that malloc knows nothing about. */
struct tk_spans {
        uint64_t *ns;
        size_t n;
        size_t room;
};

/* What all workers count in together, one at a time. */
struct tk_shared {
        pthread_mutex_t mutex;
        int times; /* that a call of tk_gather takes the mutex */
        uint64_t sum;
};

struct tk_ctx {
        int ith; /* this worker's part of the work, */
        int nth; /* of so many */
        enum tk_alloc alloc;
        uint64_t keep; /* with TK_ALLOC_OP, each keep-th scratch block is never freed; 0: none */
        uint64_t fail; /* and before each fail-th one, more is asked for than there is */
        size_t alloc_bytes; /* and none is smaller than this */
        uint64_t n_heap;    /* scratch blocks so far */
        int times;          /* this worker does its part of each tk_matmul so many times over */
        int slow_percent;   /* of the outputs of tk_matmul are made once more */
        uint64_t owed;      /* hundredths of an output of these */
        int stamp;          /* stamp each call? */
        char *scratch;
        size_t scratch_bytes;
        size_t scratch_used;
        struct tk_clock *clock; /* of the thread that has this context */
        struct tk_shared *shared;
        uint64_t n_locks, n_contended; /* of the mutex: taken, and not to be had at once */
        struct tk_count count[TK_N_KERNELS];
        uint64_t ticks[TK_N_KERNELS]; /* of calls by the engine, by its clock: in row COMPUTE */
        struct tk_memory classes[TK_SIZE_CLASSES];
        struct tk_spans spans[TK_N_KERNELS];
};

extern const char *const tk_kernel_names[TK_N_KERNELS];

/* dst[t][r] = w[r] . x[t]: n_out rows of n_in, for n_tok tokens; rows are split over the workers */
void tk_matmul(struct tk_ctx *ctx, float *dst, const float *w, const float *x, int n_out, int n_in,
               int n_tok);
/* dst[t] = x[t] / rms(x[t]) * w; tokens are split */
void tk_rmsnorm(struct tk_ctx *ctx, float *dst, const float *x, const float *w, int dim, int n_tok);
/* x = softmax(x), in place, by the caller alone */
void tk_softmax(struct tk_ctx *ctx, float *x, int n);
/* Causal attention of n_tok queries at positions pos.. over the cached keys and values. All rows
 * are n_heads * head_dim wide; (token, head) pairs are split over the workers. */
void tk_attention(struct tk_ctx *ctx, float *dst, const float *q, const float *k_cache,
                  const float *v_cache, int n_heads, int head_dim, int pos, int n_tok);
/* rotate pairs of x in place by position; tokens are split */
void tk_rope(struct tk_ctx *ctx, float *x, int n_heads, int head_dim, int pos, int n_tok);
/* gate = silu(gate) * up; tokens are split */
void tk_swiglu(struct tk_ctx *ctx, float *gate, const float *up, int dim, int n_tok);
/* dst += x; tokens are split */
void tk_add(struct tk_ctx *ctx, float *dst, const float *x, int dim, int n_tok);
float tk_vec_dot(struct tk_ctx *ctx, const float *a, const float *b, int n);
/* dst += x * s */
void tk_vec_mad(struct tk_ctx *ctx, float *dst, const float *x, float s, int n);
void tk_nop(struct tk_ctx *ctx);
/* Add to the shared sum, under the mutex, ctx->shared->times times. */
void tk_gather(struct tk_ctx *ctx);

/* A pass over a prompt, and one that makes a token: they run it, and do nothing else. That they are
 * called says which it is. */
void tp_prefill(void (*pass)(void *), void *arg);
void tp_decode(void (*pass)(void *), void *arg);

/* A block that came, or NULL that came instead of one: to be counted with its maker and its class.
 */
static inline void *tk_took(struct tk_memory *of, struct tk_memory *classes, void *p, size_t asked)
{
        size_t usable = malloc_usable_size(p);
        struct tk_memory *class;

        if (!p) {
                of->failed++;
                return p;
        }
        class = &classes[63 - __builtin_clzll(usable)];
        of->calls++;
        of->asked += asked;
        of->usable += usable;
        class->calls++;
        class->asked += asked;
        class->usable += usable;
        return p;
}

/* A block about to be freed, or NULL. */
static inline void *tk_gave(struct tk_memory *of, struct tk_memory *classes, void *p)
{
        size_t usable = malloc_usable_size(p);

        if (!p)
                return p;
        of->frees++;
        of->freed += usable;
        classes[63 - __builtin_clzll(usable)].frees++;
        return p;
}

uint64_t tk_now_ns(void);

static inline uint64_t tk_ticks(void)
{
#ifdef __x86_64__
        return __builtin_ia32_rdtsc();
#else
        return tk_now_ns();
#endif
}

/* From now on the thread's time goes to `row`. Returns the one it went to. */
static inline enum tk_row tk_turn(struct tk_clock *c, enum tk_row row)
{
        enum tk_row was = c->row;

        if (c->rows) {
                uint64_t now = tk_ticks();

                c->rows[was] += now - c->last;
                c->last = now;
        }
        c->row = row;
        return was;
}

void tk_spans_add(struct tk_spans *spans, uint64_t ns);

/* Run `call`, a call of kernel `id`, and stamp it where the context asks for that. */
#define TK_CALL(ctx, id, call)                                                                     \
        do {                                                                                       \
                if ((ctx)->stamp) {                                                                \
                        uint64_t tk_t0_ = tk_now_ns();                                             \
                        call;                                                                      \
                        tk_spans_add(&(ctx)->spans[id], tk_now_ns() - tk_t0_);                     \
                } else {                                                                           \
                        call;                                                                      \
                }                                                                                  \
        } while (0)
