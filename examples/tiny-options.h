/* SPDX-License-Identifier: MIT */
/*
 * What the small engine is asked for.
 */
#pragma once

#include "tiny.h"

enum tiny_work {
        TINY_WORK_FINE,   /* one text after the other, each op split over the workers */
        TINY_WORK_COARSE, /* each worker writes texts of its own */
};

struct tiny_options {
        int threads, tokens, layers, dim, prompt, pace_ms;
        int hiccup, hiccup_percent; /* 0: none */
        int texts;
        int locks; /* times that each worker takes the shared mutex after each op; 0: no mutex */
        int mixed; /* blocks a token; 0: none */
        int imbalance;
        int slow_percent; /* of the outputs of tk_matmul are made once more */
        uint64_t seed, repeat, keep, fail, alloc_bytes;
        bool own_weights; /* each of those that work coarsely has a copy */
        bool kv_grow;
        int repeat_kernel; /* TK_N_KERNELS: none */
        enum tiny_spawn spawn;
        enum tiny_work work;
        enum tk_alloc alloc;
        const char *truth, *spans, *ledger;
};

/* Ends the program where it is told nonsense. */
void tiny_options_parse(struct tiny_options *o, int argc, char **argv);

/* All texts, to stdout. Returns how often it slept meanwhile. */
uint64_t tiny_texts_write(const struct tiny_options *o, struct tiny_model *model,
                          struct tiny_pool *pool, int vocab);
