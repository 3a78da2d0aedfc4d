/* SPDX-License-Identifier: MIT */
/*
 * The document infprof.waits/1. Sums by kind are the threads' own and exact; objects and sites are
 * made of the entries of the shim's table, of which each has one lane, object and stack: put
 * together by object, and by place. A wait of an entry is in one object and in one site.
 *
 * What a barrier costs, in tokens/s: with T the wall time of all decode steps, n their tokens and
 * w what the threads that decode waited at it in them, n / (T - w) could have been made in a
 * second, and n / T were; the difference is lost. It is a bound: as if the others had always been
 * there already.
 */
#include "common/report-waits.h"

#include <errno.h>
#include <math.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/report-work-private.h"

#define NS_PER_SECOND 1e9

/* Waits in progress at the last look. */
static json_t *build_now(uint64_t waits, uint64_t ns)
{
        json_t *o = json_object();

        report_set(o, "waits", report_integer(waits));
        report_set(o, "total_ns", report_integer(ns));
        return o;
}

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
                report_set(o, "now", build_now(now[k], now_ns[k]));
                json_array_append_new(array, o);
        }
        return array;
}

/* Entries put together: of an object, or of a site. */
struct sum {
        struct work_wait **at;
        size_t n;
        struct spread spread;
        uint64_t timeouts, left, unknown, unknown_ns, others, others_ns, now, now_ns;
        bool spins, shared;
        size_t objects, threads;
        bool crowd; /* how many threads is not known */
};

/* Different threads; not known where an entry is of a lane that several had. */
static int count_threads(struct sum *s)
{
        _cleanup_(freep) size_t *threads = calloc(s->n, sizeof(*threads));
        size_t n = 0;

        if (!threads)
                return -ENOMEM;
        for (size_t i = 0; i < s->n; i++)
                if (s->at[i]->thread == NONE)
                        s->crowd = true;
                else
                        threads[n++] = s->at[i]->thread;
        s->threads = work_distinct(threads, n);
        return 0;
}

static int add_up(struct sum *s)
{
        int r = count_threads(s);

        spread_init(&s->spread);
        for (size_t i = 0; i < s->n && !r; i++) {
                const struct work_wait *e = s->at[i];

                r = spread_add(&s->spread, &e->spread);
                s->timeouts = sum_u64(s->timeouts, e->timeouts);
                s->left = sum_u64(s->left, e->left);
                s->unknown = sum_u64(s->unknown, e->unknown);
                s->unknown_ns = sum_u64(s->unknown_ns, e->unknown_ns);
                s->others = sum_u64(s->others, e->others);
                s->others_ns = sum_u64(s->others_ns, e->others_ns);
                s->now += e->now;
                s->now_ns = sum_u64(s->now_ns, e->now_ns);
                s->spins |= e->spins;
                s->shared |= e->shared;
        }
        spread_settle(&s->spread);
        return r;
}

static json_t *build_by(const struct work *w, const struct sum *s)
{
        struct blames blames = {0};
        json_t *array = json_array();

        for (size_t i = 0; i < s->n; i++)
                for (size_t k = 0; k < s->at[i]->n_by; k++) {
                        const struct work_by *by = &s->at[i]->by[k];

                        if (blame_add(&blames, w, s->at[i]->process,
                                      &(struct blame){.thread = by->thread,
                                                      .op = by->op,
                                                      .count = by->count,
                                                      .total_ns = by->total_ns}))
                                abort(); /* no memory */
                }
        blame_settle(&blames, w);
        for (size_t i = 0; i < blames.n; i++) {
                const struct blame *b = &blames.at[i];
                json_t *o = json_object();

                blame_put_who(o, w, b);
                report_set(o, "op", report_text(b->op));
                report_set(o, "count", report_integer(b->count));
                report_set(o, "total_ns", report_integer(b->total_ns));
                report_set(
                        o, "share",
                        report_fraction(s->spread.total_ns && b->total_ns <= s->spread.total_ns
                                                ? (double)b->total_ns / (double)s->spread.total_ns
                                                : NAN));
                json_array_append_new(array, o);
        }
        blames_done(&blames);
        return array;
}

static json_t *build_pair(uint64_t count, uint64_t ns)
{
        json_t *o = json_object();

        report_set(o, "count", report_integer(count));
        report_set(o, "total_ns", report_integer(ns));
        return o;
}

/* Which places it was waited for at, longest first. */
static json_t *build_site_list(const struct work *w, const struct sum *s)
{
        _cleanup_(freep) size_t *sites = calloc(s->n, sizeof(*sites));
        json_t *array = json_array();
        size_t n;

        for (size_t i = 0; sites && i < s->n; i++)
                sites[i] = w->wait_sites[s->at[i]->site].at;
        n = sites ? work_distinct(sites, s->n) : 0;
        for (size_t i = 0; i < n; i++)
                json_array_append_new(array, json_integer((json_int_t)sites[i]));
        return array;
}

static json_t *build_object(const struct work *w, const struct sum *s)
{
        const struct work_wait *e = s->at[0];
        json_t *o = json_object();

        report_set(o, "pid", json_integer(w->model.processes[e->process].pid));
        report_set(o, "kind", json_string(work_wait_kinds[e->kind]));
        report_set(o, "object", work_build_object(e->object));
        report_set(o, "library", report_text(e->library));
        report_set(o, "offset", report_integer_or_null(e->library, e->offset));
        report_set(o, "spins", json_boolean(s->spins));
        report_set(o, "shared", json_boolean(s->shared));
        report_set(o, "threads", report_integer_or_null(!s->crowd, s->threads));
        spread_put(o, &s->spread);
        report_set(o, "timeouts", report_integer(s->timeouts));
        report_set(o, "left", report_integer(s->left));
        report_set(o, "by", build_by(w, s));
        report_set(o, "unknown", build_pair(s->unknown, s->unknown_ns));
        report_set(o, "others", build_pair(s->others, s->others_ns));
        report_set(o, "now", build_now(s->now, s->now_ns));
        report_set(o, "sites", build_site_list(w, s));
        return o;
}

static int compare_objects(const void *a, const void *b)
{
        const struct work_wait *p = *(struct work_wait *const *)a,
                               *q = *(struct work_wait *const *)b;

        if (p->process != q->process)
                return p->process < q->process ? -1 : 1;
        if (p->kind != q->kind)
                return p->kind < q->kind ? -1 : 1;
        if (p->object != q->object)
                return p->object < q->object ? -1 : 1;
        return p < q ? -1 : p > q;
}

static bool same_object(const struct work_wait *a, const struct work_wait *b)
{
        return a->process == b->process && a->kind == b->kind && a->object == b->object;
}

static double whole_ns(const json_t *o)
{
        return (double)report_get_integer(o, "total_ns") +
               (double)report_get_integer(json_object_get(o, "now"), "total_ns");
}

/* With what goes on. */
static int compare_longest(const void *a, const void *b)
{
        const json_t *p = *(json_t *const *)a, *q = *(json_t *const *)b;
        int64_t n = report_get_integer(p, "count"), m = report_get_integer(q, "count");
        double x = whole_ns(p), y = whole_ns(q);

        if (x < y || x > y)
                return x > y ? -1 : 1;
        if (n != m)
                return n > m ? -1 : 1;
        return strcmp(json_string_value(json_object_get(p, "object"))
                              ? json_string_value(json_object_get(p, "object"))
                              : "",
                      json_string_value(json_object_get(q, "object"))
                              ? json_string_value(json_object_get(q, "object"))
                              : "");
}

static bool happened(const struct work_wait *e)
{
        return e->spread.count || e->last || e->left || e->now;
}

static int build_objects(struct work *w, json_t **ret)
{
        _cleanup_(freep) struct work_wait **order = calloc(w->n_waits + 1, sizeof(*order));
        _cleanup_(freep) json_t **items = calloc(w->n_waits + 1, sizeof(*items));
        size_t n = 0, n_items = 0, next;

        if (!order || !items)
                return -ENOMEM;
        for (size_t i = 0; i < w->n_waits; i++)
                if (w->waits[i].kind && happened(&w->waits[i]))
                        order[n++] = &w->waits[i];
        qsort(order, n, sizeof(struct work_wait *), compare_objects);
        for (size_t i = 0; i < n; i = next) {
                struct sum s = {.at = order + i};
                int r;

                for (next = i + 1; next < n && same_object(order[i], order[next]);)
                        next++;
                s.n = next - i;
                r = add_up(&s);
                if (!r)
                        items[n_items++] = build_object(w, &s);
                spread_done(&s.spread);
                if (r) {
                        json_decref(report_sorted(items, n_items, compare_longest));
                        return r;
                }
        }
        *ret = report_sorted(items, n_items, compare_longest);
        return 0;
}

static int compare_sites(const void *a, const void *b, void *userdata)
{
        const struct work *w = userdata;
        const struct work_wait *p = *(struct work_wait *const *)a,
                               *q = *(struct work_wait *const *)b;
        size_t x = w->wait_sites[p->site].at, y = w->wait_sites[q->site].at;

        return x != y ? (x < y ? -1 : 1) : compare_objects(a, b);
}

static json_t *build_site(struct work *w, const struct work_wait_site *site, const struct sum *s)
{
        json_t *o = json_object();

        report_set(o, "kind", json_string(work_wait_kinds[site->kind]));
        report_set(o, "op", report_text(site->op));
        report_set(o, "phase", json_string(report_phase_names[site->phase]));
        report_set(o, "frames", frames_build(&w->frames, site->frames, site->n_frames));
        report_set(o, "one", json_boolean(site->one));
        report_set(o, "objects", report_integer(s->objects));
        report_set(o, "threads", report_integer_or_null(!s->crowd, s->threads));
        spread_put(o, &s->spread);
        return o;
}

/* All of them, those without a wait too: others speak of them by their place. */
static int build_sites(struct work *w, json_t **ret)
{
        _cleanup_(freep) struct work_wait **order = calloc(w->n_waits + 1, sizeof(*order));
        size_t n = w->n_waits, next;
        json_t *array = json_array();

        for (size_t i = 0; order && i < n; i++)
                order[i] = &w->waits[i];
        if (order)
                qsort_r(order, n, sizeof(struct work_wait *), compare_sites, w);
        for (size_t i = 0; order && i < n; i = next) {
                struct sum s = {.at = order + i};
                int r;

                for (next = i; next < n && order[next]->site == order[i]->site; next++)
                        s.objects += next == i || !same_object(order[next], order[next - 1]);
                s.n = next - i;
                r = add_up(&s);
                if (!r)
                        json_array_append_new(array,
                                              build_site(w, &w->wait_sites[order[i]->site], &s));
                spread_done(&s.spread);
                if (r) {
                        json_decref(array);
                        return r;
                }
        }
        *ret = array;
        return order ? 0 : -ENOMEM;
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
        r = build_objects(w, &part);
        if (r)
                return r;
        report_set(o, "objects", part);
        r = build_sites(w, &part);
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
