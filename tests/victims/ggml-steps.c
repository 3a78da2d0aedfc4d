/* SPDX-License-Identifier: MIT */
/*
 * ggml-steps LIBGGML_BASE LIBGGML_CPU WAY STEPS [BYTES]: the real ggml does one graph for a prompt
 * and one again and again for tokens, each made to show one thing or not to. BYTES is what all
 * operands lie at, of 64.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tinykernels.h"

enum { F32 = 0, F16 = 1, Q8_0 = 8 };

struct init_args {
        size_t mem_size;
        void *mem_buffer;
        bool no_alloc;
};

/* The library. */
static struct {
        void *(*init)(struct init_args);
        void *(*new_tensor)(void *ctx, int type, int64_t, int64_t, int64_t, int64_t);
        void *(*get_data)(const void *tensor);
        size_t (*nbytes)(const void *tensor);
        void *(*new_graph)(void *ctx);
        void (*expand)(void *graph, void *tensor);
        int (*compute)(void *ctx, void *graph, int n_threads);
        void (*cpu_init)(void);
        void *(*mul_mat)(void *ctx, void *, void *);
        void *(*mul)(void *ctx, void *, void *);
        void *(*add)(void *ctx, void *, void *);
        void *(*silu)(void *ctx, void *);
        void *(*dup)(void *ctx, void *);
        void *(*flash_attn)(void *ctx, void *q, void *k, void *v, void *mask, float, float, float);
} g;

static void *ctx, *meta; /* of tensors and of graphs; meta's have no memory of their own */
static size_t data_at;   /* where a tensor says where its elements lie */
static size_t shift;

static void find(void *library, const char *name, void *ret)
{
        void *p = dlsym(library, name);

        if (!p) {
                fprintf(stderr, "ggml-steps: %s\n", dlerror());
                exit(77);
        }
        memcpy(ret, &p, sizeof(p));
}

static void load(const char *base_path, const char *cpu_path)
{
        void *base = dlopen(base_path, RTLD_NOW | RTLD_GLOBAL);
        void *cpu = base ? dlopen(cpu_path, RTLD_NOW | RTLD_LOCAL) : NULL;

        if (!cpu) {
                fprintf(stderr, "ggml-steps: %s\n", dlerror());
                exit(77);
        }
        find(base, "ggml_init", &g.init);
        find(base, "ggml_new_tensor_4d", &g.new_tensor);
        find(base, "ggml_get_data", &g.get_data);
        find(base, "ggml_nbytes", &g.nbytes);
        find(base, "ggml_new_graph", &g.new_graph);
        find(base, "ggml_build_forward_expand", &g.expand);
        find(base, "ggml_mul_mat", &g.mul_mat);
        find(base, "ggml_mul", &g.mul);
        find(base, "ggml_add", &g.add);
        find(base, "ggml_silu", &g.silu);
        find(base, "ggml_dup", &g.dup);
        find(base, "ggml_flash_attn_ext", &g.flash_attn);
        find(cpu, "ggml_graph_compute_with_ctx", &g.compute);
        find(cpu, "ggml_cpu_init", &g.cpu_init);
        g.cpu_init();
        ctx = g.init((struct init_args){1ul << 30, NULL, false});
        meta = g.init((struct init_args){16u << 20, NULL, true});
}

/* A tensor's memory is ours, so that it lies where it is wanted to. */
static void *placed(void *tensor)
{
        char *p = aligned_alloc(64, (g.nbytes(tensor) + 64 + 63) / 64 * 64);
        void *at = p + shift;

        if (!p)
                exit(1);
        memset(p, 0, g.nbytes(tensor) + 64);
        memcpy((char *)tensor + data_at, &at, sizeof(at));
        return tensor;
}

static void find_data(void)
{
        void *t = g.new_tensor(ctx, F32, 16, 1, 1, 1), *is = g.get_data(t), *word;

        for (data_at = 0; data_at < 512; data_at += 8) {
                memcpy(&word, (char *)t + data_at, sizeof(word));
                if (word == is)
                        return;
        }
        exit(77);
}

static void *tensor(int type, int64_t a, int64_t b, int64_t c)
{
        return placed(g.new_tensor(meta, type, a, b, c, 1));
}

static void *product(int type, int64_t k, int64_t rows, int64_t columns)
{
        return placed(g.mul_mat(meta, tensor(type, k, rows, 1), tensor(F32, k, columns, 1)));
}

/* ---- ways: a graph for the prompt, which may be none, and one for each token */

static void weights_from_memory(void *prompt, void *token)
{
        (void)prompt;
        g.expand(token, product(F32, 8192, 4096, 1)); /* 128 MiB */
}

static void copy_in_memory(void *prompt, void *token)
{
        (void)prompt;
        g.expand(token, placed(g.dup(meta, tensor(F32, 8192, 4096, 1)))); /* 128 MiB */
}

static void weights_from_l2(void *prompt, void *token)
{
        (void)prompt;
        for (int i = 0; i < 200; i++)
                g.expand(token, product(F32, 128, 256, 1)); /* 128 KiB, each its own */
}

static void weights_from_l1(void *prompt, void *token)
{
        void *w = tensor(F32, 64, 64, 1);

        (void)prompt;
        for (int i = 0; i < 400; i++)
                g.expand(token, placed(g.mul_mat(meta, w, tensor(F32, 64, 1, 1))));
}

static void many_columns(void *prompt, void *token)
{
        (void)prompt;
        g.expand(token, product(F32, 1024, 1024, 512));
}

static void alone_and_together(void *prompt, void *token)
{
        void *w = tensor(F32, 4096, 4096, 1); /* 64 MiB */

        g.expand(prompt, placed(g.mul_mat(meta, w, tensor(F32, 4096, 64, 1))));
        g.expand(token, placed(g.mul_mat(meta, w, tensor(F32, 4096, 1, 1))));
}

static void together_both(void *prompt, void *token)
{
        void *w = tensor(F32, 1024, 1024, 1);

        g.expand(prompt, placed(g.mul_mat(meta, w, tensor(F32, 1024, 256, 1))));
        g.expand(token, placed(g.mul_mat(meta, w, tensor(F32, 1024, 64, 1))));
}

static void sums(void *graph, int64_t columns, int n)
{
        for (int i = 0; i < n; i++)
                g.expand(graph, placed(g.add(meta, tensor(F32, 1024, columns, 1),
                                             tensor(F32, 1024, columns, 1))));
}

static void wide_prompt(void *prompt, void *token)
{
        sums(prompt, 1024, 20); /* 12 MiB each */
        sums(token, 1, 20);
}

static void narrow_prompt(void *prompt, void *token)
{
        sums(prompt, 16, 20);
        sums(token, 1, 20);
}

static void gate(void *prompt, void *token)
{
        void *x = tensor(F32, 4096, 64, 1);

        (void)prompt;
        g.expand(token, placed(g.mul(meta, placed(g.silu(meta, x)), tensor(F32, 4096, 64, 1))));
}

static void no_gate(void *prompt, void *token)
{
        (void)prompt;
        g.expand(token, placed(g.silu(meta, tensor(F32, 4096, 64, 1))));
}

/* Heads of 48 have elements left over behind whole vectors. */
static void attention(void *prompt, void *token)
{
        void *q = tensor(F32, 48, 1, 8), *k = tensor(F16, 48, 4096, 8),
             *v = tensor(F16, 48, 4096, 8);

        (void)prompt;
        g.expand(token, placed(g.flash_attn(meta, q, k, v, NULL, 0.1f, 0, 0)));
}

static void context(void *token, int64_t positions)
{
        void *q = tensor(F32, 128, 1, 2), *k = tensor(F32, 128, positions, 2),
             *v = tensor(F32, 128, positions, 2);

        g.expand(token, placed(g.flash_attn(meta, q, k, v, NULL, 0.1f, 0, 0)));
}

static void long_context(void *prompt, void *token)
{
        (void)prompt;
        context(token, 6144); /* 12 MiB */
}

static void short_context(void *prompt, void *token)
{
        (void)prompt;
        for (int i = 0; i < 20; i++)
                context(token, 128);
}

static void weights_from_l3(void *prompt, void *token)
{
        (void)prompt;
        g.expand(token, product(F32, 1024, 2048, 1)); /* 8 MiB */
}

static const struct {
        const char *name;
        void (*make)(void *prompt, void *token);
} ways[] = {
        {"weights-from-memory", weights_from_memory},
        {"copy-in-memory", copy_in_memory},
        {"weights-from-l3", weights_from_l3},
        {"weights-from-l2", weights_from_l2},
        {"long-context", long_context},
        {"short-context", short_context},
        {"weights-from-l1", weights_from_l1},
        {"many-columns", many_columns},
        {"alone-and-together", alone_and_together},
        {"together-both", together_both},
        {"wide-prompt", wide_prompt},
        {"narrow-prompt", narrow_prompt},
        {"gate", gate},
        {"no-gate", no_gate},
        {"attention", attention},
};

static void compute(void *graph)
{
        g.compute(ctx, graph, 1);
}

int main(int argc, char **argv)
{
        void *prompt, *token;
        size_t w = 0;

        if (argc < 5) {
                fprintf(stderr, "usage: ggml-steps LIBGGML_BASE LIBGGML_CPU WAY STEPS [BYTES]\n");
                return 2;
        }
        shift = argc > 5 ? strtoul(argv[5], NULL, 10) % 64 : 0;
        while (w < sizeof(ways) / sizeof(ways[0]) && strcmp(ways[w].name, argv[3]) != 0)
                w++;
        if (w == sizeof(ways) / sizeof(ways[0])) {
                fprintf(stderr, "ggml-steps: no such way\n");
                return 2;
        }
        load(argv[1], argv[2]);
        find_data();
        prompt = g.new_graph(ctx);
        token = g.new_graph(ctx);
        ways[w].make(prompt, token);
        tp_prefill(compute, prompt);
        for (long i = atol(argv[4]); i > 0; i--)
                tp_decode(compute, token);
        return 0;
}
