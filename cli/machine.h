/* SPDX-License-Identifier: MIT */
/* infprof machine: what its parts know of each other. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/view.h"
#include "common/machine-look.h"

/* It is the machine that is measured, not what watches over the program. */
#define MACHINE_BARE __attribute__((no_sanitize("address", "undefined"), noinline))

/* ---- what is measured ------------------------------------------------------------- */

/* Multiply-adds that do not wait for each other: `n` rounds; returns what keeps them from being
 * left out. */
struct machine_compute {
        const char *type, *isa;
        double (*run)(uint64_t n);
        unsigned flops; /* a round */
        bool (*is_there)(void);
};
extern const struct machine_compute machine_computes[];
extern const size_t machine_n_computes;

/* Over arrays of `bytes` each, which is a multiple of 4096. */
struct machine_traffic {
        const char *op;
        unsigned arrays; /* that are moved; as STREAM counts them, without what a write fetches
                            first */
        void (*run)(void *const *arrays, size_t bytes);
        bool around; /* writes around the caches: for memory only */
        bool (*is_there)(void);
};
extern const struct machine_traffic machine_traffics[];
extern const size_t machine_n_traffics;

/* ---- measuring -------------------------------------------------------------------- */

/* On stderr. */
enum machine_progress {
        MACHINE_SILENT,
        MACHINE_LINES,    /* one for each kind of measurement */
        MACHINE_TERMINAL, /* one, that counts */
};

struct machine_effort {
        int repetitions;
        uint64_t ns;           /* of one */
        uint64_t memory_bytes; /* that arrays have at least, together, to lie in memory */
        double spread;         /* what varies more is measured again */
        enum machine_progress progress;
};

/* {"compute": [...], "bandwidth": [...]} and the greatest spread; NULL: no memory or no threads. */
json_t *machine_measure(const struct machine_places *places, const struct machine_effort *effort,
                        double *ret_spread, char *ret_worst, size_t worst_size);

void machine_print(const struct view *v, const json_t *doc);
