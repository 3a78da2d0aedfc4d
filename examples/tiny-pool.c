/* SPDX-License-Identifier: MIT */
/*
 * Workers. All run the same list of ops, each its own part, and meet after every op. Either they
 * are created once and wait for the next list, or every op creates its own and joins them: the
 * second is what an engine should not do, and what a profiler should show. Or each goes its own
 * way, and they meet at the end: what is best, where there is more than one thing to do.
 */
#include "tiny.h"

#include <stdatomic.h>
#include <stdlib.h>

struct tiny_task {
        struct tiny_pool *pool;
        const struct tiny_op *op;
        int ith;
        pthread_t thread;
};

/* One worker's part. In sample ops, which several workers repeat at once, results do not matter. */
static void call(struct tk_ctx *ctx, const struct tiny_op *op)
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
        case TK_GATHER:
                TK_CALL(ctx, id, tk_gather(ctx));
                break;
        case TK_NOP:
        case TK_N_KERNELS:
                TK_CALL(ctx, TK_NOP, tk_nop(ctx));
                break;
        }
}

void tiny_op_run(struct tk_ctx *ctx, const struct tiny_op *op)
{
        struct tk_clock *c = ctx->clock;
        uint64_t before = c->rows ? c->rows[TK_ROW_COMPUTE] : 0;
        enum tk_row was = tk_turn(c, TK_ROW_COMPUTE);

        call(ctx, op);
        tk_turn(c, was);
        if (c->rows)
                ctx->ticks[op->kernel] += c->rows[TK_ROW_COMPUTE] - before;
}

static void run_op(struct tiny_pool *pool, int ith, const struct tiny_op *op)
{
        static const struct tiny_op gather = {.kernel = TK_GATHER};
        struct tk_ctx *ctx = &pool->ctx[ith];

        for (uint64_t i = 0; i < pool->repeat; i++)
                tiny_op_run(ctx, op);
        if (pool->lock)
                tiny_op_run(ctx, &gather);
}

/* Who comes last waits for nobody: it wakes the others, which is time at the barrier, and no wait.
 * Who it is, is settled before the barrier, so that now and then another is the last at the barrier
 * itself. */
static bool is_last(struct tiny_pool *pool)
{
        uint64_t n = pool->n_threads;

        return pool->ledger->on && atomic_fetch_add(&pool->n_arrived, 1) % n == n - 1;
}

static void meet(struct tiny_pool *pool, int ith, struct tiny_meet *m)
{
        struct tk_clock *c = pool->ctx[ith].clock;
        bool last = is_last(pool);
        enum tk_row was = tk_turn(c, TK_ROW_BARRIER);
        uint64_t since = c->last;

        pool->meets[ith].n++;
        pthread_barrier_wait(&pool->barrier);
        tk_turn(c, was);
        m->n++;
        m->last += last;
        m->ticks += last ? 0 : c->last - since;
}

static int thread_of(const struct tiny_pool *pool, int ith)
{
        return pool->spawn == TINY_SPAWN_OP ? ith + 1 : ith;
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

        int thread = thread_of(task->pool, task->ith);

        tiny_ledger_begin(task->pool->ledger, thread, TK_ROW_PASS);
        name_thread(task->ith);
        run_op(task->pool, task->ith, task->op);
        tiny_ledger_end(task->pool->ledger, thread);
        return NULL;
}

static void run_list(void *arg, int ith)
{
        struct tiny_pool *pool = arg;
        const struct tiny_op *ops = pool->ops;
        int n_ops = pool->n_ops;

        for (int i = 0; i < n_ops; i++) {
                run_op(pool, ith, &ops[i]);
                meet(pool, ith, &pool->meets[ith].after[ops[i].kernel]);
        }
}

/* The caller may set up the next job as soon as it has passed the last barrier of this one. */
/* Of the wait, what lies before the end of the pass that is over belongs to that. */
static void await_job(struct tiny_pool *pool, int ith)
{
        struct tk_clock *c = pool->ctx[ith].clock;

        is_last(pool);
        tk_turn(c, TK_ROW_BARRIER);
        pool->meets[ith].n++;
        pthread_barrier_wait(&pool->barrier);
        tiny_ledger_follow(pool->ledger, ith);
        tk_turn(c, TK_ROW_PASS);
}

static void *pool_thread(void *arg)
{
        struct tiny_task *task = arg;
        struct tiny_pool *pool = task->pool;

        tiny_ledger_delay(pool->ledger, task->ith);
        tiny_ledger_begin(pool->ledger, task->ith, TK_ROW_PASS);
        name_thread(task->ith);
        for (await_job(pool, task->ith); !pool->quit; await_job(pool, task->ith))
                pool->job(pool->job_arg, task->ith);
        tiny_ledger_end(pool->ledger, task->ith);
        tiny_ledger_delay(pool->ledger, task->ith);
        return NULL;
}

static void spawn(struct tiny_pool *pool, struct tiny_task *task, void *(*entry)(void *))
{
        enum tk_row was = tk_turn(tiny_clock, TK_ROW_SPAWN);

        if (pthread_create(&task->thread, NULL, entry, task) != 0) {
                fprintf(stderr, "tinyengine: cannot create a thread\n");
                exit(1);
        }
        tk_turn(tiny_clock, was);
        tiny_ledger_spawned(pool->ledger);
        pool->n_spawns++;
}

static void join(struct tiny_pool *pool, int ith)
{
        enum tk_row was = tk_turn(tiny_clock, TK_ROW_JOIN);

        pthread_join(pool->tasks[ith].thread, NULL);
        tk_turn(tiny_clock, was);
        pool->n_joins++;
}

static void worker_init(struct tiny_pool *pool, int ith, const struct tiny_pool_setup *setup)
{
        struct tk_ctx *ctx = &pool->ctx[ith];

        pool->tasks[ith] = (struct tiny_task){.pool = pool, .ith = ith};
        *ctx = setup->like;
        ctx->ith = setup->alone ? 0 : ith;
        ctx->nth = setup->alone ? 1 : setup->n_threads;
        ctx->times = ith == 0 ? setup->imbalance : 1;
        ctx->clock = &pool->ledger->clocks[thread_of(pool, ith)];
        ctx->shared = &pool->shared;
        ctx->scratch_bytes = setup->scratch_bytes;
        if (ctx->alloc == TK_ALLOC_NONE && !(ctx->scratch = tiny_malloc(setup->scratch_bytes)))
                abort();
}

void tiny_pool_init(struct tiny_pool *pool, const struct tiny_pool_setup *setup,
                    struct tiny_ledger *ledger)
{
        int n_threads = setup->n_threads;

        *pool = (struct tiny_pool){
                .n_threads = n_threads,
                .spawn = setup->spawn,
                .scratch_bytes = setup->scratch_bytes,
                .ctx = tiny_calloc(n_threads, sizeof(*pool->ctx)),
                .meets = tiny_calloc(n_threads, sizeof(*pool->meets)),
                .tasks = tiny_calloc(n_threads, sizeof(*pool->tasks)),
                .ledger = ledger,
                .lock = setup->locks != 0,
                .shared = {.mutex = PTHREAD_MUTEX_INITIALIZER, .times = setup->locks ?: 1},
        };
        if (!pool->ctx || !pool->tasks || !pool->meets)
                abort();
        for (int i = 0; i < n_threads; i++)
                worker_init(pool, i, setup);
        pthread_barrier_init(&pool->barrier, NULL, n_threads);
        if (pool->spawn == TINY_SPAWN_POOL)
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

static void start(struct tiny_pool *pool, void (*job)(void *arg, int ith), void *arg)
{
        struct tiny_meet begin = {0};

        pool->job = job;
        pool->job_arg = arg;
        meet(pool, 0, &begin);
        job(arg, 0);
}

void tiny_pool_run(struct tiny_pool *pool, const struct tiny_op *ops, int n_ops, uint64_t repeat)
{
        pool->ops = ops;
        pool->n_ops = n_ops;
        pool->repeat = repeat;
        renew_arenas(pool);
        if (pool->spawn == TINY_SPAWN_POOL) {
                start(pool, run_list, pool);
        } else {
                for (int i = 0; i < n_ops; i++) {
                        for (int t = 0; t < pool->n_threads; t++) {
                                pool->tasks[t].op = &ops[i];
                                spawn(pool, &pool->tasks[t], op_thread);
                        }
                        for (int t = 0; t < pool->n_threads; t++)
                                join(pool, t);
                }
        }
}

struct each {
        struct tiny_pool *pool;
        void (*job)(void *arg, int ith);
        void *arg;
};

static void run_each(void *arg, int ith)
{
        struct each *e = arg;
        struct tiny_meet end = {0};

        e->job(e->arg, ith);
        meet(e->pool, ith, &end);
}

void tiny_pool_each(struct tiny_pool *pool, void (*job)(void *arg, int ith), void *arg)
{
        pool->repeat = 1;
        start(pool, run_each, &(struct each){pool, job, arg});
}

void tiny_pool_alone(struct tiny_pool *pool, int ith, const struct tiny_op *ops, int n_ops)
{
        for (int i = 0; i < n_ops; i++)
                run_op(pool, ith, &ops[i]);
}

void tiny_pool_done(struct tiny_pool *pool)
{
        struct tiny_meet end = {0};

        if (pool->spawn == TINY_SPAWN_POOL) {
                pool->quit = true;
                meet(pool, 0, &end);
                for (int i = 1; i < pool->n_threads; i++)
                        join(pool, i);
        }
        pthread_barrier_destroy(&pool->barrier);
        for (int i = 0; i < pool->n_threads; i++)
                tiny_free(pool->ctx[i].scratch);
        tiny_free(pool->tasks);
}
