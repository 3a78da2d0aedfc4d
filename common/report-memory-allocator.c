/* SPDX-License-Identifier: MIT */
/*
 * The allocator, the process as it looks from outside, and the files mapped into it: as they stood
 * when the process that allocated most was looked at last.
 */
#include "common/report-memory-private.h"

#include <math.h>

#include "common/report-private.h"

static const char *const kinds[IFP_N_ALLOCATORS] = {"unknown", "glibc", "jemalloc", "mimalloc",
                                                    "tcmalloc"};

static json_t *build_arenas(const struct memory *m, const struct runfile_process *main)
{
        json_t *arenas = json_array();

        for (size_t i = 0; i < m->n_arenas; i++) {
                const struct runfile_arena *a = &m->arenas[i];
                json_t *o;

                if (a->process != main->index)
                        continue;
                o = json_object();
                report_set(o, "arena", json_integer(a->arena));
                report_set(o, "allocated",
                           report_integer_or_null(a->allocated != RUNFILE_NOT_TOLD, a->allocated));
                report_set(o, "active",
                           report_integer_or_null(a->active != RUNFILE_NOT_TOLD, a->active));
                report_set(o, "resident",
                           report_integer_or_null(a->resident != RUNFILE_NOT_TOLD, a->resident));
                report_set(o, "mapped",
                           report_integer_or_null(a->mapped != RUNFILE_NOT_TOLD, a->mapped));
                json_array_append_new(arenas, o);
        }
        return arenas;
}

json_t *memory_build_allocator(struct memory *m, const struct looks *l)
{
        uint64_t n_looks = 0, cost_ns = 0;
        json_t *o;

        if (!l->main || (!l->main->allocator && !l->last.told[GAUGE_HELD]))
                return json_null();
        for (size_t i = 0; i < m->model.n_processes; i++) {
                n_looks = sum_u64(n_looks, m->model.processes[i].allocator_looks);
                cost_ns = sum_u64(cost_ns, m->model.processes[i].allocator_cost_ns);
        }
        o = json_object();
        report_set(o, "kind", json_string(kinds[l->main->allocator]));
        report_set(o, "library", report_text(l->main->allocator_library));
        look_put(o, &l->last, LOOK_ALLOCATOR);
        report_set(o, "useful", look_value(&l->last, GAUGE_USEFUL));
        report_set(o, "held", look_value(&l->last, GAUGE_HELD));
        report_set(o, "efficiency", look_efficiency(&l->last));
        report_set(
                o, "mean_efficiency",
                report_fraction(l->held > 0 && l->useful <= l->held ? l->useful / l->held : NAN));
        report_set(o, "fragmentation", look_fragmentation(&l->last));
        report_set(o, "arenas", build_arenas(m, l->main));
        report_set(o, "looks", report_integer(n_looks));
        report_set(o, "cost_ns", report_integer(cost_ns));
        m->held_is_resident = l->last.told[GAUGE_RESIDENT];
        m->held_is_anonymous = l->last.told[GAUGE_HELD] > l->last.told[GAUGE_RESIDENT];
        m->useful_over_held = l->last.told[GAUGE_USEFUL] && l->last.told[GAUGE_HELD] &&
                              l->last.value[GAUGE_USEFUL] > l->last.value[GAUGE_HELD];
        return o;
}

/* The faults up to the window's end, less those before it began. */
static json_t *faults(const struct memory *m, int figure)
{
        int64_t sum = 0;
        bool told = false;

        for (size_t i = 0; i < m->n_looks; i++) {
                const struct memory_look *look = &m->looks[i];
                const struct memory_look *next = i + 1 < m->n_looks ? look + 1 : NULL;
                struct look l = look_of(&look->row);

                if (next && next->process != look->process)
                        next = NULL;
                if (!l.told[figure])
                        continue;
                /* the last look of its process at or before an end of the window */
                if (look->row.second <= m->to_ns / 1000000000u &&
                    (!next || next->row.second > m->to_ns / 1000000000u)) {
                        told = true;
                        if (__builtin_add_overflow(sum, l.value[figure], &sum))
                                sum = INT64_MAX;
                }
                if (m->from && look->row.second < m->from_ns / 1000000000u &&
                    (!next || next->row.second >= m->from_ns / 1000000000u))
                        (void)__builtin_sub_overflow(sum, l.value[figure], &sum);
        }
        return told ? json_integer(sum > 0 ? sum : 0) : json_null();
}

json_t *memory_build_outside(const struct memory *m, const struct looks *l)
{
        int64_t peak = 0;
        bool told = false;
        json_t *o;

        for (size_t i = 0; i < l->n; i++)
                if (l->at[i].told[GAUGE_RSS]) {
                        told = true;
                        if (l->at[i].value[GAUGE_RSS] > peak)
                                peak = l->at[i].value[GAUGE_RSS];
                }
        if (!told && !l->last.told[GAUGE_RSS])
                return json_null();
        o = json_object();
        look_put(o, &l->last, LOOK_OUTSIDE);
        report_set(o, "rss_peak", told ? json_integer(peak) : json_null());
        report_set(o, "minor_faults", faults(m, COUNTER_MINOR_FAULTS));
        report_set(o, "major_faults", faults(m, COUNTER_MAJOR_FAULTS));
        return o;
}

json_t *memory_build_files(const struct memory *m)
{
        json_t *files = json_array();

        for (size_t i = 0; i < m->n_files; i++) {
                const struct memory_file *f = &m->files[i];
                json_t *o = json_object();

                report_set(o, "path", report_text(f->path));
                report_set(o, "size", report_integer(f->size));
                report_set(o, "mapped_bytes", report_integer(f->mapped_bytes));
                report_set(o, "resident_bytes",
                           report_integer_or_null(f->resident_bytes != RUNFILE_NOT_TOLD,
                                                  f->resident_bytes));
                report_set(o, "nodes", report_text(f->nodes));
                json_array_append_new(files, o);
        }
        return files;
}
