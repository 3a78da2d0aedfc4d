/* SPDX-License-Identifier: MIT */
#pragma once

#include "heap.h"

#include <stdint.h>

struct llama_context;

/* As in llama.h: 56 bytes, by value. */
struct llama_batch {
        int32_t n_tokens;
        int32_t *token;
        float *embd;
        int32_t *pos;
        int32_t *n_seq_id;
        int32_t **seq_id;
        int8_t *logits;
};

struct phases_truth {
        struct heap_truth prefill, decode, inner_prefill, inner_decode;
        long per_token;  /* blocks of a decode call, besides those in k_inner */
        long kept_bytes; /* of one more block for each token, that stays; 0: none */
};
extern struct phases_truth *phases_truth;

int llama_decode(struct llama_context *ctx, struct llama_batch batch);
void k_inner(struct heap_truth *t, long calls);
