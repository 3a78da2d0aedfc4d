/* SPDX-License-Identifier: MIT */
/*
 * Allocations of each decoded token: what all threads of the process have
 * allocated since the end of the decode call before. Read from the lanes at the
 * end of each call; a lane whose thread is gone stands still and is read once.
 */
#include "preload/heap.h"

#define FEW_LANES 64u /* so many are read each time, whatever their state */

static uint32_t lock;
static uint64_t last_calls, last_asked;
static uint64_t last_token; /* end of the last token of any thread */
static bool have_last;

struct sums {
        uint64_t calls, asked;
        int64_t live;
};

static struct sums settled[IFP_MAX_LANES];
static uint32_t settled_gen[IFP_MAX_LANES];

static struct sums sum_of(const struct ifp_lane_memory *m)
{
        struct sums s = {.live = ifp_pending(m)};

        for (uint32_t c = 0; c < IFP_SIZE_CLASSES; c++) {
                s.calls += ifp_word(&m->calls[c]);
                s.asked += ifp_word(&m->asked_bytes[c]);
        }
        return s;
}

static struct sums sum_of_lane(uint32_t i, uint32_t n)
{
        const struct ifp_lane *lane = &ifp_seg->lanes[i];
        bool ended =
                n > FEW_LANES && __atomic_load_n(&lane->state, __ATOMIC_ACQUIRE) != IFP_LANE_LIVE;
        struct sums s;

        if (ended && settled_gen[i] == lane->gen)
                return settled[i];
        s = sum_of(&lane->memory);
        settled_gen[i] = ended ? lane->gen : 0;
        settled[i] = s;
        return s;
}

static struct sums sum_all(void)
{
        uint32_t n = __atomic_load_n(&ifp_seg->live.n_lanes_used, __ATOMIC_ACQUIRE);
        struct sums all = sum_of(&ifp_crowd()->memory);

        for (uint32_t i = 0; i < n; i++) {
                struct sums s = sum_of_lane(i, n);

                all.calls += s.calls;
                all.asked += s.asked;
                all.live += s.live;
        }
        all.live += __atomic_load_n(&ifp_seg->live.live_bytes, __ATOMIC_RELAXED);
        return all;
}

/* When there is no room for another point, every second one goes, and from now on fewer come. */
static void add_point(struct ifp_tokens *t, uint32_t n_new, const struct sums *s, uint64_t now)
{
        const struct ifp_live *live = &ifp_seg->live;
        uint32_t n;

        if (t->n / t->stride == (t->n - n_new) / t->stride)
                return;
        if (t->n_points == IFP_TOKEN_POINTS) {
                __atomic_store_n(&t->seq, t->seq + 1, __ATOMIC_SEQ_CST);
                for (n = 0; n < IFP_TOKEN_POINTS / 2; n++)
                        t->points[n] = t->points[2 * n + 1];
                t->n_points = n;
                t->stride *= 2;
                __atomic_store_n(&t->seq, t->seq + 1, __ATOMIC_SEQ_CST);
        }
        t->points[t->n_points] =
                (struct ifp_token_point){.token = live->prompt_tokens + live->generated_tokens,
                                         .ticks = now,
                                         .live_bytes = s->live,
                                         .calls = s->calls};
        __atomic_store_n(&t->n_points, t->n_points + 1, __ATOMIC_RELEASE);
}

/* Several tokens of one call (sequences side by side) share what it allocated. */
static void add_tokens(struct ifp_tokens *t, uint32_t n, uint64_t calls, uint64_t asked)
{
        t->n += n;
        t->calls += calls;
        t->asked_bytes += asked;
        if (!calls)
                t->n_calls_zero += n;
        t->calls_hist[ifp_hist_index((calls + n - 1) / n)] += n;
        t->bytes_hist[ifp_hist_index((asked + n - 1) / n)] += n;
}

uint64_t ifp_tokens_beside(uint64_t since, uint64_t end)
{
        uint64_t to;

        ifp_lock(&lock);
        to = last_token < end ? last_token : end;
        if (end > last_token)
                last_token = end;
        ifp_unlock(&lock);
        return to > since ? to - since : 0;
}

void ifp_tokens_note(uint32_t n, uint64_t now)
{
        struct ifp_tokens *t = &ifp_seg->tokens;
        struct sums s;

        ifp_lock(&lock);
        s = sum_all();
        if (n && have_last) {
                add_tokens(t, n, s.calls - last_calls, s.asked - last_asked);
                add_point(t, n, &s, now);
        }
        last_calls = s.calls;
        last_asked = s.asked;
        have_last = true;
        ifp_ledger_note(&ifp_tls, n, now, s.calls, s.asked);
        ifp_unlock(&lock);
}

void ifp_tokens_after_fork(void)
{
        lock = 0;
        last_token = 0;
        have_last = false;
        for (uint32_t i = 0; i < IFP_MAX_LANES; i++)
                if (settled_gen[i])
                        settled_gen[i] = 0;
}
