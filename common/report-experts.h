/* SPDX-License-Identifier: MIT */
/*
 * Which experts of layers tokens were sent to, for infprof.layers/1. Private to common/report-*.c.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct work;

/* One layer in one phase; of all processes. */
struct expert_layer {
        uint32_t phase, layer, n_experts; /* layer + 1 */
        uint64_t steps, tokens, choices, unknown, steps_known, distinct, all_tokens;
        uint64_t *counts; /* of each expert */
};

struct expert_layers {
        struct expert_layer *at; /* by phase, layer; of those with the same the one with most tokens
                                    first */
        size_t n, room;
};

/* To be done also on failure. */
int expert_layers_load(struct expert_layers *e, struct work *w);
void expert_layers_done(struct expert_layers *e);

/* Of a layer (+ 1), and of all layers of a phase; null: none is known. */
json_t *expert_layers_build(const struct expert_layers *e, uint32_t phase, uint32_t layer);
json_t *expert_layers_build_phase(const struct expert_layers *e, uint32_t phase);

/* `unknown`: there are products of experts in layers of which nothing is known. */
void expert_layers_notes(const struct expert_layers *e, bool unknown, json_t *notes);
