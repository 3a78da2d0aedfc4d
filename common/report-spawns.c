/* SPDX-License-Identifier: MIT */
/*
 * The document infprof.spawns/1. Threads that come and go with a token or an op are told from those
 * of a pool by how long they live: see work_site_class.
 *
 * Of the token's time, a site's share is what its creations took of it: those that were asked for
 * in the decode phase, as their callers saw them.
 */
#include "common/report-spawns.h"

#include <math.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/report-work-private.h"

static json_t *build_cpu(const struct work_site *s)
{
        json_t *o;

        if (!s->told || !s->ended || !s->cpu_ns)
                return json_null();
        o = json_object();
        report_set(o, "total_ns", report_integer(s->cpu_ns));
        report_set(o, "mean_ns", report_integer(s->cpu_ns / s->ended));
        return o;
}

static json_t *build_class(const struct work *w, const struct work_site *s)
{
        switch (work_site_class(w, s)) {
        case CLASS_POOL:
                return json_string("pool");
        case CLASS_SHORT:
                return json_string("short-lived");
        case CLASS_UNKNOWN:
                break;
        }
        return json_null();
}

static json_t *build_site(struct work *w, const struct work_site *s)
{
        double tokens = 0, wall = 0;
        bool in_decode = work_pace(w, &tokens, &wall) && s->told && s->phase == IFP_PHASE_DECODE;
        const struct runfile_site *place = s->place ? &s->place->row : NULL;
        json_t *o = json_object();

        report_set(o, "kind", s->told ? json_string(work_spawn_kinds[s->kind]) : json_null());
        report_set(o, "function", place ? report_text(place->function) : json_null());
        report_set(o, "library", place ? report_text(place->library) : json_null());
        report_set(o, "offset", place ? report_integer(place->offset) : json_null());
        report_set(o, "frames", frames_build(&w->frames, s->frames, s->n_frames));
        report_set(o, "op", report_text(s->op));
        report_set(o, "phase", s->told ? json_string(report_phase_names[s->phase]) : json_null());
        report_set(o, "count", report_integer(s->count));
        report_set(
                o, "rate_per_second",
                report_fraction(w->model.run.duration_ns
                                        ? (double)s->count * 1e9 / (double)w->model.run.duration_ns
                                        : NAN));
        report_set(o, "per_token", report_fraction(in_decode ? (double)s->count / tokens : NAN));
        report_set(o, "live", report_integer_or_null(s->told, s->live));
        report_set(o, "peak", report_integer_or_null(s->told, s->peak));
        report_set(o, "ended", report_integer_or_null(s->told, s->ended));
        report_set(o, "class", build_class(w, s));
        report_set(o, "lifetime", s->told && s->ended ? spread_build(&s->life) : json_null());
        report_set(o, "cpu", build_cpu(s));
        report_set(o, "cost", s->told ? spread_build(&s->cost) : json_null());
        report_set(o, "team",
                   report_fraction(s->told && s->kind == IFP_SPAWN_OMP && s->count
                                           ? (double)s->team / (double)s->count
                                           : NAN));
        report_set(o, "share_of_token",
                   report_fraction(in_decode && (double)s->cost.total_ns <= wall
                                           ? (double)s->cost.total_ns / wall
                                           : NAN));
        return o;
}

static json_t *build_notes(const struct work *w)
{
        json_t *notes = work_notes(w);
        uint64_t unsited = 0;

        for (size_t i = 0; i < w->model.n_processes; i++)
                unsited = sum_u64(unsited, w->model.processes[i].spawns_unsited);
        if (unsited)
                report_note(notes, "of %llu spawns the site is not known: they are in no row",
                            (unsigned long long)unsited);
        return notes;
}

static int build(struct work *w, json_t **ret)
{
        _cleanup_(json_decrefp) json_t *o = work_head(w, SPAWNS_SCHEMA);
        json_t *sites = json_array();
        double tokens, wall;

        report_set(o, "tokens",
                   work_pace(w, &tokens, &wall) ? report_rounded(tokens) : json_null());
        for (size_t i = 0; i < w->n_sites; i++)
                json_array_append_new(sites, build_site(w, &w->sites[i]));
        report_set(o, "sites", sites);
        report_set(o, "notes", build_notes(w));
        *ret = steal_ptr(o);
        return 0;
}

int report_spawns_new(json_t **ret, struct runfile *rf, char **ret_why)
{
        return work_document(ret, rf, build, ret_why);
}

int report_spawns_file(json_t **ret, const char *path, char **ret_why)
{
        return work_document_file(ret, path, build, ret_why);
}
