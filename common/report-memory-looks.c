/* SPDX-License-Identifier: MIT */
/*
 * What was seen at each second: `timeline`, and what `allocator` and `outside` are made from. The
 * looks at all processes are gone through in the order of time, and what each process showed last
 * is kept in one sum: gauges until the process is gone, counters for good. A figure that some
 * processes do not tell is the sum of those that do.
 *
 * efficiency = useful / held. Useful: what the allocator says that the engine holds in
 * blocks, else live bytes. Held: what the allocator says is resident, else anonymous memory, which
 * has thread stacks and the engine's own mappings in it. More useful than held is memory that was
 * never touched: then nothing is said. Both are of one instant. At a process's end, when all is
 * freed and anonymous memory is from some time before, the last look of its life stands; and where
 * an allocator says what is resident, only those looks count in which it did.
 */
#include "common/report-memory-private.h"

#include <errno.h>
#include <math.h>

#include "common/cleanup.h"
#include "common/report-private.h"

#define MAX_POINTS 600

/* A process's look comes, or the process is gone. */
struct event {
        uint64_t second;
        const struct memory_look *look; /* NULL: gone */
        size_t process;
};

const struct runfile_process *memory_main_process(const struct memory *m)
{
        const struct memory_process *p = m->processes;
        size_t main = 0;

        for (size_t i = 1; i < m->model.n_processes; i++)
                if (p[i].calls > p[main].calls)
                        main = i;
        return m->model.n_processes ? &m->model.processes[main] : NULL;
}

static void tell(struct look *l, int figure, uint64_t v)
{
        l->value[figure] = v == RUNFILE_NOT_TOLD ? 0 : v > INT64_MAX ? INT64_MAX : (int64_t)v;
        l->told[figure] = v != RUNFILE_NOT_TOLD;
}

struct look look_of(const struct runfile_memory *row)
{
        uint64_t live = row->live_bytes > 0 ? (uint64_t)row->live_bytes : 0;
        struct look l = {.second = row->second};

        tell(&l, GAUGE_RSS, row->rss);
        tell(&l, GAUGE_PSS, row->pss);
        tell(&l, GAUGE_ANONYMOUS, row->anonymous);
        tell(&l, GAUGE_FILE, row->file);
        tell(&l, GAUGE_HUGE, row->huge);
        tell(&l, GAUGE_SWAP, row->swap);
        tell(&l, GAUGE_LIVE, live);
        l.value[GAUGE_LIVE] = row->live_bytes;
        tell(&l, GAUGE_ALLOCATED, row->allocated);
        tell(&l, GAUGE_ACTIVE, row->active);
        tell(&l, GAUGE_METADATA, row->metadata);
        tell(&l, GAUGE_RESIDENT, row->resident);
        tell(&l, GAUGE_MAPPED, row->mapped);
        tell(&l, GAUGE_RETAINED, row->retained);
        tell(&l, GAUGE_FREE, row->free_bytes);
        tell(&l, GAUGE_RELEASABLE, row->releasable);
        tell(&l, GAUGE_HELD, row->resident != RUNFILE_NOT_TOLD ? row->resident : row->anonymous);
        tell(&l, GAUGE_USEFUL,
             !l.told[GAUGE_HELD]                  ? RUNFILE_NOT_TOLD
             : row->allocated != RUNFILE_NOT_TOLD ? row->allocated
                                                  : live);
        if (row->allocated != RUNFILE_NOT_TOLD && row->active != RUNFILE_NOT_TOLD) {
                tell(&l, GAUGE_IN_BLOCKS, row->allocated);
                tell(&l, GAUGE_IN_PAGES, row->active);
        }
        tell(&l, COUNTER_CALLS, row->calls);
        tell(&l, COUNTER_ASKED, row->asked_bytes);
        tell(&l, COUNTER_FREES, row->frees);
        tell(&l, COUNTER_MAPPED, row->mapped_bytes);
        tell(&l, COUNTER_MINOR_FAULTS, row->minor_faults);
        tell(&l, COUNTER_MAJOR_FAULTS, row->major_faults);
        return l;
}

/* In the place of what the process showed before, figures `first` up to `end`. */
static void replace(struct look *sum, const struct look *old, const struct look *new, int first,
                    int end)
{
        for (int i = first; i < end; i++) {
                /* bounded so that no number of processes leaves int64: figures of a file */
                __builtin_sub_overflow(sum->value[i], old->value[i], &sum->value[i]);
                if (__builtin_add_overflow(sum->value[i], new->value[i], &sum->value[i]))
                        sum->value[i] = INT64_MAX;
                sum->told[i] += new->told[i] - old->told[i];
        }
}

static int compare_events(const void *a, const void *b)
{
        const struct event *p = a, *q = b;

        if (p->second != q->second)
                return p->second < q->second ? -1 : 1;
        if (!p->look != !q->look) /* what goes, goes first */
                return p->look ? 1 : -1;
        return p->process < q->process ? -1 : p->process > q->process;
}

/* The looks of each process in turn, and its going after the last. */
static size_t collect_events(const struct memory *m, struct event *events)
{
        uint64_t to = m->to_ns / 1000000000u;
        size_t n = 0;

        for (size_t i = 0; i < m->n_looks; i++) {
                const struct memory_look *look = &m->looks[i];
                uint64_t ended = m->processes[look->process].ended_ns;
                bool last = i + 1 == m->n_looks || m->looks[i + 1].process != look->process;

                if (!m->windowed || look->row.second <= to)
                        events[n++] = (struct event){look->row.second, look, look->process};
                if (last && ended != UINT64_MAX) {
                        ended /= 1000000000u;
                        if (ended <= look->row.second)
                                ended = look->row.second + 1;
                        events[n++] = (struct event){ended, NULL, look->process};
                }
        }
        if (n)
                qsort(events, n, sizeof(*events), compare_events);
        return n;
}

/* Whose allocator says what is resident, if not in every look. */
static bool *find_told_resident(const struct memory *m)
{
        bool *told = calloc(m->model.n_processes + 1, sizeof(*told));

        for (size_t i = 0; told && i < m->n_looks; i++)
                told[m->looks[i].process] |= m->looks[i].row.resident != RUNFILE_NOT_TOLD;
        return told;
}

/* Efficiency is of one instant: where this look's is not, that of the look before stands. */
static void keep_instant(const struct memory *m, const struct memory_look *at, bool tells_resident,
                         const struct look *before, struct look *look)
{
        uint64_t ended = m->processes[at->process].ended_ns;
        bool over = ended != UINT64_MAX && at->row.second >= ended / 1000000000u;

        if (at->row.resident != RUNFILE_NOT_TOLD || !(over || tells_resident))
                return;
        for (int i = GAUGE_USEFUL; i <= GAUGE_HELD; i++) {
                look->value[i] = before->value[i];
                look->told[i] = before->told[i];
        }
}

static int go_through(const struct memory *m, struct looks *l)
{
        _cleanup_(freep) struct event *events = calloc(2 * m->n_looks + 1, sizeof(*events));
        _cleanup_(freep) struct look *now = calloc(m->model.n_processes + 1, sizeof(*now));
        _cleanup_(freep) bool *tells = find_told_resident(m);
        uint64_t from = m->windowed ? m->from_ns / 1000000000u : 0;
        struct look sum = {0}, nothing = {0};
        size_t n, next;

        l->at = calloc(m->n_looks + 1, sizeof(*l->at));
        if (!events || !now || !tells || !l->at)
                return -ENOMEM;
        n = collect_events(m, events);
        for (size_t i = 0; i < n; i = next) {
                bool looked = false, main = false;

                for (next = i; next < n && events[next].second == events[i].second; next++) {
                        struct look *mine = &now[events[next].process], look = nothing;

                        if (!events[next].look) {
                                replace(&sum, mine, &nothing, 0, N_GAUGES);
                                continue;
                        }
                        look = look_of(&events[next].look->row);
                        keep_instant(m, events[next].look, tells[events[next].process], mine,
                                     &look);
                        replace(&sum, mine, &look, 0, N_FIGURES);
                        *mine = look;
                        looked = true;
                        main |= &m->model.processes[events[next].process] == l->main;
                }
                sum.second = events[i].second;
                if (main)
                        l->last = sum;
                if (looked && sum.second >= from)
                        l->at[l->n++] = sum;
        }
        return 0;
}

json_t *look_value(const struct look *l, int figure)
{
        return l->told[figure] ? json_integer(l->value[figure]) : json_null();
}

static double ratio(const struct look *l, int part, int whole)
{
        return l->told[part] && l->told[whole] && l->value[whole] > 0 && l->value[part] >= 0 &&
                               l->value[part] <= l->value[whole]
                       ? (double)l->value[part] / (double)l->value[whole]
                       : NAN;
}

json_t *look_efficiency(const struct look *l)
{
        return report_fraction(ratio(l, GAUGE_USEFUL, GAUGE_HELD));
}

json_t *look_fragmentation(const struct look *l)
{
        return report_fraction(1 - ratio(l, GAUGE_IN_BLOCKS, GAUGE_IN_PAGES));
}

struct named {
        const char *name;
        int figure;
};

static const struct named outside[] = {{"rss", GAUGE_RSS},
                                       {"pss", GAUGE_PSS},
                                       {"anonymous", GAUGE_ANONYMOUS},
                                       {"file", GAUGE_FILE},
                                       {"huge", GAUGE_HUGE},
                                       {"swap", GAUGE_SWAP},
                                       {NULL, 0}};
static const struct named allocator[] = {{"allocated", GAUGE_ALLOCATED},
                                         {"active", GAUGE_ACTIVE},
                                         {"metadata", GAUGE_METADATA},
                                         {"resident", GAUGE_RESIDENT},
                                         {"mapped", GAUGE_MAPPED},
                                         {"retained", GAUGE_RETAINED},
                                         {"free_bytes", GAUGE_FREE},
                                         {"releasable", GAUGE_RELEASABLE},
                                         {NULL, 0}};
static const struct named counters[] = {{"calls", COUNTER_CALLS},
                                        {"asked_bytes", COUNTER_ASKED},
                                        {"frees", COUNTER_FREES},
                                        {"mapped_bytes", COUNTER_MAPPED},
                                        {"minor_faults", COUNTER_MINOR_FAULTS},
                                        {"major_faults", COUNTER_MAJOR_FAULTS},
                                        {NULL, 0}};

void look_put(json_t *o, const struct look *l, enum look_part part)
{
        const struct named *n = part == LOOK_OUTSIDE     ? outside
                                : part == LOOK_ALLOCATOR ? allocator
                                                         : counters;

        for (; n->name; n++)
                report_set(o, n->name, look_value(l, n->figure));
}

/* Of each stretch of seconds the one where most was resident, so that the peak stays; of the last
 * stretch the last, so that counters end where they do. */
static const struct look *pick(const struct looks *l, size_t first, size_t end)
{
        const struct look *best = &l->at[end - 1];

        for (size_t i = first; end < l->n && i < end; i++) {
                int by = l->at[i].told[GAUGE_RSS] ? GAUGE_RSS : GAUGE_LIVE;

                if (l->at[i].value[by] > best->value[by])
                        best = &l->at[i];
        }
        return best;
}

static json_t *build_timeline(const struct looks *l)
{
        size_t step = (l->n + MAX_POINTS - 1) / MAX_POINTS;
        json_t *timeline = json_array();

        for (size_t i = 0; i < l->n; i += step) {
                const struct look *look = pick(l, i, i + step < l->n ? i + step : l->n);
                json_t *o = json_object();

                report_set(o, "second", report_integer(look->second));
                look_put(o, look, LOOK_OUTSIDE);
                report_set(o, "live_bytes", look_value(look, GAUGE_LIVE));
                look_put(o, look, LOOK_COUNTERS);
                report_set(o, "allocated", look_value(look, GAUGE_ALLOCATED));
                report_set(o, "active", look_value(look, GAUGE_ACTIVE));
                report_set(o, "resident", look_value(look, GAUGE_RESIDENT));
                report_set(o, "retained", look_value(look, GAUGE_RETAINED));
                report_set(o, "efficiency", look_efficiency(look));
                report_set(o, "fragmentation", look_fragmentation(look));
                json_array_append_new(timeline, o);
        }
        return timeline;
}

int memory_build_looks(struct memory *m, json_t *document)
{
        struct looks l = {.main = memory_main_process(m)};
        int r = go_through(m, &l);

        if (!r) {
                for (size_t i = 0; i < l.n; i++)
                        if (l.at[i].told[GAUGE_USEFUL] && l.at[i].value[GAUGE_USEFUL] >= 0) {
                                l.useful += (double)l.at[i].value[GAUGE_USEFUL];
                                l.held += (double)l.at[i].value[GAUGE_HELD];
                        }
                report_set(document, "allocator", memory_build_allocator(m, &l));
                report_set(document, "outside", memory_build_outside(m, &l));
                report_set(document, "mapped_files", memory_build_files(m));
                report_set(document, "timeline", build_timeline(&l));
        }
        free(l.at);
        return r;
}
