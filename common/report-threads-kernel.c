/* SPDX-License-Identifier: MIT */
/*
 * What the document infprof.threads/1 has of the kernel's view beside the threads: of the run as a
 * whole, and by what was open.
 */
#include <math.h>

#include "common/report-private.h"
#include "common/report-threads-private.h"
#include "common/syscall-names.h"

static const char *const views[] = {"none", "proc", "bpf"};

json_t *threads_build_kernel(const struct work *w)
{
        const struct work_kernel *k = &w->kernel;
        bool bpf = k->view == RUNFILE_VIEW_BPF, known = bpf && k->cost_ns != RUNFILE_NOT_TOLD;
        uint64_t running = 0;
        json_t *o = json_object();

        for (size_t i = 0; i < w->model.n_threads; i++)
                if (w->model.threads[i].row.running_ns != RUNFILE_NOT_TOLD)
                        running = sum_u64(running, w->model.threads[i].row.running_ns);
        report_set(o, "view", json_string(views[k->view]));
        report_set(o, "why", report_text(k->why));
        report_set(o, "lost", report_integer_or_null(bpf, k->lost));
        report_set(o, "events", report_integer_or_null(known, k->events));
        report_set(o, "cost_ns", report_integer_or_null(known, k->cost_ns));
        report_set(o, "cost_share",
                   report_fraction(known && running && k->cost_ns <= running
                                           ? (double)k->cost_ns / (double)running
                                           : NAN));
        return o;
}

json_t *threads_build_preempts(const struct work *w)
{
        json_t *array = json_array();

        for (size_t i = 0; i < w->n_preempts; i++) {
                const struct work_preempt *p = &w->preempts[i];
                json_t *o = json_object();

                report_set(o, "pid", p->pid > 0 ? json_integer(p->pid) : json_null());
                report_set(o, "name", report_text(p->name));
                report_set(o, "own", json_boolean(p->own));
                report_set(o, "count", report_integer(p->count));
                report_set(o, "total_ns", report_integer(p->total_ns));
                json_array_append_new(array, o);
        }
        return array;
}

json_t *threads_build_syscalls(const struct work *w)
{
        json_t *array = json_array();

        for (size_t i = 0; i < w->n_syscalls; i++) {
                const struct work_syscall *s = &w->syscalls[i];
                json_t *o = json_object();

                report_set(o, "number", json_integer(s->number));
                report_set(o, "name", report_text(syscall_name(s->number)));
                report_set(o, "failed", report_integer(s->failed));
                spread_put(o, &s->spread);
                json_array_append_new(array, o);
        }
        return array;
}

json_t *threads_build_io(const struct work *w)
{
        const struct work_kernel *k = &w->kernel;
        json_t *o, *load;

        if (k->view != RUNFILE_VIEW_BPF)
                return json_null();
        o = spread_build(&k->io);
        load = json_object();
        report_set(load, "count", report_integer(k->load_io_count));
        report_set(load, "bytes", report_integer(k->load_io_bytes));
        report_set(load, "total_ns", report_integer(k->load_io_ns));
        report_set(o, "bytes", report_integer(k->io_bytes));
        report_set(o, "load", load);
        return o;
}

json_t *threads_build_ops(const struct work *w)
{
        json_t *array = json_array();

        for (size_t i = 0; i < w->n_kernel_ops; i++) {
                const struct work_kernel_op *k = &w->kernel_ops[i];
                json_t *o = json_object();

                report_set(o, "op", report_text(k->op));
                report_set(o, "phase", json_string(report_phase_names[k->phase]));
                report_set(o, "runnable_ns", report_integer(k->runnable_ns));
                report_set(o, "blocked_ns", report_integer(k->blocked_ns));
                report_set(o, "fault_ns", report_integer(k->fault_ns));
                report_set(o, "minor_faults", report_integer(k->minor_faults));
                report_set(o, "major_faults", report_integer(k->major_faults));
                report_set(o, "syscalls", report_integer(k->syscalls));
                report_set(o, "syscall_ns", report_integer(k->syscall_ns));
                report_set(o, "switches", report_integer(k->switches));
                json_array_append_new(array, o);
        }
        return array;
}
