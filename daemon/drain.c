/* SPDX-License-Identifier: MIT */
/*
 * The daemon's hot loop: one record after the other from the ring of a lane
 * into the distribution of its op and phase. A record costs a few loads, a
 * few adds and one bucket; whatever is rare (a first record of an op, a full
 * octave, a lie) leaves the loop.
 *
 * The records are the engine's memory and may change under our hands: each
 * word is loaded once and checked in the copy. The position we read from is
 * our own; the shared tail is only told.
 *
 * Invariant: tail <= head <= tail + IFP_RING_SLOTS, or the process is cut off.
 */
#include "daemon/drain.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/series.h"

#define PREFETCH 8u    /* records ahead */
#define BATCH    1024u /* records between two words to the writer */
#define MASK     (IFP_RING_SLOTS - 1)
_Static_assert((IFP_RING_SLOTS & MASK) == 0, "slots are masked");
_Static_assert(IFP_N_PHASES <= DRAIN_STRIDE, "a phase indexes a cell");

void drain_init(struct drain *d)
{
        *d = (struct drain){0};
}

static void hist_free(struct drain_hist *h)
{
        if (!h)
                return;
        for (uint32_t i = 0; i < IFP_HIST_OCTAVES; i++)
                free(h->octave[i]);
        free(h);
}

void drain_done(struct drain *d)
{
        for (uint32_t i = 0; i < d->n_ops * IFP_N_PHASES; i++)
                hist_free(d->hists[i]);
        free(d->hists);
        series_free(d->series);
        *d = (struct drain){0};
}

void drain_lane_init(struct drain_lane *l, uint64_t tail)
{
        *l = (struct drain_lane){.tail = tail};
}

void drain_lane_reset(struct drain_lane *l)
{
        for (uint32_t i = 0; i < l->n_ops * DRAIN_STRIDE; i++)
                free(l->cells[i]);
        free(l->cells);
        l->cells = NULL;
        l->n_ops = 0;
}

void drain_lane_done(struct drain_lane *l)
{
        drain_lane_reset(l);
}

/* Room for at least `n_ops` ops in a table of pointers with `stride` of them an op. */
static int grow(void *table, uint32_t *have, uint32_t n_ops, uint32_t stride)
{
        uint32_t want = *have ? *have : 32;
        void **old = *(void **)table, **new;

        if (n_ops <= *have)
                return 0;
        while (want < n_ops)
                want *= 2;
        new = realloc(old, sizeof(*new) * want * stride);
        if (!new)
                return -ENOMEM;
        for (uint32_t i = *have * stride; i < want * stride; i++)
                new[i] = NULL;
        *(void **)table = new;
        *have = want;
        return 0;
}

struct drain_hist *drain_get(struct drain *d, uint32_t op, uint32_t phase)
{
        struct drain_hist **h;

        if (grow(&d->hists, &d->n_ops, op + 1, IFP_N_PHASES) < 0)
                return NULL;
        h = &d->hists[op * IFP_N_PHASES + phase];
        if (!*h) {
                *h = calloc(1, sizeof(**h));
                if (*h)
                        (*h)->min = UINT64_MAX;
        }
        return *h;
}

const struct drain_hist *drain_find(const struct drain *d, uint32_t op, uint32_t phase)
{
        return op < d->n_ops ? d->hists[op * IFP_N_PHASES + phase] : NULL;
}

const struct drain_cell *drain_lane_cell(const struct drain_lane *l, uint32_t op, uint32_t phase)
{
        return op < l->n_ops ? l->cells[op * DRAIN_STRIDE + phase] : NULL;
}

/* The first record of an op and phase on a lane, or one that lies. */
static __attribute__((noinline, cold)) int cell_make(struct drain *d, struct drain_lane *l,
                                                     uint32_t op, uint32_t phase,
                                                     const uint32_t *n_ops)
{
        struct drain_cell *c;
        int r;

        if (op >= IFP_MAX_OPS || op >= __atomic_load_n(n_ops, __ATOMIC_ACQUIRE))
                return DRAIN_E_OP;
        if (phase >= IFP_N_PHASES)
                return DRAIN_E_PHASE;
        r = grow(&l->cells, &l->n_ops, op + 1, DRAIN_STRIDE);
        if (r < 0)
                return r;
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->min = UINT64_MAX;
        c->hist = drain_get(d, op, phase);
        if (!c->hist) {
                free(c);
                return -ENOMEM;
        }
        l->cells[op * DRAIN_STRIDE + phase] = c;
        return 0;
}

static __attribute__((noinline, cold)) uint64_t *octave_make(struct drain_hist *h, uint32_t octave)
{
        return h->octave[octave] = calloc(IFP_HIST_SUB, sizeof(uint64_t));
}

int drain_hist_add(struct drain_hist *h, uint32_t index, uint64_t n)
{
        uint64_t *octave = h->octave[index / IFP_HIST_SUB];

        if (!octave)
                octave = octave_make(h, index / IFP_HIST_SUB);
        if (!octave)
                return -ENOMEM;
        octave[index % IFP_HIST_SUB] += n;
        return 0;
}

void drain_hist_flatten(const struct drain_hist *h, uint64_t *buckets)
{
        for (uint32_t k = 0; k < IFP_HIST_OCTAVES; k++)
                for (uint32_t i = 0; h->octave[k] && i < IFP_HIST_SUB; i++)
                        buckets[k * IFP_HIST_SUB + i] += h->octave[k][i];
}

/* One record into its cell and distribution. */
static inline int count(struct drain *d, struct drain_lane *l, uint64_t dur_op, uint64_t child,
                        const uint32_t *n_ops)
{
        uint32_t op = (uint32_t)(dur_op >> 48), phase = (uint32_t)(child >> 56) & 7, index, k;
        uint64_t dur = dur_op & IFP_TICKS_MASK, *octave;
        struct drain_cell *c = NULL;
        struct drain_hist *h;

        if (__builtin_expect(op < l->n_ops, 1))
                c = l->cells[op * DRAIN_STRIDE + phase];
        if (__builtin_expect(!c, 0)) {
                int r = cell_make(d, l, op, phase, n_ops);

                if (r)
                        return r;
                c = l->cells[op * DRAIN_STRIDE + phase];
        }
        h = c->hist;
        index = ifp_hist_index(dur);
        k = index / IFP_HIST_SUB;
        octave = h->octave[k];
        if (__builtin_expect(!octave, 0)) {
                octave = octave_make(h, k);
                if (!octave)
                        return -ENOMEM;
        }
        octave[index % IFP_HIST_SUB]++;
        c->count++;
        if (dur < c->min) {
                c->min = dur;
                if (dur < h->min)
                        h->min = dur;
        }
        if (dur > c->max) {
                c->max = dur;
                if (dur > h->max)
                        h->max = dur;
        }
        h->count++;
        h->left += child >> 59 & IFP_REC_LEFT;
        h->sumsq += (double)dur * (double)dur;
        return 0;
}
_Static_assert(IFP_REC_LEFT == 1, "added as a bit");

/* Up to `end`, which lies within the ring's length and within one lap. */
static int drain_some(struct drain *d, struct drain_lane *l, const struct ifp_record *ring,
                      uint64_t end, const uint32_t *n_ops)
{
        uint64_t position = l->tail, lap = (uint64_t)ifp_ring_lap(position) << 32, dur_op, child;
        int r = 0;

        for (; position != end; position++) {
                const struct ifp_record *s = &ring[position & MASK];
                uint64_t last =
                        __atomic_load_n((const uint64_t *)(const void *)&s->arg, __ATOMIC_ACQUIRE);

                __builtin_prefetch(&ring[(position + PREFETCH) & MASK]);
                if ((last & ~0xffffffffull) != lap)
                        break;
                dur_op = *(const volatile uint64_t *)&s->dur_op;
                child = *(const volatile uint64_t *)&s->child;
                r = count(d, l, dur_op, child, n_ops);
                if (__builtin_expect(r, 0))
                        break;
                if (__builtin_expect(d->series != NULL, 0))
                        series_take(d->series, *(const volatile uint64_t *)&s->start,
                                    dur_op & IFP_TICKS_MASK, (uint32_t)(dur_op >> 48),
                                    (uint32_t)(child >> 56) & 7);
        }
        l->tail = position;
        return r;
}

/* The head, checked. */
static int head_load(const struct drain_lane *l, const struct ifp_lane *lane, uint64_t *ret)
{
        uint64_t head = __atomic_load_n(&lane->writer.head, __ATOMIC_ACQUIRE);

        if (head - l->tail > IFP_RING_SLOTS)
                return DRAIN_E_HEAD;
        *ret = head;
        return 0;
}

int drain_lane(struct drain *d, struct drain_lane *l, struct ifp_lane *lane, const uint32_t *n_ops,
               uint64_t *ret_n)
{
        uint64_t head, first = l->tail;
        int r;

        *ret_n = 0;
        r = head_load(l, lane, &head);
        if (r)
                return r;
        while (l->tail != head) {
                uint64_t begin = l->tail, lap_end = (begin | MASK) + 1, end = head;

                if (end > begin + BATCH)
                        end = begin + BATCH;
                if (end > lap_end)
                        end = lap_end;
                r = drain_some(d, l, lane->ring, end, n_ops);
                if (l->tail != begin)
                        __atomic_store_n(&lane->reader.tail, l->tail, __ATOMIC_RELEASE);
                if (r || l->tail != end)
                        break;
        }
        *ret_n = l->tail - first;
        l->drained += l->tail - first;
        if (l->tail != first)
                l->stalled = false;
        return r;
}

uint64_t drain_waiting(const struct drain_lane *l, const struct ifp_lane *lane)
{
        return __atomic_load_n(&lane->writer.head, __ATOMIC_ACQUIRE) - l->tail;
}

void drain_skip(struct drain_lane *l, struct ifp_lane *lane)
{
        l->tail++;
        l->skipped++;
        l->stalled = false;
        __atomic_store_n(&lane->reader.tail, l->tail, __ATOMIC_RELEASE);
}

bool drain_is_overtaken(const struct drain_lane *l, const struct ifp_lane *lane)
{
        uint64_t head;
        struct ifp_record r;

        if (head_load(l, lane, &head))
                return false;
        for (uint64_t p = l->tail + 1; p < head; p++)
                if (ifp_ring_read(lane->ring, p, &r))
                        return true;
        return false;
}
