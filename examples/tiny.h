/* SPDX-License-Identifier: MIT */
/*
 * The inside of the small engine: a model builds graphs, a pool runs them, truth tells what was
 * done.
 */
#pragma once

#include "tinykernels.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

struct tiny_shape {
        int dim;
        int n_layers;
        int n_heads;
        int head_dim;
        int hidden;
        int vocab;
        int n_ctx;   /* positions there is room for */
        int n_batch; /* most tokens in one pass */
};

/* One call of a kernel on every worker. Unused members are zero. */
struct tiny_op {
        enum tk_kernel kernel;
        float *dst;
        const float *a, *b, *c;
        int n_out, n_in;
        int n_heads, head_dim;
        int pos, n_tok;
};

struct tiny_model;

struct tiny_model *tiny_model_new(const struct tiny_shape *shape, uint64_t seed);
/* Another of the same weights, or a copy of them, with a cache and buffers of its own; it goes
 * first. */
struct tiny_model *tiny_model_twin(const struct tiny_model *model, bool own_weights);
struct tiny_model *tiny_model_free(struct tiny_model *model);
/* The pass over n_tok tokens at position pos: its ops, in order. Valid until the next call. */
int tiny_model_graph(struct tiny_model *model, const int *tokens, int n_tok, int pos,
                     const struct tiny_op **ret_ops);
/* After the graph ran: logits of the pass's last token, `vocab` of them, to be overwritten at will.
 */
float *tiny_model_logits(struct tiny_model *model);
/* Bytes of keys and values of one token, and the rows at position pos. */
size_t tiny_model_kv_bytes(const struct tiny_model *model);
void tiny_model_kv(const struct tiny_model *model, int pos, void *ret_rows);
/* An op for `kernel` on the model's own buffers, small and always the same. */
struct tiny_op tiny_model_sample_op(struct tiny_model *model, enum tk_kernel kernel);

enum tiny_spawn {
        TINY_SPAWN_POOL, /* threads - 1 workers for the whole run; the caller is worker 0 */
        TINY_SPAWN_OP,   /* each op creates and joins a thread for each worker */
};

/* What the threads' clocks said; see tiny-ledger.c. Threads are not workers: with TINY_SPAWN_OP,
 * thread 0 is the caller, and worker i thread i + 1. */
struct tiny_ledger {
        bool on;
        bool coarse; /* each thread has passes of its own */
        int n_threads, n_passes;
        int n_tokens;            /* of a text: every so many passes, there is a prefill */
        struct tk_clock *clocks; /* of each thread */
        uint64_t *rows;   /* [thread][pass][row]; one pass more than there is: what comes after */
        uint32_t *spawns; /* [pass] */
        uint64_t *delays; /* [thread]; ns that it could have run and had no CPU */
        int pass;         /* under way, or to come. Written by thread 0 alone, */
        uint64_t passed;  /* as is this: when the one before it ended */
        uint64_t start, start_ns;
};

/* That of the engine's first thread. */
extern struct tk_clock *tiny_clock;

void tiny_ledger_init(struct tiny_ledger *l, bool on, int n_threads, int n_texts, int n_tokens);
/* A thread begins, and ends. */
void tiny_ledger_begin(struct tiny_ledger *l, int thread, enum tk_row row);
void tiny_ledger_end(struct tiny_ledger *l, int thread);
/* A thread that is there for more than an op has begun, and is about to end. */
void tiny_ledger_delay(struct tiny_ledger *l, int thread);
/* The thread is outside, and its time goes to `pass` from now on. */
void tiny_ledger_go(struct tiny_ledger *l, int thread, int pass);
/* Thread 0 ends a pass for all; the others follow when they have been woken. */
void tiny_ledger_next(struct tiny_ledger *l);
void tiny_ledger_follow(struct tiny_ledger *l, int thread);
void tiny_ledger_spawned(struct tiny_ledger *l);

/* Barriers of one worker after ops of one kernel. */
struct tiny_meet {
        uint64_t n;
        uint64_t last;  /* of these: it was the last to come. With a ledger only; as is this: */
        uint64_t ticks; /* waited */
};

struct tiny_meets {
        struct tiny_meet after[TK_N_KERNELS];
        uint64_t n; /* all, those before a list included */
};

struct tiny_pool {
        int n_threads;
        enum tiny_spawn spawn;
        struct tk_ctx *ctx; /* one for each worker; [0] is the caller's */
        struct tiny_meets *meets;
        struct tiny_ledger *ledger;
        struct tk_shared shared;
        bool lock; /* after each op all take the shared mutex */
        uint64_t n_spawns, n_joins;
        /* the rest is the pool's own */
        size_t scratch_bytes;
        struct tiny_task *tasks;
        pthread_barrier_t barrier;
        _Atomic uint64_t n_arrived;
        void (*job)(void *arg, int ith);
        void *job_arg;
        const struct tiny_op *ops;
        int n_ops;
        uint64_t repeat;
        bool quit;
};

struct tiny_pool_setup {
        int n_threads;
        enum tiny_spawn spawn;
        bool alone;         /* no op is split: each worker does all of what it does */
        int locks;          /* times that the shared mutex is taken after each op */
        int imbalance;      /* times that worker 0 does its part of each tk_matmul */
        struct tk_ctx like; /* of it, the choices alone are taken: alloc, keep, fail, stamp */
        size_t scratch_bytes;
};

void tiny_pool_init(struct tiny_pool *pool, const struct tiny_pool_setup *setup,
                    struct tiny_ledger *ledger);
/* Run the ops one after the other, each by all workers, `repeat` times each. */
void tiny_pool_run(struct tiny_pool *pool, const struct tiny_op *ops, int n_ops, uint64_t repeat);
/* All workers of a pool for the run do `job`, each once, at the same time. */
void tiny_pool_each(struct tiny_pool *pool, void (*job)(void *arg, int ith), void *arg);
/* The ops one after the other by one worker, from its own thread; nobody waits for anybody. */
void tiny_pool_alone(struct tiny_pool *pool, int ith, const struct tiny_op *ops, int n_ops);
/* All but the contexts, whose counts are still wanted: the caller's, to be freed. */
void tiny_pool_done(struct tiny_pool *pool);

/* One worker's part of an op. */
void tiny_op_run(struct tk_ctx *ctx, const struct tiny_op *op);

/* What the engine takes outside of all kernels; for its first thread only. */
extern struct tk_memory tiny_outside, tiny_classes[TK_SIZE_CLASSES];
void *tiny_malloc(size_t bytes);
void *tiny_calloc(size_t n, size_t bytes);
void tiny_free(void *p);

struct tiny_kv;
size_t tiny_kv_block_bytes(size_t bytes); /* what is asked for */
struct tiny_kv *tiny_kv_grow(struct tiny_kv *head, const void *rows, size_t bytes);
void tiny_kv_free(struct tiny_kv *head);

/* n blocks through tiny_mixed_alloc, and about as many gone; in the end those that do not stay go.
 */
extern struct tk_memory tiny_mixed;
void *tiny_mixed_alloc(size_t bytes);
void tiny_mixed_step(uint64_t *rng, int n);
void tiny_mixed_end(void);

struct tiny_truth {
        uint64_t n_sleeps;
        uint64_t n_tokens;
        uint64_t n_prompt_tokens;
        uint64_t wall_ns;
        uint64_t cpu_ns;             /* of all threads, while kernels were run */
        uint64_t kv_bytes_per_token; /* as asked for; 0: the cache does not grow */
        int n_threads;
};

/* These merge the counts of all contexts. 0 or a negative errno. */
int tiny_truth_write(const char *path, const struct tiny_truth *truth,
                     const struct tiny_pool *pool);
int tiny_ledger_write(const char *path, const struct tiny_pool *pool);
int tiny_spans_write(const char *path, const struct tk_ctx *ctx, int n_ctx);
