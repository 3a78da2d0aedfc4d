/* SPDX-License-Identifier: MIT */
/* Between the parts of infprof.tokens/1. */
#pragma once

#include "common/report-work-private.h"

/* What a process's file says of it; beside each process of the model, under the same index. */
struct tokens_process {
        bool known; /* it has a row */
        struct runfile_kv row;
        struct runfile_kv_piece pieces[IFP_KV_PIECES];
        size_t n_pieces; /* up to the last that is not empty */
        struct runfile_kv_bin bins[IFP_KV_BINS];
        uint64_t n_tokens;         /* of these */
        struct runfile_kv_op *ops; /* in the order of bins, then ops */
        size_t n_ops, room_ops;
};

struct tokens {
        struct work *w;
        struct tokens_process *processes;
};

/* To be done, also on failure. */
int tokens_load(struct tokens *t, struct work *w);
void tokens_done(struct tokens *t);

/* The member `kv`, and what a reader must know of it. */
int tokens_build_kv(const struct tokens *t, json_t *notes, json_t **ret);
/* The member `course`. */
json_t *tokens_build_course(const struct tokens *t);

/* What binds a phase, by the document infprof.roofline/1; null: not known. */
json_t *tokens_build_bound(const json_t *roofline, const char *phase);
