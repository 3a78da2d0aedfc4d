/* SPDX-License-Identifier: MIT */
/*
 * Time of decoded tokens, and of ops in them, by the length of their KV cache. All of it is sums in
 * the segment, of the process since it began: a daemon that came later has them, too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <infprof/segment.h>

struct process;

struct kv {
        uint32_t flags; /* IFP_KV_* */
        uint64_t prefills, prompt_tokens, prefill_ticks, beside, no_length, from, width;
        struct ifp_kv_piece pieces[IFP_KV_PIECES];
        struct ifp_kv_sums bins[IFP_KV_BINS];
        struct ifp_time_row *ops[IFP_KV_BINS]; /* IFP_KV_OPS each; NULL: no such token so far */
        uint64_t written[IFP_KV_BINS];         /* tokens of the bin in the file */
        double written_rate;     /* of the clock, when all bins were written; 0: not yet */
        uint32_t pieces_written; /* so many have a row in the file */
        bool moved;              /* since the last writing */
};

/* Brings it up to date, and makes it once there is something; before lanes are read, so that none
 * of its ops is beyond them. 0, -ENOMEM or SEGMENT_E_BAD. */
int kv_take(struct process *p, const char **ret_why);
struct kv *kv_free(struct kv *kv);
