/* SPDX-License-Identifier: MIT */
/*
 * Sums over the lanes of what each thread told. Instants lie in a small ring that is read with
 * each round of the spans'; what was overwritten by then, or found no room here, is missing from
 * the file, and the number told beside it shows how many those are.
 */
#include "daemon/told.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/process.h"

#define MAX_WAITING 4096u   /* instants that wait for the file */
#define MAX_KEPT    100000u /* of one process */

static uint64_t load(const uint64_t *p)
{
        return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* ---- instants ------------------------------------------------------------------- */

static int keep_instant(struct told *t, const struct ifp_instant *from, uint64_t number)
{
        struct told_instant *i = calloc(1, sizeof(*i));

        if (!i)
                return -ENOMEM;
        i->number = number;
        i->ticks = from->ticks;
        i->tid = from->tid;
        i->kind = from->kind < IFP_N_INSTANT_KINDS ? from->kind : IFP_INSTANT_MARK;
        memcpy(i->text, from->text, sizeof(i->text));
        i->text[sizeof(i->text) - 1] = '\0';
        if (t->last)
                t->last->next = i;
        else
                t->first = i;
        t->last = i;
        t->n_waiting++;
        return 0;
}

int told_round(struct process *p)
{
        struct told *t = &p->told;
        uint64_t n = __atomic_load_n(&p->segment.map->live.n_instants, __ATOMIC_ACQUIRE);
        int r = 0;

        if (n <= t->next)
                return 0;
        if (n - t->next > IFP_MAX_INSTANTS)
                t->next = n - IFP_MAX_INSTANTS;
        for (; !r && t->next < n; t->next++) {
                const struct ifp_instant *at =
                        &p->segment.map->instants[t->next % IFP_MAX_INSTANTS];
                struct ifp_instant copy;
                uint64_t number = __atomic_load_n(&at->number, __ATOMIC_ACQUIRE);

                if (number < t->next + 1 && !p->end_ticks)
                        break; /* it is being written; a process that is gone never will */
                segment_copy_words(&copy, at, sizeof(copy));
                __atomic_thread_fence(__ATOMIC_ACQUIRE);
                if (number != t->next + 1 || load(&at->number) != number)
                        continue;
                if (t->n_waiting < MAX_WAITING && t->next < MAX_KEPT)
                        r = keep_instant(t, &copy, t->next);
        }
        p->dirty = true;
        return r;
}

/* ---- sums of lanes ---------------------------------------------------------------- */

static int64_t sum(int64_t a, int64_t b)
{
        int64_t s;

        if (__builtin_add_overflow(a, b, &s))
                return a < 0 ? INT64_MIN : INT64_MAX;
        return s;
}

static uint64_t sum_count(uint64_t a, uint64_t b)
{
        uint64_t s;

        return __builtin_add_overflow(a, b, &s) || s > INT64_MAX ? INT64_MAX : s;
}

static void add_marker(struct ifp_marker_row *to, const struct ifp_marker_row *from)
{
        if (!from->n)
                return;
        if (!to->n) {
                *to = *from;
                return;
        }
        to->n = sum_count(to->n, from->n);
        to->begin_bytes = sum(to->begin_bytes, from->begin_bytes);
        to->change_bytes = sum(to->change_bytes, from->change_bytes);
        if (from->least_change < to->least_change)
                to->least_change = from->least_change;
        if (from->most_change > to->most_change)
                to->most_change = from->most_change;
        if (from->highest > to->highest)
                to->highest = from->highest;
}

static bool was_touched(const struct process *p, uint32_t lane, size_t at, size_t bytes)
{
        uint64_t begin = segment_lane_offset(lane) + at, from, to;

        return segment_next_data(&p->segment, begin, begin + bytes, &from, &to);
}

static int markers_room(struct process *p)
{
        struct told *t = &p->told;
        struct ifp_marker_row *rows;
        uint64_t *written;

        if (p->n_ops <= t->n_ops)
                return 0;
        rows = realloc(t->markers, p->n_ops * sizeof(*rows));
        if (rows)
                t->markers = rows;
        written = realloc(t->markers_written, p->n_ops * sizeof(*written));
        if (written)
                t->markers_written = written;
        if (!rows || !written)
                return -ENOMEM;
        memset(written + t->n_ops, 0, (p->n_ops - t->n_ops) * sizeof(*written));
        t->n_ops = p->n_ops;
        return 0;
}

static void take_lane_markers(struct process *p, uint32_t lane)
{
        const struct ifp_marker_row *rows = p->segment.map->lanes[lane].markers;
        uint64_t begin = segment_lane_offset(lane) + offsetof(struct ifp_lane, markers);
        uint64_t end = begin + p->told.n_ops * sizeof(*rows), from, to;

        for (uint64_t at = begin; segment_next_data(&p->segment, at, end, &from, &to); at = to) {
                for (uint64_t op = (from - begin) / sizeof(*rows);
                     op < (to - begin) / sizeof(*rows); op++) {
                        struct ifp_marker_row copy;

                        if (p->ops[op].kind != IFP_KIND_MARKER)
                                continue;
                        segment_copy_words(&copy, &rows[op], sizeof(copy));
                        add_marker(&p->told.markers[op], &copy);
                }
        }
}

static int take_markers(struct process *p)
{
        struct told *t = &p->told;

        if (!__atomic_load_n(&p->segment.map->live.n_markers, __ATOMIC_RELAXED))
                return 0;
        if (markers_room(p))
                return -ENOMEM;
        memset(t->markers, 0, t->n_ops * sizeof(*t->markers));
        for (uint32_t i = 0; i < p->counts.n_lanes; i++)
                take_lane_markers(p, i);
        return 0;
}

static int take_counters(struct process *p, const char **ret_why)
{
        struct told *t = &p->told;
        uint32_t n = __atomic_load_n(&p->segment.map->live.n_counters, __ATOMIC_ACQUIRE);
        uint32_t n_lanes = p->segment.header.n_lanes;
        int r = 0;

        if (n > IFP_MAX_COUNTERS)
                return segment_bad(ret_why, "the counts of its tables lie");
        if (n && !t->counters)
                t->counters = calloc(IFP_MAX_COUNTERS, sizeof(*t->counters));
        if (n && !t->counters)
                return -ENOMEM;
        for (; !r && t->n_counters < n; t->n_counters += !r)
                r = segment_name(
                        &p->segment, &p->counts,
                        __atomic_load_n(&p->segment.map->counters[t->n_counters], __ATOMIC_RELAXED),
                        &t->counters[t->n_counters].name, ret_why);
        for (uint32_t c = 0; c < t->n_counters; c++)
                t->counters[c].counted = t->counters[c].calls = 0;
        for (uint32_t i = 0; !r && n && i <= p->counts.n_lanes; i++) {
                uint32_t at = i < p->counts.n_lanes ? i : n_lanes - 1; /* the crowd's at last */
                const struct ifp_lane *lane = &p->segment.map->lanes[at];

                if (!was_touched(p, at, offsetof(struct ifp_lane, counted),
                                 sizeof(lane->counted) + sizeof(lane->counts)))
                        continue;
                for (uint32_t c = 0; c < t->n_counters; c++) {
                        t->counters[c].counted =
                                sum_count(t->counters[c].counted, load(&lane->counted[c]));
                        t->counters[c].calls =
                                sum_count(t->counters[c].calls, load(&lane->counts[c]));
                }
        }
        return r;
}

static void add_tile(struct ifp_tile_row *to, const struct ifp_tile_row *from)
{
        to->unended = sum_count(to->unended, from->unended);
        if (!from->n)
                return;
        if (!to->n || from->least_elements < to->least_elements)
                to->least_elements = from->least_elements;
        if (from->most_elements > to->most_elements)
                to->most_elements = from->most_elements;
        if (!to->n || from->slowest > to->slowest) {
                to->slowest = from->slowest;
                to->slowest_row = from->slowest_row;
                to->slowest_col = from->slowest_col;
        }
        to->rows = from->rows > to->rows ? from->rows : to->rows;
        to->cols = from->cols > to->cols ? from->cols : to->cols;
        to->n = sum_count(to->n, from->n);
        to->ticks = sum_count(to->ticks, from->ticks);
        to->elements = sum_count(to->elements, from->elements);
        to->flops = sum_count(to->flops, from->flops);
}

static void take_tiles(struct process *p)
{
        struct told *t = &p->told;

        memset(t->tiles, 0, sizeof(t->tiles));
        t->tiles_unended = 0;
        for (uint32_t i = 0; i < p->counts.n_lanes; i++) {
                struct ifp_tile_row copy[IFP_N_TILE_LEVELS];

                if (!was_touched(p, i, offsetof(struct ifp_lane, tiles), sizeof(copy)))
                        continue;
                segment_copy_words(copy, p->segment.map->lanes[i].tiles, sizeof(copy));
                for (uint32_t level = 0; level < IFP_N_TILE_LEVELS; level++) {
                        add_tile(&t->tiles[level], &copy[level]);
                        t->tiles_unended = sum_count(
                                t->tiles_unended,
                                copy[level].unended + (p->end_ticks && copy[level].since != 0));
                }
        }
}

/* Grows with whatever was told, markers and instants apart. */
static uint64_t mark_of(const struct told *t)
{
        uint64_t mark = t->requests_ok + t->requests_failed + t->n_instants + t->markers_refused +
                        t->markers_left + t->markers_unmatched + t->counters_refused +
                        t->tiles_unmatched + t->tiles_unended;

        for (uint32_t c = 0; c < t->n_counters; c++)
                mark += t->counters[c].calls;
        for (uint32_t level = 0; level < IFP_N_TILE_LEVELS; level++)
                mark += t->tiles[level].n;
        return mark;
}

int told_take(struct process *p, const char **ret_why)
{
        const struct ifp_live *live = &p->segment.map->live;
        struct told *t = &p->told;
        int r;

        t->requests_ok = load(&live->requests_ok);
        t->requests_failed = load(&live->requests_failed);
        t->n_instants = load(&live->n_instants);
        t->markers_refused = load(&live->markers_refused);
        t->markers_left = load(&live->markers_left);
        t->markers_unmatched = load(&live->markers_unmatched);
        t->counters_refused = load(&live->counters_refused);
        t->tiles_unmatched = load(&live->tiles_unmatched);
        take_tiles(p);
        r = take_counters(p, ret_why);
        if (!r)
                r = take_markers(p);
        if (!r)
                r = told_round(p);
        t->mark = mark_of(t);
        p->dirty |= t->mark != t->written;
        return r;
}

void told_done(struct told *t)
{
        while (t->first) {
                struct told_instant *next = t->first->next;

                free(t->first);
                t->first = next;
        }
        for (uint32_t c = 0; t->counters && c < IFP_MAX_COUNTERS; c++)
                free(t->counters[c].name);
        free(t->counters);
        free(t->markers);
        free(t->markers_written);
        *t = (struct told){0};
}
