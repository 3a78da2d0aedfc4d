/* SPDX-License-Identifier: MIT */
/*
 * `threads` of the document: each thread, and what its time went into.
 */
#include "common/report-private.h"

#include <math.h>
#include <stdlib.h>

#include "common/cleanup.h"

/* With more threads than this only the busiest have their own list of ops. */
#define MAX_DETAILED_THREADS 256

uint64_t report_thread_lifetime(const struct model *m, const struct model_thread *t)
{
        uint64_t end = t->row.ended_ns;

        if (end == UINT64_MAX)
                end = model_process(m, t->row.process)->duration_ns;
        return end > t->row.started_ns ? end - t->row.started_ns : 0;
}

bool report_thread_in_ops(const struct model *m, const struct model_thread *t, uint64_t *ret_ns)
{
        uint64_t total = 0, child = 0;

        for (size_t i = 0; i < t->n_ops; i++)
                if (report_is_nested(m->ops[t->ops[i].op])) {
                        total = sum_u64(total, t->ops[i].figures.total_ns);
                        child = sum_u64(child, t->ops[i].figures.child_ns);
                }
        *ret_ns = total - child;
        return child <= total;
}

static int compare_thread_op(const void *a, const void *b)
{
        const struct model_thread_op *p = a, *q = b;

        return p->op < q->op ? -1 : p->op > q->op;
}

static json_t *build_thread_ops(const struct report *r, struct model_thread *t)
{
        const struct model *m = &r->model;
        _cleanup_(freep) json_t **items = calloc(t->n_ops + 1, sizeof(*items));
        size_t n = 0, next;

        if (t->n_ops)
                qsort(t->ops, t->n_ops, sizeof(*t->ops), compare_thread_op);
        for (size_t i = 0; items && i < t->n_ops; i = next) {
                const struct model_op *op = m->ops[t->ops[i].op];
                struct figures parts[IFP_N_PHASES];
                struct summary s;
                size_t n_parts = 0;

                for (next = i; next < t->n_ops && t->ops[next].op == t->ops[i].op; next++)
                        if (n_parts < IFP_N_PHASES)
                                parts[n_parts++] = t->ops[next].figures;
                if (!report_is_nested(op) || summary_init(&s, parts, n_parts, op->hot))
                        continue;
                items[n] = json_object();
                report_put_name(items[n], op);
                report_put_times(items[n], r, &s);
                report_put_alloc(items[n], &s.sum.alloc);
                n++;
                summary_done(&s);
        }
        return items ? report_sorted(items, n, report_compare_ops) : NULL;
}

json_t *report_build_site_name(const struct model_site *s)
{
        json_t *o = json_object();

        report_set(o, "function", report_text(s->row.function));
        report_set(o, "library", report_text(s->row.library));
        report_set(o, "offset", report_integer(s->row.offset));
        return o;
}

/* What the thread allocated outside any op: all of it, less what its ops have. */
static json_t *build_thread_rest(const struct model_thread *t, bool known, uint64_t self_ns)
{
        struct runfile_alloc rest = t->row.alloc;
        json_t *o = json_object();
        bool fits = true;

        for (size_t i = 0; i < t->n_ops; i++) {
                const struct runfile_alloc *a = &t->ops[i].figures.alloc;

                fits &= !__builtin_sub_overflow(rest.calls, a->calls, &rest.calls);
                fits &= !__builtin_sub_overflow(rest.asked_bytes, a->asked_bytes,
                                                &rest.asked_bytes);
                fits &= !__builtin_sub_overflow(rest.usable_bytes, a->usable_bytes,
                                                &rest.usable_bytes);
                fits &= !__builtin_sub_overflow(rest.frees, a->frees, &rest.frees);
                fits &= !__builtin_sub_overflow(rest.freed_bytes, a->freed_bytes,
                                                &rest.freed_bytes);
        }
        report_set(o, "self_ns", report_integer_or_null(known, self_ns));
        if (fits)
                report_put_alloc(o, &rest);
        return o;
}

static json_t *build_thread(const struct report *r, struct model_thread *t, bool detailed)
{
        const struct model *m = &r->model;
        const struct runfile_thread *row = &t->row;
        uint64_t lifetime = report_thread_lifetime(m, t), in_ops = 0;
        bool known = report_thread_in_ops(m, t, &in_ops);
        const struct model_site *site = model_thread_site(m, t);
        json_t *o = json_object();

        report_set(o, "pid", json_integer(model_process(m, row->process)->pid));
        report_set(o, "tid", json_integer(row->tid));
        report_set(o, "parent_tid",
                   row->parent_tid > 0 ? json_integer(row->parent_tid) : json_null());
        report_set(o, "name", report_text(row->name));
        report_set(o, "started_ns", report_integer(row->started_ns));
        report_set(o, "ended_ns",
                   report_integer_or_null(row->ended_ns != UINT64_MAX, row->ended_ns));
        report_set(o, "lifetime_ns", report_integer(lifetime));
        report_set(o, "in_ops_ns", report_integer_or_null(known, in_ops));
        report_set(o, "not_in_any_op",
                   build_thread_rest(t, known && in_ops <= lifetime, lifetime - in_ops));
        report_set(o, "share",
                   report_fraction(known && r->in_ops_known && r->in_ops_ns
                                           ? (double)in_ops / (double)r->in_ops_ns
                                           : NAN));
        report_set(o, "cpu_ns", report_told(row->cpu_ns));
        report_set(o, "spans", report_integer(row->spans));
        report_set(o, "folded", report_integer(row->folded));
        report_set(o, "site", site ? report_build_site_name(site) : json_null());
        report_put_alloc(o, &row->alloc);
        report_set(o, "ops", detailed ? build_thread_ops(r, t) : json_null());
        return o;
}

static int compare_u64_down(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x > y ? -1 : x < y;
}

/* The time in ops from which on a thread has its ops listed. */
static uint64_t detail_threshold(const struct model *m)
{
        _cleanup_(freep) uint64_t *busy = calloc(m->n_threads + 1, sizeof(*busy));

        if (m->n_threads <= MAX_DETAILED_THREADS || !busy)
                return 0;
        for (size_t i = 0; i < m->n_threads; i++)
                (void)report_thread_in_ops(m, &m->threads[i], &busy[i]);
        qsort(busy, m->n_threads, sizeof(*busy), compare_u64_down);
        return busy[MAX_DETAILED_THREADS - 1];
}

json_t *report_build_threads(struct report *r)
{
        struct model *m = &r->model;
        uint64_t threshold = detail_threshold(m), in_ops;
        size_t n_detailed = 0;
        json_t *array = json_array();

        for (size_t i = 0; i < m->n_threads; i++) {
                struct model_thread *t = &m->threads[i];
                bool detailed;

                (void)report_thread_in_ops(m, t, &in_ops);
                detailed = in_ops >= threshold && n_detailed < MAX_DETAILED_THREADS;
                n_detailed += detailed;
                json_array_append_new(array, build_thread(r, t, detailed));
        }
        r->n_threads_brief = m->n_threads - n_detailed;
        return array;
}
