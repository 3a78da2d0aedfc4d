/* SPDX-License-Identifier: MIT */
/*
 * The document infprof.threads/1. Lifetime, spans and waits are what the shim saw; on a CPU,
 * runnable and blocked are the kernel's word, and null where that was not to be had.
 */
#include "common/report-threads.h"

#include <errno.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/report-threads-private.h"

/* With more threads than this only the busiest have a row; all are in the groups. */
#define MAX_THREADS 256

static const char *const block_keys[IFP_N_BLOCK_KINDS] = {"futex_ns", "io_ns",   "fault_ns",
                                                          "sleep_ns", "poll_ns", "other_ns"};
static const char *const group_keys[IFP_N_WAIT_GROUPS] = {"barrier", "lock", "other"};

/*
 * For how long the kernel's view has looked at the thread: from when the programs were attached,
 * which is after the engine began. What it tells is told of this time, not of the thread's life.
 */
static uint64_t watched(const struct runfile_thread *t)
{
        uint64_t ns = t->running_ns;

        runfile_add_told(&ns, t->runnable_ns);
        for (int i = 0; i < IFP_N_BLOCK_KINDS; i++)
                runfile_add_told(&ns, t->blocked_ns[i]);
        return ns;
}

static json_t *build_blocked(const struct runfile_thread *t)
{
        json_t *o = json_object();

        for (int i = 0; i < IFP_N_BLOCK_KINDS; i++)
                if (t->blocked_ns[i] == RUNFILE_NOT_TOLD) {
                        json_decref(o);
                        return json_null();
                }
        for (int i = 0; i < IFP_N_BLOCK_KINDS; i++)
                report_set(o, block_keys[i], report_integer(t->blocked_ns[i]));
        return o;
}

static void sum_groups(const struct work_thread *t, uint64_t ns[IFP_N_WAIT_GROUPS])
{
        for (uint32_t k = 1; k < IFP_N_WAIT_KINDS; k++)
                ns[ifp_wait_group(k)] = sum_u64(ns[ifp_wait_group(k)], t->wait_ns[k]);
}

static json_t *build_wait_groups(bool known, const uint64_t ns[IFP_N_WAIT_GROUPS])
{
        json_t *o;

        if (!known)
                return json_null();
        o = json_object();
        for (int i = 0; i < IFP_N_WAIT_GROUPS; i++)
                report_set(o, group_keys[i], report_integer(ns[i]));
        return o;
}

static json_t *build_waits(bool known, const struct work_thread *t)
{
        json_t *o;

        if (!known)
                return json_null();
        o = json_object();
        for (int k = 1; k < IFP_N_WAIT_KINDS; k++) {
                json_t *wait;

                if (!t->wait_count[k] && !t->wait_ns[k])
                        continue;
                wait = json_object();
                report_set(wait, "count", report_integer(t->wait_count[k]));
                report_set(wait, "total_ns", report_integer(t->wait_ns[k]));
                report_set(o, work_wait_kinds[k], wait);
        }
        return o;
}

static json_t *build_waiting(const struct work_thread *t)
{
        json_t *o;

        if (!t->now.kind)
                return json_null();
        o = json_object();
        report_set(o, "kind", json_string(work_wait_kinds[t->now.kind]));
        report_set(o, "object", work_build_object(t->now.object));
        report_set(o, "for_ns", report_integer(t->now.for_ns));
        return o;
}

static json_t *build_thread(const struct work *w, size_t i)
{
        const struct runfile_thread *row = &w->model.threads[i].row;
        const struct work_thread *t = &w->threads[i];
        bool known = w->processes[t->process].waits_known;
        uint64_t groups[IFP_N_WAIT_GROUPS] = {0}, in_ops;
        bool in_ops_known = work_in_ops(w, i, &in_ops);
        const struct merge_ref *spawn = work_spawn(w, i);
        json_t *o = json_object();

        sum_groups(t, groups);
        report_set(o, "pid", json_integer(w->model.processes[t->process].pid));
        report_set(o, "tid", json_integer(row->tid));
        report_set(o, "parent_tid",
                   row->parent_tid > 0 ? json_integer(row->parent_tid) : json_null());
        report_set(o, "name", report_text(row->name));
        report_set(o, "started_ns", report_integer(row->started_ns));
        report_set(o, "ended_ns",
                   report_integer_or_null(row->ended_ns != UINT64_MAX, row->ended_ns));
        report_set(o, "lifetime_ns", report_integer(work_lifetime(w, i)));
        report_set(o, "cpu_ns", report_told(row->cpu_ns));
        report_set(o, "running_ns", report_told(row->running_ns));
        report_set(o, "runnable_ns", report_told(row->runnable_ns));
        report_set(o, "watched_ns", report_told(watched(row)));
        report_set(o, "blocked", build_blocked(row));
        report_set(o, "waits", build_waits(known, t));
        report_set(o, "wait_ns", build_wait_groups(known, groups));
        report_set(o, "in_ops_ns", report_integer_or_null(in_ops_known, in_ops));
        report_set(o, "fault_ns", report_told(row->fault_ns));
        report_set(o, "syscall_ns", report_told(row->syscall_ns));
        report_set(o, "voluntary", report_told(row->voluntary));
        report_set(o, "involuntary", report_told(row->involuntary));
        report_set(o, "migrations", report_told(row->migrations));
        report_set(o, "minor_faults", report_told(row->minor_faults));
        report_set(o, "major_faults", report_told(row->major_faults));
        report_set(o, "syscalls", report_told(row->syscalls));
        report_set(o, "cpu", report_told(row->cpu));
        report_set(o, "spans", report_integer(row->spans));
        report_set(o, "site", work_build_place(model_thread_site(&w->model, &w->model.threads[i])));
        report_set(o, "spawn", spawn ? json_integer(spawn->to) : json_null());
        report_set(o, "waiting", build_waiting(t));
        return o;
}

struct busy {
        uint64_t ns, lifetime_ns;
        size_t thread;
};

static int compare_busy(const void *a, const void *b)
{
        const struct busy *p = a, *q = b;

        if (p->ns != q->ns)
                return p->ns > q->ns ? -1 : 1;
        if (p->lifetime_ns != q->lifetime_ns)
                return p->lifetime_ns > q->lifetime_ns ? -1 : 1;
        return p->thread < q->thread ? -1 : p->thread > q->thread;
}

/* On a CPU, as far as that is known, or in ops, whichever says more. */
static uint64_t busy_of(const struct work *w, size_t i)
{
        const struct runfile_thread *row = &w->model.threads[i].row;
        uint64_t in_ops = 0, ns;

        ns = work_in_ops(w, i, &in_ops) ? in_ops : 0;
        if (row->running_ns != RUNFILE_NOT_TOLD && row->running_ns > ns)
                ns = row->running_ns;
        if (row->cpu_ns != RUNFILE_NOT_TOLD && row->cpu_ns > ns)
                ns = row->cpu_ns;
        return ns;
}

static int build_threads(const struct work *w, json_t **ret)
{
        size_t n = w->model.n_threads;
        _cleanup_(freep) struct busy *order = calloc(n + 1, sizeof(*order));

        if (!order)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                order[i] = (struct busy){busy_of(w, i), work_lifetime(w, i), i};
        qsort(order, n, sizeof(*order), compare_busy);
        *ret = json_array();
        for (size_t i = 0; i < n && i < MAX_THREADS; i++)
                json_array_append_new(*ret, build_thread(w, order[i].thread));
        return 0;
}

struct group_sum {
        size_t group;
        bool waits_known;
        uint64_t cpu, running, runnable, watched, voluntary, involuntary, migrations, spans, busy;
        uint64_t waits[IFP_N_WAIT_GROUPS];
};

static int compare_sums(const void *a, const void *b)
{
        const struct group_sum *p = a, *q = b;

        if (p->busy != q->busy)
                return p->busy > q->busy ? -1 : 1;
        return p->group < q->group ? -1 : p->group > q->group;
}

static json_t *build_group(const struct work *w, const struct group_sum *s)
{
        const struct work_group *g = &w->groups[s->group];
        json_t *o = json_object();

        report_set(o, "name", report_text(g->name));
        report_set(o, "site", work_build_place(g->site));
        report_set(o, "threads", report_integer(g->threads));
        report_set(o, "lifetime_ns", report_integer(g->lifetime_ns));
        report_set(o, "cpu_ns", report_told(s->cpu));
        report_set(o, "running_ns", report_told(s->running));
        report_set(o, "runnable_ns", report_told(s->runnable));
        report_set(o, "watched_ns", report_told(s->watched));
        report_set(o, "wait_ns", build_wait_groups(s->waits_known, s->waits));
        report_set(o, "spans", report_integer(s->spans));
        report_set(o, "voluntary", report_told(s->voluntary));
        report_set(o, "involuntary", report_told(s->involuntary));
        report_set(o, "migrations", report_told(s->migrations));
        return o;
}

static int build_groups(const struct work *w, json_t **ret)
{
        _cleanup_(freep) struct group_sum *sums = calloc(w->n_groups + 1, sizeof(*sums));

        if (!sums)
                return -ENOMEM;
        for (size_t i = 0; i < w->n_groups; i++)
                sums[i] = (struct group_sum){.group = i, .waits_known = true};
        for (size_t i = 0; i < w->model.n_threads; i++) {
                const struct runfile_thread *row = &w->model.threads[i].row;
                struct group_sum *s = &sums[w->threads[i].group];

                s->waits_known &= w->processes[w->threads[i].process].waits_known;
                runfile_add_told(&s->cpu, row->cpu_ns);
                runfile_add_told(&s->running, row->running_ns);
                runfile_add_told(&s->runnable, row->runnable_ns);
                runfile_add_told(&s->watched, watched(row));
                runfile_add_told(&s->voluntary, row->voluntary);
                runfile_add_told(&s->involuntary, row->involuntary);
                runfile_add_told(&s->migrations, row->migrations);
                s->spans = sum_u64(s->spans, row->spans);
                s->busy = sum_u64(s->busy, busy_of(w, i));
                sum_groups(&w->threads[i], s->waits);
        }
        qsort(sums, w->n_groups, sizeof(*sums), compare_sums);
        *ret = json_array();
        for (size_t i = 0; i < w->n_groups; i++)
                json_array_append_new(*ret, build_group(w, &sums[i]));
        return 0;
}

static json_t *build_notes(const struct work *w)
{
        json_t *notes = work_notes(w);
        uint64_t n = 0, later = 0;

        for (size_t i = 0; i < w->model.n_threads; i++) {
                const struct model_thread *t = &w->model.threads[i];

                n = sum_u64(n, t->n);
                later = sum_u64(later, t->row.thread == RUNFILE_LATER ? t->n : 0);
        }
        if (later)
                report_note(notes,
                            "of %llu threads %llu came when %u of their process had rows: they "
                            "share the row (later threads)",
                            (unsigned long long)n, (unsigned long long)later, RUNFILE_LATER);
        if (w->model.n_threads > MAX_THREADS)
                report_note(notes,
                            "of %llu threads the %d busiest are here; all are in the groups by "
                            "name and spawn site",
                            (unsigned long long)n, MAX_THREADS);
        if (w->kernel.stacks_lost)
                report_note(notes,
                            "stacks off the CPU are without %llu times that a thread left it: its "
                            "stack could not be taken",
                            (unsigned long long)w->kernel.stacks_lost);
        return notes;
}

/* Most that one process may use: what is oversubscribed, is so in a process. */
static json_t *build_cpus(const struct work *w)
{
        uint64_t cpus = 0;

        for (size_t i = 0; i < w->model.n_processes; i++)
                cpus = w->processes[i].cpus > cpus ? w->processes[i].cpus : cpus;
        return report_integer_or_null(cpus, cpus);
}

static int build(struct work *w, json_t **ret)
{
        _cleanup_(json_decrefp) json_t *o = work_head(w, THREADS_SCHEMA);
        json_t *part = NULL;
        int r;

        report_set(o, "cpus", build_cpus(w));
        report_set(o, "kernel", threads_build_kernel(w));
        r = build_threads(w, &part);
        if (r)
                return r;
        report_set(o, "threads", part);
        r = build_groups(w, &part);
        if (r)
                return r;
        report_set(o, "groups", part);
        report_set(o, "run_queue",
                   w->kernel.run_queue.count ? spread_build(&w->kernel.run_queue) : json_null());
        report_set(o, "preempted_by", threads_build_preempts(w));
        report_set(o, "syscalls", threads_build_syscalls(w));
        report_set(o, "io", threads_build_io(w));
        report_set(o, "ops", threads_build_ops(w));
        r = work_off_cpu(w, &part);
        if (r)
                return r;
        report_set(o, "off_cpu", part);
        report_set(o, "notes", build_notes(w));
        *ret = steal_ptr(o);
        return 0;
}

int report_threads_new(json_t **ret, struct runfile *rf, char **ret_why)
{
        return work_document(ret, rf, build, ret_why);
}

int report_threads_file(json_t **ret, const char *path, char **ret_why)
{
        return work_document_file(ret, path, build, ret_why);
}
