/* SPDX-License-Identifier: MIT */
/*
 * A small inference engine that counts for itself everything a profiler would claim to have
 * counted. Its output is a function of the options, whatever the number of threads.
 */
#include "tiny-options.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t cpu_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int saved(int r, const char *path)
{
        if (r < 0)
                fprintf(stderr, "tinyengine: cannot write '%s': %s\n", path, strerror(-r));
        return r < 0;
}

static struct tiny_shape shape_of(const struct tiny_options *o)
{
        return (struct tiny_shape){.dim = o->dim,
                                   .n_layers = o->layers,
                                   .head_dim = 16,
                                   .n_heads = o->dim / 16,
                                   .hidden = 3 * o->dim,
                                   .vocab = 512,
                                   .n_ctx = o->prompt + o->tokens,
                                   .n_batch = o->prompt};
}

static struct tiny_pool_setup setup_of(const struct tiny_options *o, const struct tiny_shape *shape)
{
        /* the most a kernel and those inside it hold at once: a packed batch, or two rows of scores
         */
        size_t floats = (size_t)shape->n_batch * shape->hidden + 2 * (size_t)shape->n_ctx + 1024;

        return (struct tiny_pool_setup){
                .n_threads = o->threads,
                .spawn = o->spawn,
                .alone = o->work == TINY_WORK_COARSE,
                .locks = o->locks,
                .imbalance = o->imbalance,
                .scratch_bytes = floats * sizeof(float),
                .like = {.alloc = o->alloc,
                         .keep = o->keep,
                         .fail = o->fail,
                         .alloc_bytes = o->alloc_bytes,
                         .slow_percent = o->slow_percent,
                         .stamp = o->spans != NULL},
        };
}

static int save(const struct tiny_options *o, const struct tiny_truth *truth,
                const struct tiny_pool *pool)
{
        int failed = 0;

        if (o->truth)
                failed |= saved(tiny_truth_write(o->truth, truth, pool), o->truth);
        if (o->spans)
                failed |= saved(tiny_spans_write(o->spans, pool->ctx, o->threads), o->spans);
        if (o->ledger)
                failed |= saved(tiny_ledger_write(o->ledger, pool), o->ledger);
        return failed;
}

int main(int argc, char **argv)
{
        struct tiny_options o = {.threads = 1,
                                 .tokens = 32,
                                 .texts = 1,
                                 .layers = 4,
                                 .dim = 128,
                                 .prompt = 8,
                                 .seed = 1,
                                 .imbalance = 1,
                                 .repeat_kernel = TK_N_KERNELS};
        struct tiny_pool pool;
        struct tiny_ledger ledger;

        tiny_options_parse(&o, argc, argv);
        bool repeat = o.repeat_kernel != TK_N_KERNELS;
        struct tiny_shape shape = shape_of(&o);
        struct tiny_pool_setup setup = setup_of(&o, &shape);
        struct tiny_model *model = tiny_model_new(&shape, o.seed);
        if (!model) {
                fprintf(stderr, "tinyengine: no memory for a model of this size\n");
                return 1;
        }

        tiny_ledger_init(&ledger, o.ledger != NULL, o.threads + (o.spawn == TINY_SPAWN_OP),
                         repeat ? 0 : o.texts, o.tokens);
        ledger.coarse = setup.alone;
        struct tiny_truth truth = {.n_threads = o.threads,
                                   .n_tokens = repeat ? 0 : (uint64_t)o.texts * o.tokens,
                                   .n_prompt_tokens = repeat ? 0 : (uint64_t)o.texts * o.prompt};
        uint64_t start_ns = tk_now_ns(), start_cpu_ns = cpu_ns();
        tiny_pool_init(&pool, &setup, &ledger);
        if (repeat) {
                struct tiny_op op = tiny_model_sample_op(model, o.repeat_kernel);
                tiny_pool_run(&pool, &op, 1, o.repeat);
        } else {
                truth.n_sleeps = tiny_texts_write(&o, model, &pool, shape.vocab);
        }
        truth.wall_ns = tk_now_ns() - start_ns;
        truth.cpu_ns = cpu_ns() - start_cpu_ns;
        if (o.kv_grow)
                truth.kv_bytes_per_token = tiny_kv_block_bytes(tiny_model_kv_bytes(model));
        if (!repeat)
                fprintf(stderr, "tinyengine: %ju tokens, %.1f tokens/s\n",
                        (uintmax_t)truth.n_tokens,
                        (double)truth.n_tokens * 1e9 / (double)truth.wall_ns);
        tiny_pool_done(&pool);
        tiny_model_free(model);
        /* they go when they have been written down */
        tk_gave(&tiny_outside, tiny_classes, pool.ctx);
        tk_gave(&tiny_outside, tiny_classes, pool.meets);
        int failed = save(&o, &truth, &pool);
        free(pool.ctx);
        free(pool.meets);
        return failed;
}
