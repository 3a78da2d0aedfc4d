/* SPDX-License-Identifier: MIT */
/*
 * What engines told of themselves. Markers and counters of the same name in several processes are
 * one. Live bytes are those of the process that each call was in.
 *
 * Elements of tiles are taken to be of ELEMENT_BYTES. A tile of a level is meant to be served by
 * one cache: macro by the third, midi by the second, micro by the first; its roof is that of the
 * roofline model with that cache's bandwidth, at one thread, for a tile is worked on by one.
 */
#include "common/report-told.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/fmt.h"
#include "common/report-private.h"
#include "common/runfile-private.h"

#define ELEMENT_BYTES 4
#define MAX_INSTANTS  1000u /* in the document: the last */

static const char *const level_names[IFP_N_TILE_LEVELS] = {"macro", "midi", "micro"};
static const enum ceiling_level level_caches[IFP_N_TILE_LEVELS] = {CEILING_L3, CEILING_L2,
                                                                   CEILING_L1};

/* ---- reading -------------------------------------------------------------------- */

static int check_process(const struct report_told *t, const char *table, uint32_t process)
{
        return model_process_index(t->model, t->rf, table, process, t->why) == SIZE_MAX
                       ? RUNFILE_E_FOREIGN
                       : 0;
}

static int take_told(const struct runfile_told *row, void *userdata)
{
        struct report_told *t = userdata;
        struct runfile_told *s = &t->sum;
        int r = check_process(t, "told", row->process);

        s->requests_ok = sum_u64(s->requests_ok, row->requests_ok);
        s->requests_failed = sum_u64(s->requests_failed, row->requests_failed);
        s->instants = sum_u64(s->instants, row->instants);
        s->markers_refused = sum_u64(s->markers_refused, row->markers_refused);
        s->markers_left = sum_u64(s->markers_left, row->markers_left);
        s->markers_unmatched = sum_u64(s->markers_unmatched, row->markers_unmatched);
        s->counters_refused = sum_u64(s->counters_refused, row->counters_refused);
        s->tiles_unmatched = sum_u64(s->tiles_unmatched, row->tiles_unmatched);
        s->tiles_unended = sum_u64(s->tiles_unended, row->tiles_unended);
        return r;
}

static int find_marker(struct report_told *t, const char *name, struct told_marker **ret)
{
        struct told_marker *m;

        for (size_t i = 0; i < t->n_markers; i++)
                if (!strcmp(t->markers[i].name, name)) {
                        *ret = &t->markers[i];
                        return 0;
                }
        m = GROW(&t->markers, &t->n_markers, &t->room_markers);
        if (!m)
                return -ENOMEM;
        *m = (struct told_marker){.name = strdup(name)};
        *ret = m;
        return m->name ? 0 : -ENOMEM;
}

static int take_marker(const struct runfile_marker *row, void *userdata)
{
        struct report_told *t = userdata;
        const struct model_op *op = model_op(t->model, row->process, row->op);
        struct told_marker *m;
        struct runfile_marker *s;
        int r;

        if (!op)
                return model_dangling(t->rf, "marker", "op", row->process, row->op, t->why);
        r = row->n ? find_marker(t, op->name, &m) : 0;
        if (r || !row->n)
                return r;
        s = &m->sum;
        if (!s->n) {
                *s = *row;
                return 0;
        }
        s->n = sum_u64(s->n, row->n);
        s->begin_bytes = sum_i64(s->begin_bytes, row->begin_bytes);
        s->change_bytes = sum_i64(s->change_bytes, row->change_bytes);
        s->least_change = row->least_change < s->least_change ? row->least_change : s->least_change;
        s->most_change = row->most_change > s->most_change ? row->most_change : s->most_change;
        s->highest = row->highest > s->highest ? row->highest : s->highest;
        return 0;
}

static int take_counter(const struct runfile_counter *row, void *userdata)
{
        struct report_told *t = userdata;
        struct told_counter *c = NULL;
        int r = check_process(t, "counter", row->process);

        if (r)
                return r;
        for (size_t i = 0; !c && i < t->n_counters; i++)
                if (!strcmp(t->counters[i].name, row->name))
                        c = &t->counters[i];
        if (!c) {
                c = GROW(&t->counters, &t->n_counters, &t->room_counters);
                if (!c)
                        return -ENOMEM;
                *c = (struct told_counter){.name = strdup(row->name)};
                if (!c->name)
                        return -ENOMEM;
        }
        c->counted = sum_u64(c->counted, row->counted);
        c->calls = sum_u64(c->calls, row->calls);
        return 0;
}

static int take_tile(const struct runfile_tile *row, void *userdata)
{
        struct report_told *t = userdata;
        struct runfile_tile *s = &t->tiles[row->level];
        int r = check_process(t, "tile", row->process);

        if (r || !row->n)
                return r;
        if (!s->n) {
                *s = *row;
                return 0;
        }
        s->n = sum_u64(s->n, row->n);
        s->total_ns = sum_u64(s->total_ns, row->total_ns);
        s->elements = sum_u64(s->elements, row->elements);
        s->flops = sum_u64(s->flops, row->flops);
        if (row->least_elements < s->least_elements)
                s->least_elements = row->least_elements;
        if (row->most_elements > s->most_elements)
                s->most_elements = row->most_elements;
        s->rows = row->rows > s->rows ? row->rows : s->rows;
        s->cols = row->cols > s->cols ? row->cols : s->cols;
        if (row->slowest_ns > s->slowest_ns) {
                s->slowest_ns = row->slowest_ns;
                s->slowest_row = row->slowest_row;
                s->slowest_col = row->slowest_col;
        }
        return 0;
}

static int take_instant(const struct runfile_instant *row, void *userdata)
{
        struct report_told *t = userdata;
        struct told_instant *i;
        int r = check_process(t, "instant", row->process);

        if (r)
                return r;
        i = GROW(&t->instants, &t->n_instants, &t->room_instants);
        if (!i)
                return -ENOMEM;
        *i = (struct told_instant){.row = *row, .text = strdup(row->text)};
        return i->text ? 0 : -ENOMEM;
}

int report_told_load(struct report_told *ret, const struct model *m, struct runfile *rf,
                     char **ret_why)
{
        struct report_told *t = ret;
        int r;

        t->model = m;
        t->rf = rf;
        t->why = ret_why;
        r = runfile_each_told(rf, take_told, t);
        if (!r)
                r = runfile_each_marker(rf, take_marker, t);
        if (!r)
                r = runfile_each_counter(rf, take_counter, t);
        if (!r)
                r = runfile_each_tile(rf, take_tile, t);
        if (!r)
                r = runfile_each_instant(rf, take_instant, t);
        if (r && !*ret_why)
                runfile_explain(ret_why, r, "%s",
                                r == -ENOMEM ? strerror(ENOMEM) : runfile_why(rf));
        return r;
}

void report_told_done(struct report_told *t)
{
        for (size_t i = 0; i < t->n_markers; i++)
                free(t->markers[i].name);
        for (size_t i = 0; i < t->n_counters; i++)
                free(t->counters[i].name);
        for (size_t i = 0; i < t->n_instants; i++)
                free(t->instants[i].text);
        free(t->markers);
        free(t->counters);
        free(t->instants);
        *t = (struct report_told){0};
}

/* ---- the document ----------------------------------------------------------------- */

/* May be below zero: a process can free what was there before it was watched. */
static json_t *mean_bytes(double sum, uint64_t n)
{
        return n ? json_integer(llround(sum / (double)n)) : json_null();
}

static json_t *build_markers(const struct report_told *t)
{
        json_t *list = json_array();

        for (size_t i = 0; i < t->n_markers; i++) {
                const struct runfile_marker *s = &t->markers[i].sum;
                json_t *o = json_object();

                report_set(o, "name", report_text(t->markers[i].name));
                report_set(o, "calls", report_integer(s->n));
                report_set(o, "begin_bytes", mean_bytes((double)s->begin_bytes, s->n));
                report_set(o, "end_bytes",
                           mean_bytes((double)s->begin_bytes + (double)s->change_bytes, s->n));
                report_set(o, "change_bytes", mean_bytes((double)s->change_bytes, s->n));
                report_set(o, "least_change_bytes", json_integer(s->least_change));
                report_set(o, "most_change_bytes", json_integer(s->most_change));
                report_set(o, "first_bytes", json_integer(s->first_bytes));
                report_set(o, "last_bytes", json_integer(s->last_bytes));
                report_set(o, "highest_bytes", json_integer(s->highest));
                json_array_append_new(list, o);
        }
        return list;
}

/* By the life of the process that lived longest: a run has the profiler's own beginning in it. */
static double per_second(const struct report_told *t, uint64_t n)
{
        uint64_t longest = 0;

        for (size_t i = 0; i < t->model->n_processes; i++)
                if (t->model->processes[i].duration_ns > longest)
                        longest = t->model->processes[i].duration_ns;
        return longest ? (double)n * 1e9 / (double)longest : NAN;
}

static json_t *build_counters(const struct report_told *t)
{
        json_t *list = json_array();

        for (size_t i = 0; i < t->n_counters; i++) {
                const struct told_counter *c = &t->counters[i];
                json_t *o = json_object();

                report_set(o, "name", report_text(c->name));
                report_set(o, "total", report_integer(c->counted));
                report_set(o, "calls", report_integer(c->calls));
                report_set(o, "per_second", report_fraction(per_second(t, c->counted)));
                json_array_append_new(list, o);
        }
        return list;
}

static json_t *build_requests(const struct report_told *t)
{
        uint64_t total = sum_u64(t->sum.requests_ok, t->sum.requests_failed);
        json_t *o;

        if (!total)
                return json_null(); /* it tells of none: not that there were none */
        o = json_object();
        report_set(o, "total", report_integer(total));
        report_set(o, "succeeded", report_integer(t->sum.requests_ok));
        report_set(o, "failed", report_integer(t->sum.requests_failed));
        report_set(o, "success_rate", report_fraction((double)t->sum.requests_ok / (double)total));
        report_set(o, "per_second", report_fraction(per_second(t, total)));
        return o;
}

/* GFLOP/s that a tile of that intensity can reach; NaN: not known. */
static double roof_of_level(const struct report_roof *roof, uint32_t level, double intensity)
{
        double compute, bandwidth;

        if (!ceiling_at(ceilings_compute(&roof->ceilings, CEILING_F32), 1, &compute) ||
            !ceiling_at(&roof->ceilings.bandwidth[level_caches[level]], 1, &bandwidth))
                return NAN;
        return fmin(compute, intensity * bandwidth);
}

static json_t *build_tile(const struct runfile_tile *s, uint32_t level,
                          const struct report_roof *roof)
{
        double ns = (double)s->total_ns, bytes = (double)s->elements * ELEMENT_BYTES;
        double gflops = ns ? (double)s->flops / ns : NAN;
        double intensity = bytes ? (double)s->flops / bytes : NAN, most = NAN;
        uint64_t room = ceilings_room(&roof->ceilings, level_caches[level], 1);
        json_t *o = json_object(), *slowest = json_object();

        if (!isnan(intensity))
                most = roof_of_level(roof, level, intensity);
        report_set(o, "level", json_string(level_names[level]));
        report_set(o, "tiles", report_integer(s->n));
        report_set(o, "rows", report_integer(s->rows));
        report_set(o, "cols", report_integer(s->cols));
        report_set(o, "duration_ns", report_integer(s->total_ns));
        report_set(o, "mean_ns", report_rounded(ns / (double)s->n));
        report_set(o, "elements", report_integer(s->elements));
        report_set(o, "least_elements", report_integer(s->least_elements));
        report_set(o, "most_elements", report_integer(s->most_elements));
        report_set(o, "element_bytes", json_integer(ELEMENT_BYTES));
        report_set(o, "flops", report_integer(s->flops));
        report_set(o, "gflops", report_fraction(gflops));
        report_set(o, "gbps", report_fraction(ns ? bytes / ns : NAN));
        report_set(o, "intensity", report_fraction(intensity));
        report_set(o, "cache", json_string(ceiling_levels[level_caches[level]]));
        report_set(o, "cache_bytes", report_integer_or_null(room != 0, room));
        report_set(o, "fits",
                   room ? json_boolean((double)s->most_elements * ELEMENT_BYTES <= (double)room)
                        : json_null());
        report_set(o, "roof_gflops", report_fraction(most));
        report_set(o, "cache_efficiency", report_fraction(most > 0 ? gflops / most : NAN));
        report_set(slowest, "duration_ns", report_integer(s->slowest_ns));
        report_set(slowest, "row", report_integer(s->slowest_row));
        report_set(slowest, "col", report_integer(s->slowest_col));
        report_set(o, "slowest", slowest);
        return o;
}

static json_t *build_tiles(const struct report_told *t, const struct report_roof *roof)
{
        json_t *list = json_array();

        for (uint32_t level = 0; level < IFP_N_TILE_LEVELS; level++)
                if (t->tiles[level].n)
                        json_array_append_new(list, build_tile(&t->tiles[level], level, roof));
        return list;
}

static int compare_instants(const void *x, const void *y)
{
        const struct runfile_instant *a = &((const struct told_instant *)x)->row,
                                     *b = &((const struct told_instant *)y)->row;

        if (a->process != b->process)
                return a->process < b->process ? -1 : 1;
        return a->number < b->number ? -1 : a->number > b->number;
}

static json_t *build_instants(const struct report_told *t)
{
        json_t *list = json_array();
        size_t from = t->n_instants > MAX_INSTANTS ? t->n_instants - MAX_INSTANTS : 0;

        if (t->n_instants)
                qsort(t->instants, t->n_instants, sizeof(*t->instants), compare_instants);
        for (size_t i = from; i < t->n_instants; i++) {
                const struct runfile_instant *row = &t->instants[i].row;
                const struct runfile_process *p = model_process(t->model, row->process);
                json_t *o = json_object();

                report_set(o, "pid", json_integer(p->pid));
                report_set(o, "tid", json_integer(row->tid));
                report_set(o, "at_ns", report_integer(row->at_ns));
                report_set(o, "kind", json_string(row->kind == IFP_INSTANT_TEXT ? "text" : "mark"));
                report_set(o, "text", report_text(t->instants[i].text));
                json_array_append_new(list, o);
        }
        return list;
}

void report_told_put(json_t *o, const struct report_told *t, const struct report_roof *roof)
{
        report_set(o, "markers", build_markers(t));
        report_set(o, "counters", build_counters(t));
        report_set(o, "requests", build_requests(t));
        report_set(o, "tiles", build_tiles(t, roof));
        report_set(o, "instants", build_instants(t));
}

void report_told_notes(json_t *notes, const struct report_told *t)
{
        const struct runfile_told *s = &t->sum;
        char a[FMT_SIZE];

        if (s->markers_left)
                report_note(notes,
                            "%s markers were left open: closed when what was around them ended; "
                            "an infprof_end is missing, or not reached",
                            fmt_count(a, s->markers_left));
        if (s->markers_unmatched)
                report_note(notes,
                            "%s ends of markers that were not open on their thread: ended twice, "
                            "or on another thread, or begun while they were switched off; they "
                            "ended nothing",
                            fmt_count(a, s->markers_unmatched));
        if (s->markers_refused)
                report_note(notes,
                            "%s markers had names beyond the first %u, and are counted together "
                            "as (other markers); names should be few: put what varies into "
                            "infprof_text()",
                            fmt_count(a, s->markers_refused), IFP_MAX_MARKERS);
        if (s->counters_refused)
                report_note(notes,
                            "%s counts had names beyond the first %u, and are counted nowhere",
                            fmt_count(a, s->counters_refused), IFP_MAX_COUNTERS);
        if (s->tiles_unmatched)
                report_note(notes, "%s ends of tiles had no beginning on their thread",
                            fmt_count(a, s->tiles_unmatched));
        if (s->tiles_unended)
                report_note(notes, "%s tiles were begun and not ended: they are in no figure",
                            fmt_count(a, s->tiles_unended));
        if (s->instants > t->n_instants)
                report_note(notes,
                            "%s marks and texts came faster than they were read, or are more than "
                            "are kept: they are not here",
                            fmt_count(a, s->instants - t->n_instants));
}
