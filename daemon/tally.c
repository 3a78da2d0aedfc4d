/* SPDX-License-Identifier: MIT */
/*
 * A lane's rows only grow, over all the threads that had the lane. A thread's
 * own figures are the difference between now and the reading at the end of the
 * thread before it; the figures of a process are the sum over its threads. All
 * differences come from the same two readings, so the sums telescope: nothing
 * is counted twice or left out, whatever moment a reading is taken at.
 *
 * Rows that were never touched are holes of the memfd; they are not read.
 */
#include "daemon/tally.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/words.h"

void tally_done(struct tally *t)
{
        free(t->rows);
        *t = (struct tally){0};
}

void tally_scratch_done(struct tally_scratch *s)
{
        free(s->at);
        free(s->touched);
        *s = (struct tally_scratch){0};
}

static int scratch_grow(struct tally_scratch *s, uint32_t n_ops)
{
        if (n_ops <= s->n_ops)
                return 0;
        tally_scratch_done(s);
        s->at = calloc((size_t)n_ops * IFP_N_PHASES, sizeof(*s->at));
        s->touched = calloc((size_t)n_ops * IFP_N_PHASES, 1);
        if (!s->at || !s->touched) {
                tally_scratch_done(s);
                return -ENOMEM;
        }
        s->n_ops = n_ops;
        return 0;
}

static inline uint64_t load(const uint64_t *p)
{
        return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static bool take_time(struct figures *f, const struct ifp_time_row *row)
{
        f->timed = load(&row->timed);
        f->untimed = load(&row->untimed);
        f->total = load(&row->total);
        f->child = load(&row->child);
        return f->timed | f->untimed | f->total | f->child;
}

static bool take_alloc(struct figures *f, const struct ifp_alloc_row *row)
{
        f->alloc_calls = load(&row->calls);
        f->asked_bytes = load(&row->asked_bytes);
        f->usable_bytes = load(&row->usable_bytes);
        f->frees = load(&row->frees);
        f->freed_bytes = load(&row->freed_bytes);
        f->alloc_failed = load(&row->failed);
        f->maps = load(&row->maps);
        f->mapped_bytes = load(&row->mapped_bytes);
        return f->alloc_calls | f->frees | f->alloc_failed | f->maps | f->mapped_bytes;
}

/* Stretches of data begin and end on pages, so they hold whole rows only where rows divide pages.
 */
_Static_assert(offsetof(struct ifp_lane, time) % sizeof(struct ifp_time_row) == 0 &&
                       offsetof(struct ifp_lane, alloc) % sizeof(struct ifp_alloc_row) == 0 &&
                       4096 % sizeof(struct ifp_time_row) == 0 &&
                       4096 % sizeof(struct ifp_alloc_row) == 0,
               "no row lies across two pages");

/* Both tables of a lane into the scratch space. */
static void take_lane(struct tally_scratch *x, const struct segment *s, uint32_t n_ops,
                      uint32_t lane)
{
        const struct ifp_lane *l = &s->map->lanes[lane];
        uint64_t at = segment_lane_offset(lane), from, to;
        uint64_t begin = at + offsetof(struct ifp_lane, time);
        uint64_t end = begin + (uint64_t)n_ops * sizeof(l->time[0]);

        for (uint64_t p = begin; segment_next_data(s, p, end, &from, &to); p = to) {
                uint32_t first = (uint32_t)((from - begin) / sizeof(l->time[0][0]));
                uint32_t last = (uint32_t)((to - begin) / sizeof(l->time[0][0]));

                for (uint32_t i = first; i < last; i++)
                        x->touched[i] |= take_time(&x->at[i], &l->time[0][0] + i);
        }
        begin = at + offsetof(struct ifp_lane, alloc);
        end = begin + (uint64_t)n_ops * sizeof(l->alloc[0]);
        for (uint64_t p = begin; segment_next_data(s, p, end, &from, &to); p = to) {
                uint32_t first = (uint32_t)((from - begin) / sizeof(l->alloc[0][0]));
                uint32_t last = (uint32_t)((to - begin) / sizeof(l->alloc[0][0]));

                for (uint32_t i = first; i < last; i++)
                        x->touched[i] |= take_alloc(&x->at[i], &l->alloc[0][0] + i);
        }
}

static bool is_zero(const struct figures *f)
{
        static const struct figures zero;

        return !memcmp(f, &zero, sizeof(zero));
}

int tally_read(struct tally *ret, struct tally_scratch *x, const struct segment *s, uint32_t n_ops,
               uint32_t lane, const struct tally *base, const char **ret_why)
{
        struct tally t = {0};
        uint32_t n = 0;
        bool forward = true;
        int r;

        r = scratch_grow(x, n_ops);
        if (r < 0)
                return r;
        take_lane(x, s, n_ops, lane);
        for (uint32_t i = 0; base && i < base->n_rows; i++) {
                uint32_t key = base->rows[i].key;

                if (key >= n_ops * IFP_N_PHASES)
                        continue;
                x->touched[key] = 1;
                forward &= words_subtract(&x->at[key], &x->at[key], &base->rows[i].f,
                                          sizeof(x->at[key]));
        }
        for (uint32_t i = 0; i < n_ops * IFP_N_PHASES; i++)
                n += x->touched[i];
        t.rows = malloc(n * sizeof(*t.rows) + 1);
        for (uint32_t i = 0; i < n_ops * IFP_N_PHASES; i++) {
                if (!x->touched[i])
                        continue;
                if (t.rows && !is_zero(&x->at[i]))
                        t.rows[t.n_rows++] = (struct tally_row){.key = i, .f = x->at[i]};
                x->touched[i] = 0;
                x->at[i] = (struct figures){0};
        }
        if (!t.rows)
                return -ENOMEM;
        if (!forward) {
                free(t.rows);
                *ret_why = "its counts run backwards";
                return SEGMENT_E_BAD;
        }
        *ret = t;
        return 0;
}

void tally_figures_add(struct figures *to, const struct figures *f)
{
        words_add(to, f, sizeof(*to));
}

void tally_add_to(const struct tally *t, struct figures *to, uint32_t n)
{
        for (uint32_t i = 0; i < t->n_rows && t->rows[i].key < n; i++)
                tally_figures_add(&to[t->rows[i].key], &t->rows[i].f);
}

int tally_merge(struct tally *to, const struct tally *t)
{
        struct tally_row *rows;
        uint32_t a = 0, b = 0, n = 0;

        rows = malloc((to->n_rows + t->n_rows) * sizeof(*rows) + 1);
        if (!rows)
                return -ENOMEM;
        while (a < to->n_rows || b < t->n_rows) {
                bool left = a < to->n_rows && (b == t->n_rows || to->rows[a].key <= t->rows[b].key);
                bool both = left && b < t->n_rows && to->rows[a].key == t->rows[b].key;

                rows[n] = left ? to->rows[a++] : t->rows[b++];
                if (both)
                        tally_figures_add(&rows[n].f, &t->rows[b++].f);
                n++;
        }
        free(to->rows);
        to->rows = rows;
        to->n_rows = n;
        return 0;
}
