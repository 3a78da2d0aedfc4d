/* SPDX-License-Identifier: MIT */
/*
 * What the driver uses of llama.h, such that it holds for any version: handles are opaque, and the
 * parameter structs, which differ, are larger than any of them was. A function that returns one
 * writes as much as it knows of; one that takes it by value reads as much, from the stack.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct llama_params {
        union {
                unsigned char bytes[1024];
                uint32_t n_ctx; /* first member of llama_context_params in all versions so far */
        };
};

/* 56 bytes since 2024. */
struct llama_batch {
        int32_t n_tokens;
        int32_t *token;
        float *embd;
        int32_t *pos;
        int32_t *n_seq_id;
        int32_t **seq_id;
        int8_t *logits;
};

struct llama_chain_params {
        bool no_perf;
};

typedef void (*llama_log_fn)(int level, const char *text, void *user);

struct llama_api {
        void (*log_set)(llama_log_fn, void *);
        void (*backend_init)(void);
        void (*backend_free)(void);
        struct llama_params (*model_default_params)(void);
        void *(*model_load)(const char *path, struct llama_params);
        void (*model_free)(void *model);
        const void *(*model_get_vocab)(const void *model);
        int32_t (*vocab_n_tokens)(const void *vocab);
        struct llama_params (*context_default_params)(void);
        void *(*init_from_model)(void *model, struct llama_params);
        void (*free)(void *ctx);
        uint32_t (*n_ctx)(const void *ctx);
        void (*set_n_threads)(void *ctx, int32_t n_threads, int32_t n_threads_batch);
        void *(*get_memory)(const void *ctx);
        void (*memory_clear)(void *memory, bool data);
        int32_t (*tokenize)(const void *vocab, const char *text, int32_t text_len, int32_t *tokens,
                            int32_t n_max, bool add_special, bool parse_special);
        int32_t (*token_to_piece)(const void *vocab, int32_t token, char *buf, int32_t length,
                                  int32_t lstrip, bool special);
        struct llama_batch (*batch_get_one)(int32_t *tokens, int32_t n_tokens);
        int32_t (*decode)(void *ctx, struct llama_batch);
        float *(*get_logits_ith)(void *ctx, int32_t i);
        struct llama_chain_params (*sampler_chain_default_params)(void);
        void *(*sampler_chain_init)(struct llama_chain_params);
        void (*sampler_chain_add)(void *chain, void *sampler);
        void *(*sampler_init_top_k)(int32_t k);
        void *(*sampler_init_temp)(float t);
        void *(*sampler_init_dist)(uint32_t seed);
        int32_t (*sampler_sample)(void *chain, void *ctx, int32_t i);
        void (*sampler_free)(void *chain);
        void (*load_all_from_path)(const char *dir);
};

/* Open the libraries in `dir` and find every function. NULL, or what went wrong, for a person. */
const char *llama_api_open(struct llama_api *ret_api, const char *dir);
