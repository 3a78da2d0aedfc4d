/* SPDX-License-Identifier: MIT */
/*
 * Texts. Each is a function of the options and its number alone; they are printed in order, one a
 * line. Tokens are sampled from the model's own distribution with a seeded generator.
 */
#include "tiny-options.h"

#include <stdlib.h>
#include <unistd.h>

/* One that writes texts: with all workers, or as one of them alone. */
struct writer {
        const struct tiny_options *o;
        struct tiny_model *model;
        struct tiny_pool *pool;
        int ith; /* whose context samples */
        int vocab;
        bool alone;
        int *tokens; /* of the text under way, where it is not printed at once */
        uint64_t mixed_rng;
        struct tiny_kv *kv;
        uint64_t n_sleeps;
};

static uint64_t next_random(uint64_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

/* Draw a token from the logits. The softmax is outside of any graph. */
static int sample(struct writer *w, uint64_t *rng)
{
        struct tk_ctx *ctx = &w->pool->ctx[w->ith];
        struct tk_clock *workers = ctx->clock;
        float u = (float)(next_random(rng) >> 40) / (float)(1 << 24), sum = 0;
        float *logits = tiny_model_logits(w->model);
        struct tiny_op softmax = {.kernel = TK_SOFTMAX, .dst = logits, .n_in = w->vocab};

        if (!w->alone)
                ctx->clock = tiny_clock; /* the context is a worker's; the thread is ours */
        tiny_op_run(ctx, &softmax);
        ctx->clock = workers;
        for (int i = 0; i < w->vocab; i++) {
                sum += logits[i];
                if (u < sum)
                        return i;
        }
        return w->vocab - 1;
}

/* A copy of what the pass from `pos` has left in the cache, a block for each token. */
static struct tiny_kv *keep_kv(struct tiny_kv *head, const struct tiny_model *model, int pos, int n)
{
        size_t bytes = tiny_model_kv_bytes(model);
        void *rows = tiny_malloc(bytes);

        if (!rows)
                abort();
        for (int i = 0; i < n; i++) {
                tiny_model_kv(model, pos + i, rows);
                head = tiny_kv_grow(head, rows, bytes);
        }
        tiny_free(rows);
        return head;
}

static void put_token(struct writer *w, int token, int i)
{
        if (w->tokens) {
                w->tokens[i] = token;
                return;
        }
        printf("%d%c", token, i + 1 == w->o->tokens ? '\n' : ' ');
        if (w->o->pace_ms) {
                fflush(stdout);
                enum tk_row was = tk_turn(tiny_clock, TK_ROW_SLEEP);
                usleep((useconds_t)w->o->pace_ms * 1000);
                tk_turn(tiny_clock, was);
                w->n_sleeps++;
        }
}

struct pass {
        struct writer *w;
        const int *batch;
        int n_batch, pos;
        const struct tiny_op *ops;
        int n_ops;
        int again; /* percent of its ops, before it begins anew and is done whole */
};

static void build(struct pass *p)
{
        p->n_ops = tiny_model_graph(p->w->model, p->batch, p->n_batch, p->pos, &p->ops);
}

static void run_part(const struct pass *p, int percent)
{
        int n = (int)((long)p->n_ops * percent / 100);

        if (p->w->alone)
                tiny_pool_alone(p->w->pool, p->w->ith, p->ops, n);
        else
                tiny_pool_run(p->w->pool, p->ops, n, 1);
}

static void run_pass(void *arg)
{
        struct pass *p = arg;

        for (int left = p->again; left > 0; left -= 100) {
                run_part(p, left < 100 ? left : 100);
                build(p);
        }
        run_part(p, 100);
}

/* Pass `i` of a text, the pass'th of all. */
static void do_pass(struct writer *w, const int *batch, int n_batch, int pos, int i, int pass)
{
        struct tiny_ledger *l = w->pool->ledger;
        struct pass p = {.w = w, .batch = batch, .n_batch = n_batch, .pos = pos};

        if (w->o->hiccup && i && i % w->o->hiccup == 0)
                p.again = w->o->hiccup_percent;
        build(&p);
        tk_turn(w->alone ? &l->clocks[w->ith] : tiny_clock, TK_ROW_PASS);
        (i ? tp_decode : tp_prefill)(run_pass, &p);
        if (w->alone)
                tiny_ledger_go(l, w->ith, pass + 1);
        else
                tiny_ledger_next(l);
}

static void write_text(struct writer *w, int text, int *prompt)
{
        const struct tiny_options *o = w->o;
        uint64_t rng = (o->seed + (uint64_t)text * 1000003u) * 2654435761u + 88172645463325252u;
        int *batch = prompt, n_batch = o->prompt, pos = 0, token;

        for (int i = 0; i < o->prompt; i++)
                prompt[i] = (int)(next_random(&rng) % (uint64_t)w->vocab);
        for (int i = 0; i < o->tokens; i++) {
                do_pass(w, batch, n_batch, pos, i, text * o->tokens + i);
                if (o->kv_grow)
                        w->kv = keep_kv(w->kv, w->model, pos, n_batch);
                tiny_mixed_step(&w->mixed_rng, o->mixed);
                pos += n_batch;
                token = sample(w, &rng);
                put_token(w, token, i);
                batch = &token;
                n_batch = 1;
        }
        tiny_kv_free(w->kv);
        w->kv = NULL;
}

static int *ints(size_t n)
{
        int *p = tiny_calloc(n, sizeof(*p));

        if (!p)
                abort();
        return p;
}

static uint64_t one_by_one(struct writer *w)
{
        int *prompt = ints(w->o->prompt);

        w->mixed_rng = w->o->seed * 2654435761u + 88172645463325252u;
        for (int i = 0; i < w->o->texts; i++)
                write_text(w, i, prompt);
        tiny_mixed_end();
        tiny_free(prompt);
        return w->n_sleeps;
}

/* ---- side by side */

struct desk {
        struct writer *writers;
        int *prompts, *tokens;
};

/* Whose a text is, is settled beforehand. No worker but the first allocates: what it needs was laid
 * out for it. */
static void write_next(void *arg, int ith)
{
        struct desk *d = arg;
        struct writer *w = &d->writers[ith];
        const struct tiny_options *o = w->o;

        for (int text = ith; text < o->texts; text += o->threads) {
                tiny_ledger_go(w->pool->ledger, ith, text * o->tokens);
                w->tokens = d->tokens + (size_t)text * o->tokens;
                write_text(w, text, d->prompts + (size_t)ith * o->prompt);
        }
}

static void print_all(const struct tiny_options *o, const int *tokens)
{
        for (int t = 0; t < o->texts; t++)
                for (int i = 0; i < o->tokens; i++)
                        printf("%d%c", *tokens++, i + 1 == o->tokens ? '\n' : ' ');
}

static void side_by_side(const struct writer *like)
{
        const struct tiny_options *o = like->o;
        struct desk d = {.writers = tiny_calloc(o->threads, sizeof(*d.writers)),
                         .prompts = ints((size_t)o->threads * o->prompt),
                         .tokens = ints((size_t)o->texts * o->tokens)};

        if (!d.writers)
                abort();
        for (int i = 0; i < o->threads; i++) {
                d.writers[i] = *like;
                d.writers[i].ith = i;
                d.writers[i].alone = true;
                d.writers[i].model = tiny_model_twin(like->model, o->own_weights);
                if (!d.writers[i].model)
                        abort();
        }
        tiny_pool_each(like->pool, write_next, &d);
        print_all(o, d.tokens);
        for (int i = 0; i < o->threads; i++)
                tiny_model_free(d.writers[i].model);
        tiny_free(d.writers);
        tiny_free(d.prompts);
        tiny_free(d.tokens);
}

uint64_t tiny_texts_write(const struct tiny_options *o, struct tiny_model *model,
                          struct tiny_pool *pool, int vocab)
{
        struct writer w = {.o = o, .model = model, .pool = pool, .vocab = vocab};

        if (o->work == TINY_WORK_FINE)
                return one_by_one(&w);
        side_by_side(&w);
        return 0;
}
