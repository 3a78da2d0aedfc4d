/* SPDX-License-Identifier: MIT */
/* What the functions behind explain-rules.c's table have in common. Private to explain-rules*.c. */
#pragma once

#include "common/report-explain-private.h"

/* What one rule finds. */
struct look {
        const struct facts *f;
        struct judgement *j;
        double wall;    /* of all decode steps, were it mended; NaN: not known */
        double cost_ns; /* of all decode steps; NaN: not known */
        bool whole;     /* both are of the whole run, in which no token was decoded */
        double share;   /* of what the text says; NaN: not known */
        char cost[EXPLAIN_TEXT];
};

/* A member that is a number; else NaN. One that is a string; else "". */
double look_number(const json_t *o, const char *name);
const char *look_text(const json_t *o, const char *name);

/* explain-rules-cpu.c */
void look_unaligned(struct look *l);
void look_variant(struct look *l);

/* explain-rules-roof.c: by infprof.roofline/1. */
void look_far_from_roof(struct look *l);
void look_memory_bound(struct look *l);
void look_compute_bound(struct look *l);
void look_beyond_cache(struct look *l);
void look_batch_overflow(struct look *l);
void look_context_overflow(struct look *l);
void look_weights_overflow(struct look *l);
