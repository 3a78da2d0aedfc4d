/* SPDX-License-Identifier: MIT */
/*
 * A transformer with random weights: embedding, layers of attention and gated feed-forward with
 * residuals, a head. It only says which kernels are to be run on what; it runs none. The embedding
 * is looked up in plain code, so that some work lies outside every kernel.
 */
#include "tiny.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPS_PER_LAYER = 15, OPS_AT_END = 2 };

struct layer {
        float *attn_norm, *wq, *wk, *wv, *wo;
        float *ffn_norm, *gate, *up, *down;
        float *k_cache, *v_cache; /* n_ctx rows of dim */
};

struct tiny_model {
        struct tiny_shape shape;
        float *weights, *floats; /* everything below points into these; weights: NULL,
                                    those of a twin that has none of its own */
        float *embedding, *head, *out_norm;
        float *x, *norm, *q, *attn, *proj, *gate, *up, *logits;
        struct layer *layers;
        struct tiny_op *ops;
};

static uint64_t next_random(uint64_t *state)
{
        uint64_t z = *state += 0x9e3779b97f4a7c15u;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
}

static float *take(float **pool, size_t n)
{
        float *p = *pool;

        *pool += n;
        return p;
}

static float *take_random(float **pool, size_t n, float scale, uint64_t *seed)
{
        float *p = take(pool, n);

        for (size_t i = 0; i < n; i++)
                p[i] = ((float)(next_random(seed) >> 40) / (float)(1 << 23) - 1.0f) * scale;
        return p;
}

static float *take_ones(float **pool, size_t n)
{
        float *p = take(pool, n);

        for (size_t i = 0; i < n; i++)
                p[i] = 1.0f;
        return p;
}

static size_t n_weights(const struct tiny_shape *s)
{
        size_t dim = s->dim, layer = 2 * dim + 4 * dim * dim + 3 * dim * s->hidden;

        return layer * s->n_layers + 2 * (size_t)s->vocab * dim + dim;
}

/* Cache and buffers. */
static size_t n_floats(const struct tiny_shape *s)
{
        size_t dim = s->dim;

        return 2 * dim * s->n_ctx * s->n_layers + s->n_batch * (5 * dim + 2 * (size_t)s->hidden) +
               s->vocab;
}

static void layer_init(struct layer *l, const struct tiny_shape *s, float **pool, uint64_t *seed)
{
        size_t dim = s->dim, hidden = s->hidden;
        float scale = sqrtf(3.0f / (float)dim), down_scale = sqrtf(3.0f / (float)hidden);

        l->attn_norm = take_ones(pool, dim);
        l->ffn_norm = take_ones(pool, dim);
        l->wq = take_random(pool, dim * dim, scale, seed);
        l->wk = take_random(pool, dim * dim, scale, seed);
        l->wv = take_random(pool, dim * dim, scale, seed);
        l->wo = take_random(pool, dim * dim, scale, seed);
        l->gate = take_random(pool, dim * hidden, scale, seed);
        l->up = take_random(pool, dim * hidden, scale, seed);
        l->down = take_random(pool, dim * hidden, down_scale, seed);
}

static struct tiny_model *bare(const struct tiny_shape *shape)
{
        struct tiny_model *m = tiny_calloc(1, sizeof(*m));

        if (!m)
                return NULL;
        m->shape = *shape;
        m->floats = tiny_calloc(n_floats(shape), sizeof(float));
        m->layers = tiny_calloc(shape->n_layers, sizeof(*m->layers));
        m->ops = tiny_calloc((size_t)shape->n_layers * OPS_PER_LAYER + OPS_AT_END, sizeof(*m->ops));
        return m->floats && m->layers && m->ops ? m : tiny_model_free(m);
}

/* When the weights are there. */
static void share_floats(struct tiny_model *m)
{
        size_t dim = m->shape.dim, batch = m->shape.n_batch, hidden = m->shape.hidden;
        float *pool = m->floats;

        for (int i = 0; i < m->shape.n_layers; i++) {
                m->layers[i].k_cache = take(&pool, dim * m->shape.n_ctx);
                m->layers[i].v_cache = take(&pool, dim * m->shape.n_ctx);
        }
        m->x = take(&pool, batch * dim);
        m->norm = take(&pool, batch * dim);
        m->q = take(&pool, batch * dim);
        m->attn = take(&pool, batch * dim);
        m->proj = take(&pool, batch * dim);
        m->gate = take(&pool, batch * hidden);
        m->up = take(&pool, batch * hidden);
        m->logits = take(&pool, m->shape.vocab);
}

struct tiny_model *tiny_model_new(const struct tiny_shape *shape, uint64_t seed)
{
        struct tiny_model *m = bare(shape);
        size_t dim = shape->dim;

        if (!m)
                return NULL;
        m->weights = tiny_calloc(n_weights(shape), sizeof(float));
        if (!m->weights)
                return tiny_model_free(m);

        float *pool = m->weights;
        m->embedding = take_random(&pool, (size_t)shape->vocab * dim, 1.0f, &seed);
        m->head = take_random(&pool, (size_t)shape->vocab * dim, sqrtf(9.0f / (float)dim), &seed);
        m->out_norm = take_ones(&pool, dim);
        for (int i = 0; i < shape->n_layers; i++)
                layer_init(&m->layers[i], shape, &pool, &seed);
        share_floats(m);
        return m;
}

/* What was at `p` in the weights of one model is at the same place in those of another. */
static float *moved(const float *p, const struct tiny_model *from, const struct tiny_model *to)
{
        return to->weights + (p - from->weights);
}

static void point_into(struct tiny_model *m, const struct tiny_model *from)
{
        m->embedding = moved(m->embedding, from, m);
        m->head = moved(m->head, from, m);
        m->out_norm = moved(m->out_norm, from, m);
        for (int i = 0; i < m->shape.n_layers; i++) {
                struct layer *l = &m->layers[i];
                float **of[] = {&l->attn_norm, &l->ffn_norm, &l->wq, &l->wk,  &l->wv,
                                &l->wo,        &l->gate,     &l->up, &l->down};

                for (size_t k = 0; k < sizeof(of) / sizeof(of[0]); k++)
                        *of[k] = moved(*of[k], from, m);
        }
}

struct tiny_model *tiny_model_twin(const struct tiny_model *model, bool own_weights)
{
        struct tiny_model *m = bare(&model->shape);
        size_t bytes = n_weights(&model->shape) * sizeof(float);

        if (!m)
                return NULL;
        m->embedding = model->embedding;
        m->head = model->head;
        m->out_norm = model->out_norm;
        memcpy(m->layers, model->layers, (size_t)m->shape.n_layers * sizeof(*m->layers));
        if (own_weights) {
                m->weights = tiny_malloc(bytes);
                if (!m->weights)
                        return tiny_model_free(m);
                memcpy(m->weights, model->weights, bytes);
                point_into(m, model);
        }
        share_floats(m);
        return m;
}

struct tiny_model *tiny_model_free(struct tiny_model *m)
{
        if (!m)
                return NULL;
        tiny_free(m->weights);
        tiny_free(m->floats);
        tiny_free(m->layers);
        tiny_free(m->ops);
        tiny_free(m);
        return NULL;
}

static struct tiny_op matmul(float *dst, const float *w, const float *x, int n_out, int n_in,
                             int n_tok)
{
        return (struct tiny_op){.kernel = TK_MATMUL,
                                .dst = dst,
                                .a = w,
                                .b = x,
                                .n_out = n_out,
                                .n_in = n_in,
                                .n_tok = n_tok};
}

static struct tiny_op rmsnorm(float *dst, const float *x, const float *w, int dim, int n_tok)
{
        return (struct tiny_op){
                .kernel = TK_RMSNORM, .dst = dst, .a = x, .b = w, .n_in = dim, .n_tok = n_tok};
}

static struct tiny_op elementwise(enum tk_kernel kernel, float *dst, const float *x, int n,
                                  int n_tok)
{
        return (struct tiny_op){.kernel = kernel, .dst = dst, .a = x, .n_in = n, .n_tok = n_tok};
}

static struct tiny_op rope(const struct tiny_shape *s, float *x, int pos, int n_tok)
{
        return (struct tiny_op){.kernel = TK_ROPE,
                                .dst = x,
                                .n_heads = s->n_heads,
                                .head_dim = s->head_dim,
                                .pos = pos,
                                .n_tok = n_tok};
}

static struct tiny_op *add_layer(struct tiny_model *m, struct layer *l, struct tiny_op *op, int pos,
                                 int n_tok)
{
        const struct tiny_shape *s = &m->shape;
        int dim = s->dim, hidden = s->hidden;
        float *k = l->k_cache + (size_t)pos * dim, *v = l->v_cache + (size_t)pos * dim;

        *op++ = rmsnorm(m->norm, m->x, l->attn_norm, dim, n_tok);
        *op++ = matmul(m->q, l->wq, m->norm, dim, dim, n_tok);
        *op++ = matmul(k, l->wk, m->norm, dim, dim, n_tok);
        *op++ = matmul(v, l->wv, m->norm, dim, dim, n_tok);
        *op++ = rope(s, m->q, pos, n_tok);
        *op++ = rope(s, k, pos, n_tok);
        *op++ = (struct tiny_op){.kernel = TK_ATTENTION,
                                 .dst = m->attn,
                                 .a = m->q,
                                 .b = l->k_cache,
                                 .c = l->v_cache,
                                 .n_heads = s->n_heads,
                                 .head_dim = s->head_dim,
                                 .pos = pos,
                                 .n_tok = n_tok};
        *op++ = matmul(m->proj, l->wo, m->attn, dim, dim, n_tok);
        *op++ = elementwise(TK_ADD, m->x, m->proj, dim, n_tok);

        *op++ = rmsnorm(m->norm, m->x, l->ffn_norm, dim, n_tok);
        *op++ = matmul(m->gate, l->gate, m->norm, hidden, dim, n_tok);
        *op++ = matmul(m->up, l->up, m->norm, hidden, dim, n_tok);
        *op++ = elementwise(TK_SWIGLU, m->gate, m->up, hidden, n_tok);
        *op++ = matmul(m->proj, l->down, m->gate, dim, hidden, n_tok);
        *op++ = elementwise(TK_ADD, m->x, m->proj, dim, n_tok);
        return op;
}

int tiny_model_graph(struct tiny_model *m, const int *tokens, int n_tok, int pos,
                     const struct tiny_op **ret_ops)
{
        int dim = m->shape.dim;
        struct tiny_op *op = m->ops;

        for (int t = 0; t < n_tok; t++)
                memcpy(m->x + (size_t)t * dim, m->embedding + (size_t)tokens[t] * dim,
                       (size_t)dim * sizeof(float));
        for (int i = 0; i < m->shape.n_layers; i++)
                op = add_layer(m, &m->layers[i], op, pos, n_tok);
        *op++ = rmsnorm(m->norm, m->x, m->out_norm, dim, n_tok);
        *op++ = matmul(m->logits, m->head, m->norm + (size_t)(n_tok - 1) * dim, m->shape.vocab, dim,
                       1);
        *ret_ops = m->ops;
        return (int)(op - m->ops);
}

size_t tiny_model_kv_bytes(const struct tiny_model *m)
{
        return 2 * (size_t)m->shape.n_layers * m->shape.dim * sizeof(float);
}

void tiny_model_kv(const struct tiny_model *m, int pos, void *ret_rows)
{
        size_t dim = (size_t)m->shape.dim;
        float *to = ret_rows;

        for (int i = 0; i < m->shape.n_layers; i++) {
                memcpy(to, m->layers[i].k_cache + pos * dim, dim * sizeof(float));
                memcpy(to + dim, m->layers[i].v_cache + pos * dim, dim * sizeof(float));
                to += 2 * dim;
        }
}

float *tiny_model_logits(struct tiny_model *m)
{
        return m->logits;
}

struct tiny_op tiny_model_sample_op(struct tiny_model *m, enum tk_kernel kernel)
{
        const struct tiny_shape *s = &m->shape;
        const struct layer *l = &m->layers[0];

        if (kernel == TK_MATMUL)
                return matmul(m->x, l->wq, m->norm, s->dim, s->dim, 1);
        return (struct tiny_op){
                .kernel = kernel,
                .dst = m->x,
                .a = m->q,
                .b = l->k_cache,
                .c = l->v_cache,
                .n_in = s->dim,
                .n_heads = s->n_heads,
                .head_dim = s->head_dim,
                .n_tok = 1,
        };
}
