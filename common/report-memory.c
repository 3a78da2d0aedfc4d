/* SPDX-License-Identifier: MIT */
/*
 * From a run's memory to the document. Counts are sums of rows and exact; its other parts are in
 * report-memory-*.c, each with what it must know of them.
 */
#include "common/report-memory.h"

#include <errno.h>

#include "common/categories.h"
#include "common/cleanup.h"
#include "common/report-memory-private.h"
#include "common/report-private.h"
#include "common/runfile-private.h"

#define NOT_IN_ANY_OP "(not in any op)"

DEFINE_CLEANUP(struct runfile *, runfile_close, runfile_closep);

static void put_alloc(json_t *o, const struct runfile_alloc *a)
{
        report_set(o, "calls", report_integer(a->calls));
        report_set(o, "asked_bytes", report_integer(a->asked_bytes));
        report_set(o, "usable_bytes", report_integer(a->usable_bytes));
        report_set(o, "frees", report_integer(a->frees));
        report_set(o, "freed_bytes", report_integer(a->freed_bytes));
        report_set(o, "failed_calls", report_integer(a->failed));
        report_set(o, "maps", report_integer(a->maps));
        report_set(o, "mapped_bytes", report_integer(a->mapped_bytes));
}

static bool is_zero(const struct runfile_alloc *a)
{
        return !a->calls && !a->frees && !a->failed && !a->maps;
}

static json_t *build_window(const struct memory *m)
{
        json_t *o;

        if (!m->windowed)
                return json_null();
        o = json_object();
        report_set(o, "from", report_text(m->from));
        report_set(o, "to", report_text(m->to));
        report_set(o, "from_ns", report_integer(m->from_ns));
        report_set(o, "to_ns", report_integer(m->to_ns));
        return o;
}

/* The process that had most at one time, of those that had begun when the window ended. */
static const struct runfile_process *largest(const struct memory *m)
{
        const struct runfile_process *most = NULL;

        for (size_t i = 0; i < m->model.n_processes; i++)
                if (m->processes[i].to.kind != BOUND_NOTHING)
                        most = model_larger(most, &m->model.processes[i]);
        return most;
}

/*
 * What that process held when the window ended, or when it ended itself. It is not what was
 * allocated less what was freed: a fork child begins with its parent's blocks, and may free them.
 * Nor is it a sum over processes, which would have those blocks several times.
 */
static int64_t live_at_the_end(const struct memory *m, const struct runfile_process *most)
{
        const struct bound *to = most ? &m->processes[most - m->model.processes].to : NULL;

        if (!to || to->kind == BOUND_ALL)
                return to ? most->live_bytes : 0;
        for (size_t i = 0; i < m->n_marks; i++)
                if (&m->processes[m->marks[i].process].to == to && to->kind == BOUND_MARK &&
                    to->mark == m->marks[i].mark)
                        return m->marks[i].live_bytes;
        return 0;
}

static json_t *build_totals(const struct memory *m)
{
        uint64_t unmaps = 0, unmapped = 0, failed = 0;
        struct memory_alloc all = {0};
        struct runfile_alloc sum;
        json_t *o = json_object();
        const struct runfile_process *most = largest(m);
        int64_t live = live_at_the_end(m, most), peak = most ? model_peak_bytes(most) : 0,
                all_live = 0;

        for (size_t i = 0; i < (m->model.n_ops + 1) * IFP_N_PHASES; i++) {
                alloc_add(&all.to, &m->allocs[i].to);
                alloc_add(&all.from, &m->allocs[i].from);
        }
        for (size_t i = 0; i < m->model.n_processes; i++) {
                const struct runfile_process *p = &m->model.processes[i];

                all_live = sum_i64(all_live, p->live_bytes);
                unmaps = sum_u64(unmaps, p->unmaps);
                unmapped = sum_u64(unmapped, p->unmapped_bytes);
                failed = sum_u64(failed, p->maps_failed);
        }
        sum = memory_in_window(&all);
        put_alloc(o, &sum);
        report_set(o, "live_bytes", json_integer(live));
        report_set(o, "growth_bytes",
                   json_integer(m->windowed ? report_net_bytes(&sum) : all_live));
        report_set(o, "peak_bytes", m->windowed ? json_null() : json_integer(peak));
        report_set(o, "unmaps", report_integer_or_null(!m->windowed, unmaps));
        report_set(o, "unmapped_bytes", report_integer_or_null(!m->windowed, unmapped));
        report_set(o, "maps_failed", report_integer_or_null(!m->windowed, failed));
        return o;
}

static json_t *build_phases(const struct memory *m)
{
        json_t *phases = json_object();

        for (unsigned p = 0; p < IFP_N_PHASES; p++) {
                struct runfile_alloc sum = {0};
                json_t *o;

                for (size_t i = 0; i <= m->model.n_ops; i++) {
                        struct runfile_alloc a = memory_in_window(&m->allocs[i * IFP_N_PHASES + p]);

                        alloc_add(&sum, &a);
                }
                if (is_zero(&sum))
                        continue;
                o = json_object();
                put_alloc(o, &sum);
                report_set(phases, report_phase_names[p], o);
        }
        return phases;
}

/* NULL: it did nothing. `op` NULL: outside any op */
static json_t *build_op(const struct model_op *op, const struct memory_alloc *phase)
{
        struct runfile_alloc sum = {0};
        json_t *phases = json_object(), *o;

        for (unsigned p = 0; p < IFP_N_PHASES; p++) {
                struct runfile_alloc a = memory_in_window(&phase[p]);

                if (is_zero(&a))
                        continue;
                alloc_add(&sum, &a);
                o = json_object();
                put_alloc(o, &a);
                report_set(o, "net_bytes", json_integer(report_net_bytes(&a)));
                report_set(phases, report_phase_names[p], o);
        }
        if (is_zero(&sum)) {
                json_decref(phases);
                return NULL;
        }
        o = json_object();
        report_set(o, "name", op ? report_text(op->name) : json_string(NOT_IN_ANY_OP));
        report_set(o, "kind", op ? json_string(report_kind_name(op->kind)) : json_null());
        report_set(o, "library", op ? report_text(op->library) : json_null());
        put_alloc(o, &sum);
        report_set(o, "net_bytes", json_integer(report_net_bytes(&sum)));
        report_set(o, "phases", phases);
        return o;
}

/* Most asked for first, then most calls, then by name: one order, always the same. */
static int compare_ops(const void *a, const void *b)
{
        static const char *const keys[] = {"asked_bytes", "calls", "frees", "mapped_bytes"};
        const json_t *p = *(json_t *const *)a, *q = *(json_t *const *)b;

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                int64_t x = report_get_integer(p, keys[i]), y = report_get_integer(q, keys[i]);

                if (x != y)
                        return x > y ? -1 : 1;
        }
        return strcmp(json_string_value(json_object_get(p, "name")),
                      json_string_value(json_object_get(q, "name")));
}

static int build_ops(const struct memory *m, json_t **ret)
{
        const struct model *model = &m->model;
        _cleanup_(freep) json_t **items = calloc(model->n_ops + 1, sizeof(*items));
        size_t n = 0;

        if (!items)
                return -ENOMEM;
        for (size_t i = 0; i <= model->n_ops; i++) {
                items[n] = build_op(i < model->n_ops ? model->ops[i] : NULL,
                                    &m->allocs[i * IFP_N_PHASES]);
                n += items[n] != NULL;
        }
        *ret = report_sorted(items, n, compare_ops);
        return 0;
}

/* Those with any; null in a window, for no mark keeps them. */
static json_t *build_threads(const struct memory *m)
{
        json_t *threads;

        if (m->windowed)
                return json_null();
        threads = json_array();
        for (size_t i = 0; i < m->model.n_threads; i++) {
                const struct runfile_thread *t = &m->model.threads[i].row;
                json_t *o;

                if (is_zero(&t->alloc))
                        continue;
                o = json_object();
                report_set(o, "process", json_integer(t->process));
                report_set(o, "pid", json_integer(model_process(&m->model, t->process)->pid));
                report_set(o, "thread", json_integer(t->thread));
                report_set(o, "tid", json_integer(t->tid));
                report_set(o, "name", report_text(t->name));
                put_alloc(o, &t->alloc);
                report_set(o, "net_bytes", json_integer(report_net_bytes(&t->alloc)));
                json_array_append_new(threads, o);
        }
        return threads;
}

static json_t *build_classes(const struct memory *m)
{
        json_t *classes = json_array();

        for (unsigned i = 0; i < IFP_SIZE_CLASSES; i++) {
                const struct memory_class *c = &m->classes[i];
                uint64_t calls = c->to.calls > c->from.calls ? c->to.calls - c->from.calls : 0;
                uint64_t frees = c->to.frees > c->from.frees ? c->to.frees - c->from.frees : 0;
                json_t *o;

                if (!calls && !frees)
                        continue;
                o = json_object();
                report_set(o, "from_bytes", report_integer(1ull << i));
                report_set(o, "to_bytes", report_integer((2ull << i) - 1));
                report_set(o, "calls", report_integer(calls));
                report_set(o, "asked_bytes",
                           report_integer(c->to.asked_bytes > c->from.asked_bytes
                                                  ? c->to.asked_bytes - c->from.asked_bytes
                                                  : 0));
                report_set(o, "usable_bytes",
                           report_integer(c->to.usable_bytes > c->from.usable_bytes
                                                  ? c->to.usable_bytes - c->from.usable_bytes
                                                  : 0));
                report_set(o, "frees", report_integer(frees));
                json_array_append_new(classes, o);
        }
        return classes;
}

/* An estimate where some process was sampled, but not at each allocation. */
static bool has_estimates(const struct memory *m)
{
        for (size_t i = 0; i < m->model.n_processes; i++)
                if (m->model.processes[i].heap_interval > 1)
                        return true;
        return false;
}

static int categorize(json_t *document, const struct categories *c)
{
        struct categories *builtin = NULL;
        int r = c ? 0 : categories_builtin(&builtin);

        if (!r)
                r = report_memory_categorize(document, c ? c : builtin);
        categories_free(builtin);
        return r;
}

static int build(struct memory *m, const struct memory_options *options, json_t **ret)
{
        const struct runfile_process *main = memory_main_process(m);
        uint64_t interval = main ? main->heap_interval : 0;
        _cleanup_(json_decrefp) json_t *o = json_object();
        json_t *part = NULL;
        int r;

        report_set(o, "schema", json_string(MEMORY_SCHEMA));
        report_set(o, "run", report_build_run(&m->model));
        report_set(o, "heap_interval_bytes", report_integer_or_null(interval, interval));
        report_set(o, "estimates", json_boolean(has_estimates(m)));
        report_set(o, "window", build_window(m));
        report_set(o, "totals", build_totals(m));
        report_set(o, "per_token", memory_build_per_token(m));
        r = memory_build_kv(m, &part);
        if (r)
                return r;
        report_set(o, "kv", part);
        report_set(o, "phases", build_phases(m));
        r = build_ops(m, &part);
        if (r)
                return r;
        report_set(o, "ops", part);
        report_set(o, "threads", build_threads(m));
        report_set(o, "size_classes", build_classes(m));
        report_set(o, "samples", memory_build_samples(m));
        r = memory_build_stacks(m, &part);
        if (r)
                return r;
        report_set(o, "stacks", part);
        r = categorize(o, options ? options->categories : NULL);
        if (r)
                return r;
        report_set(o, "leaks", memory_build_leaks(m));
        r = memory_build_looks(m, o);
        if (r)
                return r;
        report_set(o, "marks", memory_build_marks(m));
        report_set(o, "notes", memory_notes(m));
        *ret = steal_ptr(o);
        return 0;
}

int report_memory_new(json_t **ret, struct runfile *rf, const struct memory_options *o,
                      char **ret_why)
{
        _cleanup_(freep) struct memory *m = calloc(1, sizeof(*m));
        int r;

        if (!m)
                return runfile_explain(ret_why, -ENOMEM, "%s", strerror(ENOMEM));
        r = memory_load(m, rf, o, ret_why);
        if (!r) {
                r = build(m, o, ret);
                if (r)
                        runfile_explain(ret_why, r, "%s", strerror(-r));
        }
        memory_done(m);
        return r;
}

int report_memory_file(json_t **ret, const char *path, const struct memory_options *o,
                       char **ret_why)
{
        _cleanup_(runfile_closep) struct runfile *rf = NULL;
        int r = runfile_open(&rf, path, ret_why);

        return r ? r : report_memory_new(ret, rf, o, ret_why);
}
