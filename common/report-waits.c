/* SPDX-License-Identifier: MIT */
/*
 * The document infprof.waits/1. Sums by kind are the threads' own and exact; objects and sites are
 * made of the entries of the shim's table (report-waits-objects.c).
 *
 * What a barrier costs, in tokens/s: with T the wall time of all decode steps, n their tokens and
 * w what the threads that decode waited at it in them, n / (T - w) could have been made in a
 * second, and n / T were; the difference is lost. It is a bound: as if the others had always been
 * there already.
 */
#include "common/report-waits.h"

#include <math.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/report-waits-private.h"

#define NS_PER_SECOND 1e9

static json_t *build_kinds(const struct work *w)
{
        uint64_t count[IFP_N_WAIT_KINDS] = {0}, ns[IFP_N_WAIT_KINDS] = {0},
                 spins[IFP_N_WAIT_KINDS] = {0}, now[IFP_N_WAIT_KINDS] = {0},
                 now_ns[IFP_N_WAIT_KINDS] = {0};
        json_t *array = json_array();

        for (size_t i = 0; i < w->model.n_threads; i++) {
                const struct work_thread *t = &w->threads[i];

                for (int k = 1; k < IFP_N_WAIT_KINDS; k++) {
                        count[k] = sum_u64(count[k], t->wait_count[k]);
                        ns[k] = sum_u64(ns[k], t->wait_ns[k]);
                }
                now[t->now.kind] += t->now.kind != 0;
                now_ns[t->now.kind] = sum_u64(now_ns[t->now.kind], t->now.for_ns);
        }
        for (size_t i = 0; i < w->n_waits; i++)
                if (w->waits[i].spins)
                        spins[w->waits[i].kind] =
                                sum_u64(spins[w->waits[i].kind], w->waits[i].spread.total_ns);
        for (int k = 1; k < IFP_N_WAIT_KINDS; k++) {
                json_t *o;

                if (!count[k] && !now[k])
                        continue;
                o = json_object();
                report_set(o, "kind", json_string(work_wait_kinds[k]));
                report_set(o, "count", report_integer(count[k]));
                report_set(o, "total_ns", report_integer(ns[k]));
                report_set(o, "spins_ns", report_integer(spins[k] < ns[k] ? spins[k] : ns[k]));
                report_set(o, "now", waits_build_now(now[k], now_ns[k]));
                json_array_append_new(array, o);
        }
        return array;
}

static json_t *build_last(const struct work *w, const struct barrier *b)
{
        json_t *array = json_array();

        for (size_t i = 0; i < b->last.n; i++) {
                const struct blame *who = &b->last.at[i];
                json_t *o = json_object();

                blame_put_who(o, w, who);
                report_set(o, "times", report_integer(who->times));
                report_set(o, "share",
                           report_fraction(b->episodes && who->times <= b->episodes
                                                   ? (double)who->times / (double)b->episodes
                                                   : NAN));
                report_set(o, "others_waited_ns", report_integer(who->total_ns));
                json_array_append_new(array, o);
        }
        return array;
}

static json_t *build_price(const struct work *w, const struct barrier *b)
{
        double tokens, wall;
        json_t *o;

        if (b->phase != IFP_PHASE_DECODE || !work_pace(w, &tokens, &wall) ||
            (double)b->decoder_ns >= wall)
                return json_null();
        o = json_object();
        report_set(o, "tokens_per_second",
                   report_fraction(tokens * NS_PER_SECOND / (wall - (double)b->decoder_ns) -
                                   tokens * NS_PER_SECOND / wall));
        report_set(o, "share_of_token", report_fraction((double)b->decoder_ns / wall));
        return o;
}

static json_t *build_barrier(const struct work *w, const struct barrier *b)
{
        json_t *o = json_object();

        report_set(o, "pid", json_integer(w->model.processes[b->process].pid));
        report_set(o, "object", work_build_object(b->object));
        report_set(o, "objects", report_integer(b->objects));
        report_set(o, "op", b->op ? report_text(b->op->name) : json_null());
        report_set(o, "phase", json_string(report_phase_names[b->phase]));
        report_set(o, "spins", json_boolean(b->spins));
        report_set(o, "threads", report_integer_or_null(b->threads, b->threads));
        report_set(o, "episodes", report_integer(b->episodes));
        report_set(o, "busy_ns", report_integer_or_null(b->busy_known, b->busy_ns));
        report_set(o, "wait_ns", report_integer(b->wait_ns));
        report_set(o, "imbalance",
                   report_fraction(b->busy_known ? barrier_imbalance(&b->whole) : NAN));
        report_set(o, "efficiency", report_fraction(barrier_efficiency(b)));
        report_set(o, "last", build_last(w, b));
        report_set(o, "price", build_price(w, b));
        return o;
}

static int build_barriers(const struct work *w, json_t **ret)
{
        struct barriers barriers = {0};
        int r = work_barriers(w, &barriers);

        if (!r) {
                *ret = json_array();
                for (size_t i = 0; i < barriers.n; i++)
                        json_array_append_new(*ret, build_barrier(w, &barriers.at[i]));
        }
        barriers_done(&barriers);
        return r;
}

static json_t *build_thread(const struct work *w, size_t thread)
{
        json_t *o = thread == NONE ? json_null() : json_object();

        if (thread != NONE)
                work_put_thread(o, w, thread);
        return o;
}

static json_t *build_waiting(const struct work *w)
{
        json_t *array = json_array();

        for (size_t i = 0; i < w->model.n_threads; i++) {
                const struct work_thread *t = &w->threads[i];
                const char *library;
                json_t *o;

                if (!t->now.kind)
                        continue;
                o = json_object();
                work_put_thread(o, w, i);
                report_set(o, "kind", json_string(work_wait_kinds[t->now.kind]));
                report_set(o, "object", work_build_object(t->now.object));
                library = t->now.wait != NONE ? w->waits[t->now.wait].library : NULL;
                report_set(o, "library", report_text(library));
                report_set(o, "offset",
                           report_integer_or_null(library,
                                                  library ? w->waits[t->now.wait].offset : 0));
                report_set(o, "by", build_thread(w, t->now.by));
                report_set(o, "for_ns", report_integer(t->now.for_ns));
                report_set(o, "since_ns", report_integer(t->now.since_ns));
                report_set(
                        o, "site",
                        t->now.wait != NONE
                                ? json_integer(
                                          (json_int_t)w->wait_sites[w->waits[t->now.wait].site].at)
                                : json_null());
                json_array_append_new(array, o);
        }
        return array;
}

static int build(struct work *w, json_t **ret)
{
        _cleanup_(json_decrefp) json_t *o = work_head(w, WAITS_SCHEMA);
        json_t *part = NULL;
        int r;

        report_set(o, "kinds", build_kinds(w));
        r = waits_build_objects(w, &part);
        if (r)
                return r;
        report_set(o, "objects", part);
        r = waits_build_sites(w, &part);
        if (r)
                return r;
        report_set(o, "sites", part);
        r = build_barriers(w, &part);
        if (r)
                return r;
        report_set(o, "barriers", part);
        report_set(o, "waiting", build_waiting(w));
        report_set(o, "notes", work_notes(w));
        *ret = steal_ptr(o);
        return 0;
}

int report_waits_new(json_t **ret, struct runfile *rf, char **ret_why)
{
        return work_document(ret, rf, build, ret_why);
}

int report_waits_file(json_t **ret, const char *path, char **ret_why)
{
        return work_document_file(ret, path, build, ret_why);
}
