/* SPDX-License-Identifier: MIT */
/*
 * Workers. All run the same list of ops, each its own part, and meet after every op. Either they
 * are created once and wait for the next list, or every op creates its own and joins them: the
 * second is what an engine should not do, and what a profiler should show.
 */
#include "tiny.h"

#include <stdlib.h>

struct tiny_task {
        struct tiny_pool *pool;
        const struct tiny_op *op;
        int ith;
        pthread_t thread;
};

/* One worker's part. In sample ops, which several workers repeat at once, results do not matter. */
void tiny_op_run(struct tk_ctx *ctx, const struct tiny_op *op)
{
        enum tk_kernel id = op->kernel;

        switch (id) {
        case TK_MATMUL:
                TK_CALL(ctx, id,
                        tk_matmul(ctx, op->dst, op->a, op->b, op->n_out, op->n_in, op->n_tok));
                break;
        case TK_RMSNORM:
                TK_CALL(ctx, id, tk_rmsnorm(ctx, op->dst, op->a, op->b, op->n_in, op->n_tok));
                break;
        case TK_SOFTMAX:
                TK_CALL(ctx, id, tk_softmax(ctx, op->dst, op->n_in));
                break;
        case TK_ATTENTION:
                TK_CALL(ctx, id,
                        tk_attention(ctx, op->dst, op->a, op->b, op->c, op->n_heads, op->head_dim,
                                     op->pos, op->n_tok));
                break;
        case TK_ROPE:
                TK_CALL(ctx, id,
                        tk_rope(ctx, op->dst, op->n_heads, op->head_dim, op->pos, op->n_tok));
                break;
        case TK_SWIGLU:
                TK_CALL(ctx, id, tk_swiglu(ctx, op->dst, op->a, op->n_in, op->n_tok));
                break;
        case TK_ADD:
                TK_CALL(ctx, id, tk_add(ctx, op->dst, op->a, op->n_in, op->n_tok));
                break;
        case TK_VEC_DOT:
                TK_CALL(ctx, id, (void)tk_vec_dot(ctx, op->a, op->b, op->n_in));
                break;
        case TK_VEC_MAD:
                TK_CALL(ctx, id, tk_vec_mad(ctx, op->dst, op->a, 0.5f, op->n_in));
                break;
        case TK_NOP:
        case TK_N_KERNELS:
                TK_CALL(ctx, TK_NOP, tk_nop(ctx));
                break;
        }
}

static void run_op(struct tiny_pool *pool, int ith, const struct tiny_op *op)
{
        struct tk_ctx *ctx = &pool->ctx[ith];

        for (uint64_t i = 0; i < pool->repeat; i++)
                tiny_op_run(ctx, op);
}

static void name_thread(int ith)
{
        char name[16];

        snprintf(name, sizeof(name), "tiny-%d", ith);
        pthread_setname_np(pthread_self(), name);
}

static void *op_thread(void *arg)
{
        struct tiny_task *task = arg;

        name_thread(task->ith);
        run_op(task->pool, task->ith, task->op);
        return NULL;
}

/* The caller may set up the next list as soon as it has passed the last barrier of this one. */
static void run_list(struct tiny_pool *pool, int ith)
{
        const struct tiny_op *ops = pool->ops;
        int n_ops = pool->n_ops;

        for (int i = 0; i < n_ops; i++) {
                run_op(pool, ith, &ops[i]);
                pthread_barrier_wait(&pool->barrier);
        }
}

static void *pool_thread(void *arg)
{
        struct tiny_task *task = arg;

        name_thread(task->ith);
        for (;;) {
                pthread_barrier_wait(&task->pool->barrier);
                if (task->pool->quit)
                        return NULL;
                run_list(task->pool, task->ith);
        }
}

static void spawn(struct tiny_pool *pool, struct tiny_task *task, void *(*entry)(void *))
{
        if (pthread_create(&task->thread, NULL, entry, task) != 0) {
                fprintf(stderr, "tinyengine: cannot create a thread\n");
                exit(1);
        }
        pool->n_spawns++;
}

void tiny_pool_init(struct tiny_pool *pool, int n_threads, enum tiny_spawn spawn_mode,
                    const struct tk_ctx *like, size_t scratch_bytes)
{
        *pool = (struct tiny_pool){
                .n_threads = n_threads,
                .spawn = spawn_mode,
                .scratch_bytes = scratch_bytes,
                .ctx = tiny_calloc(n_threads, sizeof(*pool->ctx)),
                .tasks = tiny_calloc(n_threads, sizeof(*pool->tasks)),
        };
        if (!pool->ctx || !pool->tasks)
                abort();
        for (int i = 0; i < n_threads; i++) {
                struct tk_ctx *ctx = &pool->ctx[i];

                pool->tasks[i] = (struct tiny_task){.pool = pool, .ith = i};
                *ctx = *like;
                ctx->ith = i;
                ctx->nth = n_threads;
                ctx->scratch_bytes = scratch_bytes;
                if (ctx->alloc == TK_ALLOC_NONE && !(ctx->scratch = tiny_malloc(scratch_bytes)))
                        abort();
        }
        pthread_barrier_init(&pool->barrier, NULL, n_threads);
        if (spawn_mode == TINY_SPAWN_POOL)
                for (int i = 1; i < n_threads; i++)
                        spawn(pool, &pool->tasks[i], pool_thread);
}

/* An arena lives from one list of ops to the next and is set up outside of all kernels. */
static void renew_arenas(struct tiny_pool *pool)
{
        for (int i = 0; i < pool->n_threads; i++) {
                struct tk_ctx *ctx = &pool->ctx[i];

                if (ctx->alloc != TK_ALLOC_ARENA)
                        continue;
                tiny_free(ctx->scratch);
                if (!(ctx->scratch = tiny_malloc(pool->scratch_bytes)))
                        abort();
        }
}

void tiny_pool_run(struct tiny_pool *pool, const struct tiny_op *ops, int n_ops, uint64_t repeat)
{
        pool->ops = ops;
        pool->n_ops = n_ops;
        pool->repeat = repeat;
        renew_arenas(pool);
        if (pool->spawn == TINY_SPAWN_POOL) {
                pthread_barrier_wait(&pool->barrier);
                run_list(pool, 0);
        } else {
                for (int i = 0; i < n_ops; i++) {
                        for (int t = 0; t < pool->n_threads; t++) {
                                pool->tasks[t].op = &ops[i];
                                spawn(pool, &pool->tasks[t], op_thread);
                        }
                        for (int t = 0; t < pool->n_threads; t++)
                                pthread_join(pool->tasks[t].thread, NULL);
                }
        }
}

void tiny_pool_done(struct tiny_pool *pool)
{
        if (pool->spawn == TINY_SPAWN_POOL) {
                pool->quit = true;
                pthread_barrier_wait(&pool->barrier);
                for (int i = 1; i < pool->n_threads; i++)
                        pthread_join(pool->tasks[i].thread, NULL);
        }
        pthread_barrier_destroy(&pool->barrier);
        for (int i = 0; i < pool->n_threads; i++)
                tiny_free(pool->ctx[i].scratch);
        tiny_free(pool->tasks);
}
