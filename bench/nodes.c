/* SPDX-License-Identifier: MIT */
/*
 * nodes LIBGGML_BASE LIBGGML_CPU CALLS: calls ggml's own function for a small addition, over
 * tensors of a graph's worth of nodes, and prints the ns a call.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define N_NODES 300

struct init_args {
        size_t mem_size;
        void *mem_buffer;
        bool no_alloc;
};

static void *find(void *library, const char *name)
{
        void *p = dlsym(library, name);

        if (!p) {
                fprintf(stderr, "nodes: %s\n", dlerror());
                exit(77);
        }
        return p;
}

static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
        void *base = argc == 4 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
        void *cpu = base ? dlopen(argv[2], RTLD_NOW | RTLD_LOCAL) : NULL;

        if (!cpu) {
                fprintf(stderr, "nodes: %s\n", argc == 4 ? dlerror() : "three arguments");
                return argc == 4 ? 77 : 2;
        }
        void *(*init)(struct init_args) = find(base, "ggml_init");
        void *(*new_tensor)(void *, int, int64_t, int64_t, int64_t, int64_t) =
                find(base, "ggml_new_tensor_4d");
        void *(*set)(void *, float) = find(cpu, "ggml_set_f32");
        void *(*add)(void *, void *, void *) = find(base, "ggml_add");
        void (*forward)(const void *, void *) = find(cpu, "ggml_compute_forward_add");
        void *ctx = init((struct init_args){16u << 20, NULL, false}), *node[N_NODES];
        struct {
                int ith, nth;
                void *rest[16];
        } params = {0, 1, {NULL}};
        long calls = atol(argv[3]);
        uint64_t since;

        for (int i = 0; i < N_NODES; i++) {
                void *a = new_tensor(ctx, 0, 4, 1, 1, 1), *b = new_tensor(ctx, 0, 4, 1, 1, 1);

                node[i] = add(ctx, set(a, 1), set(b, 2));
        }
        for (long i = 0; i < 3 * N_NODES; i++)
                forward(&params, node[i % N_NODES]);
        since = now_ns();
        for (long i = 0; i < calls; i++)
                forward(&params, node[i % N_NODES]);
        printf("%.3f\n", (double)(now_ns() - since) / (double)calls);
        return 0;
}
