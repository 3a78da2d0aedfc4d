/* SPDX-License-Identifier: MIT */
/*
 * A run's work in memory: loading it whole, and what all of its documents share. Its parts
 * are loaded by report-work-*.c.
 */
#include "common/report-work-private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/runfile-private.h"

DEFINE_CLEANUP(struct runfile *, runfile_close, runfile_closep);

const char *const work_wait_kinds[IFP_N_WAIT_KINDS] = {
        "none",      "mutex", "rwlock", "spinlock", "condition", "barrier",
        "semaphore", "join",  "futex",  "sleep",    "yield",     "poll"};
const char *const work_spawn_kinds[IFP_N_SPAWN_KINDS] = {"thread",      "fork",  "vfork",
                                                         "posix-spawn", "clone", "openmp"};
const char *const work_rows[IFP_N_LEDGER] = {"compute",  "barrier", "lock",     "wait",
                                             "runnable", "fault",   "syscall",  "alloc",
                                             "spawn",    "outside", "profiler", "unaccounted"};

size_t work_process(struct work *w, const char *table, uint32_t process)
{
        return model_process_index(&w->model, w->rf, table, process, &w->why);
}

int work_dangling(struct work *w, const char *table, const char *what, uint32_t process,
                  uint32_t number)
{
        return model_dangling(w->rf, table, what, process, number, &w->why);
}

static int compare_thread(const void *key, const void *item)
{
        const struct model_thread *a = key, *b = item;

        if (a->row.process != b->row.process)
                return a->row.process < b->row.process ? -1 : 1;
        return a->row.thread < b->row.thread ? -1 : a->row.thread > b->row.thread;
}

size_t work_thread(const struct work *w, uint32_t process, int64_t thread)
{
        const struct model *m = &w->model;
        struct model_thread key = {.row = {.process = process, .thread = (uint32_t)thread}}, *t;

        if (thread < 0 || thread > UINT32_MAX || !m->n_threads)
                return NONE;
        t = bsearch(&key, m->threads, m->n_threads, sizeof(key), compare_thread);
        return t ? (size_t)(t - m->threads) : NONE;
}

static int compare_size(const void *a, const void *b)
{
        size_t x = *(const size_t *)a, y = *(const size_t *)b;

        return x < y ? -1 : x > y;
}

size_t work_distinct(size_t *at, size_t n)
{
        size_t left = 0;

        qsort(at, n, sizeof(*at), compare_size);
        for (size_t i = 0; i < n; i++)
                if (!left || at[i] != at[left - 1])
                        at[left++] = at[i];
        return left;
}

/*
 * A thread is on a CPU before its first line is, while the kernel starts it; where it lives for
 * moments only that is most of it. It has lived at least as long as it ran.
 */
uint64_t work_lifetime(const struct work *w, size_t thread)
{
        const struct model_thread *t = &w->model.threads[thread];
        uint64_t lived = report_thread_lifetime(&w->model, t), ran = t->row.cpu_ns, seen = 0;

        if (ran != RUNFILE_NOT_TOLD && ran > lived)
                lived = ran;
        if (t->row.running_ns != RUNFILE_NOT_TOLD && t->row.runnable_ns != RUNFILE_NOT_TOLD)
                seen = sum_u64(t->row.running_ns, t->row.runnable_ns);
        return seen > lived ? seen : lived;
}

bool work_in_ops(const struct work *w, size_t thread, uint64_t *ret_ns)
{
        return report_thread_in_ops(&w->model, &w->model.threads[thread], ret_ns);
}

uint64_t work_self(const struct work *w, size_t thread, const struct model_op *op, uint32_t phase)
{
        const struct model_thread *t = &w->model.threads[thread];
        uint64_t sum = 0;

        for (size_t i = 0; i < t->n_ops; i++) {
                const struct model_thread_op *o = &t->ops[i];

                if (o->phase == phase && o->figures.total_ns > o->figures.child_ns &&
                    (op ? o->op == op->index : model_is_compute(w->model.ops[o->op])))
                        sum = sum_u64(sum, o->figures.total_ns - o->figures.child_ns);
        }
        return sum;
}

/*
 * Which threads make tokens is not in the file; it shows in their ops: the spans of tokens are
 * theirs, or else the calls or the graphs of the decode phase.
 */
static void find_decoders(struct work *w)
{
        static const enum ifp_kind signs[] = {IFP_KIND_TOKEN, IFP_KIND_CALL, IFP_KIND_GRAPH};
        const struct model *m = &w->model;
        bool found = false;

        for (size_t k = 0; k < sizeof(signs) / sizeof(signs[0]) && !found; k++)
                for (size_t i = 0; i < m->n_threads; i++)
                        for (size_t o = 0; o < m->threads[i].n_ops; o++) {
                                const struct model_thread_op *op = &m->threads[i].ops[o];

                                if (m->ops[op->op]->kind == signs[k] && op->figures.timed &&
                                    op->phase == IFP_PHASE_DECODE)
                                        found = w->threads[i].decodes = true;
                        }
}

static int prepare(struct work *w)
{
        const struct model *m = &w->model;

        w->processes = calloc(m->n_processes + 1, sizeof(*w->processes));
        w->threads = calloc(m->n_threads + 1, sizeof(*w->threads));
        if (!w->processes || !w->threads)
                return -ENOMEM;
        for (size_t i = 0; i < m->n_processes; i++) {
                w->processes[i].crowd = NONE;
                w->processes[i].waits_known = m->processes[i].waits;
        }
        for (size_t i = 0; i < m->n_threads; i++) {
                const struct runfile_process *p = model_process(m, m->threads[i].row.process);

                w->threads[i].process = (size_t)(p - m->processes);
                w->threads[i].now.wait = NONE;
        }
        find_decoders(w);
        return 0;
}

/* "Abacus 7, 2 CPUs, Linux 6.1": where the kernel did not say what a process may use. */
static uint64_t cpus_of_machine(const char *machine)
{
        unsigned n = 0;

        for (const char *p = machine; p; p = strchr(p, ',')) {
                p += *p == ',';
                if (sscanf(p, " %u CPU", &n) == 1 && n)
                        return n;
        }
        return 0;
}

static void find_cpus(struct work *w)
{
        uint64_t all = cpus_of_machine(w->model.run.machine);

        for (size_t i = 0; i < w->model.n_processes; i++)
                if (!w->processes[i].cpus)
                        w->processes[i].cpus = all;
}

int work_load(struct work *w, struct runfile *rf, char **ret_why)
{
        int r;

        *w = (struct work){.rf = rf};
        r = model_load(&w->model, rf, ret_why);
        if (r)
                return r;
        r = prepare(w);
        if (!r)
                r = frames_load(&w->frames, rf, &w->model, &w->why);
        if (!r)
                r = work_load_sites(w);
        if (!r)
                r = work_group_threads(w);
        if (!r)
                r = work_load_waits(w);
        if (!r)
                r = work_load_ledger(w);
        if (!r)
                r = work_load_kernel(w);
        if (r)
                runfile_explain(ret_why, r, "%s", w->why ? w->why : runfile_why(rf));
        else
                find_cpus(w);
        return r;
}

void work_done(struct work *w)
{
        work_sites_done(w);
        work_waits_done(w);
        work_ledger_done(w);
        work_kernel_done(w);
        frames_done(&w->frames);
        free(w->groups);
        free(w->group_buckets.at);
        free(w->processes);
        free(w->threads);
        free(w->why);
        model_done(&w->model);
}

int work_document(json_t **ret, struct runfile *rf, work_build_fn build, char **ret_why)
{
        _cleanup_(freep) struct work *w = calloc(1, sizeof(*w));
        json_t *document = NULL;
        int r;

        if (!w)
                return runfile_explain(ret_why, -ENOMEM, "%s", strerror(ENOMEM));
        r = work_load(w, rf, ret_why);
        if (!r) {
                r = build(w, &document);
                if (r)
                        runfile_explain(ret_why, r, "%s",
                                        w->why  ? w->why
                                        : r > 0 ? runfile_why(rf)
                                                : strerror(-r));
                else
                        *ret = document;
        }
        work_done(w);
        return r;
}

int work_document_file(json_t **ret, const char *path, work_build_fn build, char **ret_why)
{
        _cleanup_(runfile_closep) struct runfile *rf = NULL;
        int r = runfile_open(&rf, path, ret_why);

        return r ? r : work_document(ret, rf, build, ret_why);
}

bool work_pace(const struct work *w, double *ret_tokens, double *ret_wall_ns)
{
        uint64_t generated = 0, ns = 0, first;

        if (w->ledger.tokens && w->ledger.wall.total_ns) {
                *ret_tokens = (double)w->ledger.tokens;
                *ret_wall_ns = (double)w->ledger.wall.total_ns;
                return true;
        }
        for (size_t i = 0; i < w->model.n_processes; i++)
                generated = sum_u64(generated, w->model.processes[i].generated_tokens);
        if (!generated || runfile_token_ns(w->rf, &ns, &first) || !ns)
                return false;
        *ret_tokens = (double)generated;
        *ret_wall_ns = (double)ns;
        return true;
}

void work_put_thread(json_t *o, const struct work *w, size_t thread)
{
        const struct runfile_thread *t = thread != NONE ? &w->model.threads[thread].row : NULL;

        report_set(o, "pid",
                   t ? json_integer(w->model.processes[w->threads[thread].process].pid)
                     : json_null());
        report_set(o, "tid", t ? json_integer(t->tid) : json_null());
        report_set(o, "name", t ? report_text(t->name) : json_null());
}

json_t *work_build_place(const struct model_site *s)
{
        return s ? report_build_site_name(s) : json_null();
}

json_t *work_build_object(uint64_t object)
{
        char text[32];

        if (!object)
                return json_null();
        snprintf(text, sizeof(text), "0x%llx", (unsigned long long)object);
        return json_string(text);
}

json_t *work_head(const struct work *w, const char *schema)
{
        json_t *o = json_object();

        report_set(o, "schema", json_string(schema));
        report_set(o, "run", report_build_run(&w->model));
        return o;
}

json_t *work_notes(const struct work *w)
{
        json_t *notes = json_array();
        size_t n_unknown = 0;

        report_note_processes(notes, &w->model);
        for (size_t i = 0; i < w->model.n_processes; i++)
                n_unknown += !w->processes[i].waits_known && !w->model.processes[i].trivial;
        if (n_unknown)
                report_note(notes,
                            "of %zu process%s waits, lives of threads and the ledger were not "
                            "recorded (record --waits off, or INFPROF_WAITS=off)",
                            n_unknown, n_unknown > 1 ? "es" : "");
        if (w->kernel.there && w->kernel.view != RUNFILE_VIEW_BPF)
                report_note(notes, "no kernel's view by BPF: %s",
                            w->kernel.why ? w->kernel.why : "it was not asked for");
        else if (w->kernel.lost)
                report_note(notes, "%llu events of the kernel's view found no room",
                            (unsigned long long)w->kernel.lost);
        if (w->kernel.there && w->kernel.view == RUNFILE_VIEW_BPF && w->model.run.n_adoptions)
                report_note(notes,
                            "the collector died and another took over: the kernel's view is "
                            "without what came since the last writing of the former, and before "
                            "the latter watched");
        for (size_t i = 0; i < w->model.n_notes; i++)
                report_note(notes, "%s", w->model.notes[i]);
        return notes;
}
