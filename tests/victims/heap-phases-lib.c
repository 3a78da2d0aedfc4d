/* SPDX-License-Identifier: MIT */
/*
 * libllama.so, to those who go by names: its llama_decode is in prefill or in decode by its batch,
 * as the real one is, and allocates in each a number of blocks that is known, some in kernels.
 */
#include "heap-phases.h"

#include <stdlib.h>

static void *blocks[1000];
static long n_blocks;

/* Of `calls` blocks each second one goes at once, the others stay while there is room. */
static void churn(struct heap_truth *t, long calls, size_t size)
{
        for (long i = 0; i < calls; i++) {
                void *p = HEAP_MALLOC(t, size);

                if (i % 2 || n_blocks == 1000)
                        HEAP_FREE(t, p);
                else
                        blocks[n_blocks++] = p;
        }
}

__attribute__((noinline)) void k_inner(struct heap_truth *t, long calls)
{
        churn(t, calls, 300);
}

int llama_decode(struct llama_context *ctx, struct llama_batch batch)
{
        struct phases_truth *t = phases_truth;
        int decode = batch.n_tokens == 1;

        (void)ctx;
        churn(decode ? &t->decode : &t->prefill, decode ? t->per_token : 10, 120);
        for (int i = 0; t->kept_bytes && i < batch.n_tokens; i++)
                HEAP_MALLOC(decode ? &t->decode : &t->prefill, (size_t)t->kept_bytes);
        k_inner(decode ? &t->inner_decode : &t->inner_prefill, decode ? 2 : 7);
        return 0;
}

struct phases_truth *phases_truth;
