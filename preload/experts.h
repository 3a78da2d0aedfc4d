/* SPDX-License-Identifier: MIT */
/* The segment's table of layers with experts. */
#pragma once

#include "preload/shim.h"

#pragma GCC visibility push(hidden)

/* Of each of `n_tokens`, the numbers (i32) of the `n_used` experts that it is sent to. */
struct ifp_choices {
        uint64_t at; /* address of the first; what lies there need not be readable */
        uint64_t stride, token_stride; /* bytes */
        uint64_t n_used, n_tokens;
        bool odd; /* not laid out as told: nothing is to be read */
};

/*
 * A weight of a layer (+ 1; 0: not told) with so many experts is about to be multiplied by these:
 * one call each time, not one a thread. They count if the weight is the layer's witness.
 */
void ifp_experts(uint32_t layer, uint64_t n_experts, uint64_t weight, uint32_t phase,
                 const struct ifp_choices *choices);

#pragma GCC visibility pop
