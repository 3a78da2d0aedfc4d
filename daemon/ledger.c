/* SPDX-License-Identifier: MIT */
/*
 * The ledger of decode steps. What is exact are the sums that the decoding thread keeps under
 * a sequence count: they have every step, whether its record was read or not. The ring of
 * records gives the distributions and the slow steps; one that was dropped, or read by a daemon
 * that died since, is missing there only.
 *
 * A step is slow if it took more than three times the median of those before it. The first few wait
 * until there is a median.
 *
 * Invariant: tail <= head <= tail + IFP_TOKEN_RING, or the process is cut off.
 */
#include "daemon/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hist.h"
#include "daemon/process.h"
#include "daemon/words.h"

#define MEDIAN_EVERY 64u /* steps, at most */

static void hist_done(struct drain_hist *h)
{
        for (uint32_t i = 0; i < IFP_HIST_OCTAVES; i++)
                free(h->octave[i]);
}

static void hist_init(struct drain_hist *h)
{
        *h = (struct drain_hist){.min = UINT64_MAX};
}

struct ledger *ledger_free(struct ledger *l)
{
        if (!l)
                return NULL;
        hist_done(&l->wall);
        for (uint32_t w = 0; w < IFP_N_LEDGER_WHO; w++)
                for (uint32_t r = 0; r < IFP_N_LEDGER; r++)
                        hist_done(&l->rows[w][r]);
        free(l);
        return NULL;
}

static int ledger_new(struct process *p)
{
        struct ledger *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        hist_init(&l->wall);
        for (uint32_t w = 0; w < IFP_N_LEDGER_WHO; w++)
                for (uint32_t r = 0; r < IFP_N_LEDGER; r++)
                        hist_init(&l->rows[w][r]);
        if (p->adopted)
                l->tail = heap_load(&p->segment.map->ledger.tail);
        p->ledger = l;
        return 0;
}

void ledger_rows_ns(const struct clock *c, const uint64_t *rows, uint64_t wall_ticks,
                    uint64_t *ret_ns)
{
        uint64_t sum = 0, before = 0;

        for (uint32_t r = 0; r < IFP_N_LEDGER; r++) {
                uint64_t left = wall_ticks - sum, ns;

                sum += r + 1 == IFP_N_LEDGER || rows[r] > left ? left : rows[r];
                ns = clock_ns(c, sum);
                ret_ns[r] = ns - before;
                before = ns;
        }
}

/* ---- the ring ---- */

static int hist_count_one(struct drain_hist *h, uint64_t v)
{
        int r = drain_hist_add(h, ifp_hist_index(v), 1);

        h->count++;
        h->min = v < h->min ? v : h->min;
        h->max = v > h->max ? v : h->max;
        return r;
}

static uint64_t median_of(const struct drain_hist *h)
{
        uint64_t rank = hist_rank(0.5, h->count), n = 0;

        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++) {
                const uint64_t *octave = h->octave[i / IFP_HIST_SUB];

                if (!octave)
                        i += IFP_HIST_SUB - 1;
                else if ((n += octave[i % IFP_HIST_SUB]) >= rank)
                        return hist_middle(i);
        }
        return UINT64_MAX;
}

static uint64_t wall_of(const struct ifp_token_record *t)
{
        return t->end - t->start;
}

static void look_at(struct ledger *l, const struct ifp_token_record *t)
{
        uint32_t slot = (uint32_t)(l->n_slow % LEDGER_SLOW);

        if (wall_of(t) / LEDGER_TIMES <= l->median)
                return;
        l->slow[slot] = *t;
        l->slow_median[slot] = l->median;
        l->slow_here[slot] = true;
        l->n_slow++;
}

/* Before it is counted: it is held against the steps before it. */
static void look_whether_slow(struct ledger *l, const struct ifp_token_record *t)
{
        uint64_t n = l->wall.count;

        if (n < LEDGER_FIRST) {
                l->first[n] = *t;
                return;
        }
        if (n >= l->median_at) {
                l->median = median_of(&l->wall);
                l->median_at = n + 1 + (n / 16 < MEDIAN_EVERY ? n / 16 : MEDIAN_EVERY);
        }
        for (uint32_t i = 0; n == LEDGER_FIRST && i < LEDGER_FIRST; i++)
                if (l->first[i].number)
                        look_at(l, &l->first[i]);
        look_at(l, t);
}

static void add_record(struct ledger_sums *to, const struct ifp_token_record *t)
{
        struct ledger_sums s = {.steps = 1,
                                .tokens = t->n_tokens,
                                .wall_ticks = wall_of(t),
                                .all_ticks = t->all_ticks};

        memcpy(s.rows, t->rows, sizeof(s.rows));
        words_add(to, &s, sizeof(s));
}

static int take_record(struct process *p, const struct ifp_token_record *t, const char **ret_why)
{
        struct ledger *l = p->ledger;
        int r;

        if (t->end < t->start || wall_of(t) >> 48)
                return segment_bad(ret_why, "a decode step ended before it began");
        if (t->lane >= p->segment.header.n_lanes)
                return segment_bad(ret_why, "a decode step is of a lane that does not exist");
        if (t->number > l->head)
                add_record(&l->beyond, t);
        look_whether_slow(l, t);
        r = hist_count_one(&l->wall, wall_of(t));
        for (uint32_t w = 0; w < IFP_N_LEDGER_WHO; w++)
                for (uint32_t row = 0; !r && row < IFP_N_LEDGER; row++)
                        r = hist_count_one(&l->rows[w][row], t->rows[w][row]);
        return r;
}

static int drain(struct process *p, const char **ret_why)
{
        struct ifp_segment *s = p->segment.map;
        struct ledger *l = p->ledger;
        uint64_t head = __atomic_load_n(&s->ledger.head, __ATOMIC_ACQUIRE);
        int r = 0;

        if (head - l->tail > IFP_TOKEN_RING)
                return segment_bad(ret_why,
                                   "the head of its ring of decode steps ran backwards, or past "
                                   "what it can hold");
        if (head == l->tail)
                return 0;
        while (!r && l->tail != head) {
                const struct ifp_token_record *from = &s->token_ring[l->tail % IFP_TOKEN_RING];
                uint64_t number = __atomic_load_n(&from->number, __ATOMIC_ACQUIRE);
                struct ifp_token_record t;

                if (number != l->tail + 1)
                        return segment_bad(ret_why, "a decode step is not where its number says");
                segment_copy_words(&t, from, sizeof(t));
                t.number = number;
                r = take_record(p, &t, ret_why);
                l->tail += !r;
        }
        if (!r)
                __atomic_store_n(&s->ledger.tail, l->tail, __ATOMIC_RELEASE);
        p->dirty = true;
        return r;
}

int ledger_look_for(struct process *p)
{
        uint64_t at = offsetof(struct ifp_segment, ledger), from, to;

        if (p->ledger || !waits_are_on(&p->segment.header) ||
            !heap_load(&p->segment.map->live.generated_tokens) ||
            !segment_next_data(&p->segment, at, at + sizeof(struct ifp_ledger_sums), &from, &to))
                return 0;
        return ledger_new(p);
}

int ledger_round(struct process *p, const char **ret_why)
{
        int r = ledger_look_for(p);

        return r || !p->ledger ? r : drain(p, ret_why);
}

/* ---- sums ---- */

_Static_assert(sizeof(struct ifp_ledger_sums) % 8 == 0 && sizeof(struct ifp_token_record) % 8 == 0,
               "whole words");

/* Who died in the midst of adding a step, leaves the sums half done. The steps before it have
 * records. */
static void take_beyond(struct process *p)
{
        struct ledger *l = p->ledger;

        words_add(&l->sums, &l->beyond, sizeof(l->sums));
        l->head += l->beyond.steps;
        l->beyond = (struct ledger_sums){0};
}

/* What stood there before, stands, if the writer is at it each time. */
int ledger_take(struct process *p, const char **ret_why)
{
        const struct ifp_ledger_sums *from = &p->segment.map->ledger;
        struct ifp_ledger_sums now;
        struct ledger_sums sums;
        struct ledger *l;
        int r = ledger_round(p, ret_why);

        l = p->ledger;
        if (r || !l)
                return r;
        if (!segment_copy_under(&from->seq, &now, from, sizeof(now))) {
                if (p->end_ticks)
                        take_beyond(p);
                return 0;
        }
        sums = (struct ledger_sums){.steps = heap_bounded(now.steps),
                                    .tokens = heap_bounded(now.tokens),
                                    .dropped = heap_bounded(now.dropped),
                                    .wall_ticks = now.wall_ticks,
                                    .all_ticks = now.all_ticks};
        memcpy(sums.rows, now.rows, sizeof(sums.rows));
        if (words_run_back(&sums, &l->sums, sizeof(sums)))
                return segment_bad(ret_why, "the sums of its decode steps run backwards");
        p->dirty |= sums.steps != l->sums.steps;
        l->sums = sums;
        l->head = now.head;
        l->beyond = (struct ledger_sums){0};
        l->kernel = now.kernel;
        return 0;
}

void ledger_interval(struct process *p)
{
        struct ledger *l = p->ledger;

        if (!l || l->sums.steps == l->at_tick.steps)
                return;
        (void)words_subtract(&l->moved, &l->sums, &l->at_tick, sizeof(l->moved));
        l->at_tick = l->sums;
        l->moved_tick = p->n_ticks;
        l->moved_ns = clock_mono_ns();
}
