/* SPDX-License-Identifier: MIT */
/* The exact rows of lanes: what a thread did, as differences between two readings. */
#pragma once

#include <stdint.h>

#include "daemon/segment.h"

/* One op and phase; ticks and bytes. */
struct figures {
        uint64_t timed, untimed, total, child;
        uint64_t alloc_calls, asked_bytes, usable_bytes, frees, freed_bytes, alloc_failed;
        uint64_t maps, mapped_bytes;
};

struct tally_row {
        uint32_t key; /* op * IFP_N_PHASES + phase */
        struct figures f;
};

/* Rows that are not zero, by key. */
struct tally {
        struct tally_row *rows;
        uint32_t n_rows;
};

/* Scratch space for readings; one serves all. */
struct tally_scratch {
        struct figures *at; /* all zero between readings */
        uint32_t n_ops;
        uint8_t *touched;
};

void tally_done(struct tally *t);
void tally_scratch_done(struct tally_scratch *s);

/*
 * What stands in `lane` now, less `base` (may be NULL). SEGMENT_E_BAD: a row
 * went backwards.
 */
int tally_read(struct tally *ret, struct tally_scratch *scratch, const struct segment *s,
               uint32_t n_ops, uint32_t lane, const struct tally *base, const char **ret_why);

void tally_figures_add(struct figures *to, const struct figures *f);

/* Adds t's rows to the table `to` of `n` figures; rows beyond it are left out. */
void tally_add_to(const struct tally *t, struct figures *to, uint32_t n);

/* Adds the rows of `t` to those of `to`. 0 or -ENOMEM. */
int tally_merge(struct tally *to, const struct tally *t);
