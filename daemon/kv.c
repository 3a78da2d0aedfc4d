/* SPDX-License-Identifier: MIT */
/*
 * Reads the segment's table of KV lengths. The writer makes its sequence count odd, adds a token
 * with all that ops took in it, and makes it even again; so what was read between two equal counts
 * is of whole tokens. What is read in the midst of it is thrown away, and what was read before
 * stands.
 *
 * Invariant: a bin's rows are those of its tokens.
 */
#include "daemon/kv.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/process.h"
#include "daemon/words.h"

#define TRIES 4

/* What comes before the ops: copied whole. */
struct head {
        uint32_t seq, flags;
        uint64_t prefills, prompt_tokens, prefill_ticks, beside, no_length, from, width;
        struct ifp_kv_piece pieces[IFP_KV_PIECES];
        struct ifp_kv_sums bins[IFP_KV_BINS];
};
_Static_assert(sizeof(struct head) == offsetof(struct ifp_kv, ops) && sizeof(struct head) % 8 == 0,
               "the same members");

struct kv *kv_free(struct kv *kv)
{
        for (uint32_t i = 0; kv && i < IFP_KV_BINS; i++)
                free(kv->ops[i]);
        free(kv);
        return NULL;
}

static bool is_touched(const struct process *p)
{
        size_t at = offsetof(struct ifp_segment, kv);
        uint64_t from, to;

        return segment_next_data(&p->segment, at, at + sizeof(struct head), &from, &to);
}

/* A writer that lies about what it had said before. */
static bool runs_back(const struct kv *kv, const struct head *now)
{
        const uint64_t *a = &now->prefills, *b = &kv->prefills;

        for (uint32_t i = 0; i < 5; i++) /* to no_length */
                if (a[i] < b[i])
                        return true;
        return words_run_back(now->bins, kv->bins, sizeof(kv->bins));
}
_Static_assert(offsetof(struct head, no_length) - offsetof(struct head, prefills) == 32 &&
                       offsetof(struct kv, no_length) - offsetof(struct kv, prefills) == 32,
               "five words that only grow");

/* The rows of bins that have moved, beside those that are kept; false: no memory. Beyond the last
 * op nothing was written: reading it would make the engine's memory grow. */
static bool copy_ops(const struct process *p, const struct head *now,
                     struct ifp_time_row *fresh[IFP_KV_BINS])
{
        const struct kv *kv = p->kv;
        uint32_t n_ops = __atomic_load_n(&p->segment.map->live.n_ops, __ATOMIC_ACQUIRE);

        n_ops = n_ops < IFP_KV_OPS ? n_ops : IFP_KV_OPS;

        for (uint32_t i = 0; i < IFP_KV_BINS; i++) {
                if (now->bins[i].tokens == kv->bins[i].tokens)
                        continue;
                if (!fresh[i])
                        fresh[i] = calloc(IFP_KV_OPS, sizeof(*fresh[i]));
                if (!fresh[i])
                        return false;
                segment_copy_words(fresh[i], p->segment.map->kv.ops[i], n_ops * sizeof(*fresh[i]));
        }
        return true;
}

/* 0: nothing to be had now; 1; or -ENOMEM. */
static int copy(const struct process *p, struct head *now, struct ifp_time_row *fresh[IFP_KV_BINS])
{
        const struct ifp_kv *from = &p->segment.map->kv;

        for (int i = 0; i < TRIES; i++) {
                if (!segment_copy_under(&from->seq, now, from, sizeof(*now)))
                        return 0;
                if (!copy_ops(p, now, fresh))
                        return -ENOMEM;
                __atomic_thread_fence(__ATOMIC_ACQUIRE);
                if (__atomic_load_n(&from->seq, __ATOMIC_RELAXED) == now->seq)
                        return 1;
        }
        return 0;
}

static bool ops_run_back(const struct kv *kv, struct ifp_time_row *const fresh[IFP_KV_BINS])
{
        for (uint32_t i = 0; i < IFP_KV_BINS; i++)
                if (fresh[i] && kv->ops[i] &&
                    words_run_back(fresh[i], kv->ops[i], IFP_KV_OPS * sizeof(*fresh[i])))
                        return true;
        return false;
}

static void take(struct kv *kv, const struct head *now, struct ifp_time_row *fresh[IFP_KV_BINS])
{
        kv->flags = now->flags;
        memcpy(&kv->prefills, &now->prefills, 7 * sizeof(uint64_t)); /* to width */
        memcpy(kv->pieces, now->pieces, sizeof(kv->pieces));
        memcpy(kv->bins, now->bins, sizeof(kv->bins));
        for (uint32_t i = 0; i < IFP_KV_BINS; i++) {
                struct ifp_time_row *before = kv->ops[i];

                if (!fresh[i])
                        continue;
                kv->ops[i] = fresh[i];
                fresh[i] = before;
        }
        kv->moved = true;
}
_Static_assert(offsetof(struct head, width) - offsetof(struct head, prefills) == 48 &&
                       offsetof(struct kv, width) - offsetof(struct kv, prefills) == 48,
               "seven words");

static bool has_moved(const struct kv *kv, const struct head *now)
{
        return memcmp(&kv->prefills, &now->prefills, 7 * sizeof(uint64_t)) != 0 ||
               memcmp(kv->bins, now->bins, sizeof(kv->bins)) != 0;
}

int kv_take(struct process *p, const char **ret_why)
{
        static struct head now;
        struct ifp_time_row *fresh[IFP_KV_BINS] = {NULL};
        int r;

        if (!is_touched(p))
                return 0;
        if (!p->kv)
                p->kv = calloc(1, sizeof(*p->kv));
        if (!p->kv)
                return -ENOMEM;
        r = copy(p, &now, fresh);
        if (r > 0 && (runs_back(p->kv, &now) || ops_run_back(p->kv, fresh)))
                r = segment_bad(ret_why, "its tokens by KV length run backwards");
        else if (r > 0 && has_moved(p->kv, &now)) {
                take(p->kv, &now, fresh);
                p->dirty = true;
                r = 0;
        } else if (r > 0) {
                r = 0;
        }
        for (uint32_t i = 0; i < IFP_KV_BINS; i++)
                free(fresh[i]);
        return r;
}
