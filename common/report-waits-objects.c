/* SPDX-License-Identifier: MIT */
/*
 * `objects` and `sites` of the document infprof.waits/1, made of the entries of the shim's table,
 * of which each has one lane, object and stack: put together by object, and by place. A wait of an
 * entry is in one object and in one site.
 */
#include <errno.h>
#include <math.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/report-waits-private.h"

json_t *waits_build_now(uint64_t waits, uint64_t ns)
{
        json_t *o = json_object();

        report_set(o, "waits", report_integer(waits));
        report_set(o, "total_ns", report_integer(ns));
        return o;
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
        report_set(o, "now", waits_build_now(s->now, s->now_ns));
        report_set(o, "sites", build_site_list(w, s));
        return o;
}

static int compare_objects(const void *a, const void *b)
{
        const struct work_wait *p = *(struct work_wait *const *)a,
                               *q = *(struct work_wait *const *)b;
        int order = work_compare_object(p, q);

        return order ? order : p < q ? -1 : p > q;
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

int waits_build_objects(struct work *w, json_t **ret)
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

                for (next = i + 1; next < n && work_same_object(order[i], order[next]);)
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
int waits_build_sites(struct work *w, json_t **ret)
{
        _cleanup_(freep) struct work_wait **order = calloc(w->n_waits + 1, sizeof(*order));
        size_t n = w->n_waits, next;
        json_t *array;

        if (!order)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                order[i] = &w->waits[i];
        qsort_r(order, n, sizeof(struct work_wait *), compare_sites, w);
        array = json_array();
        for (size_t i = 0; i < n; i = next) {
                struct sum s = {.at = order + i};
                int r;

                for (next = i; next < n && order[next]->site == order[i]->site; next++)
                        s.objects += next == i || !work_same_object(order[next], order[next - 1]);
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
        return 0;
}
