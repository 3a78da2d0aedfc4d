/* SPDX-License-Identifier: MIT */
/*
 * From a run in memory to the document. Sums of what was measured are exact;
 * what is not known is null and never a made-up number; whatever a reader must
 * know to read a number rightly is in `notes` (report-notes.c).
 *
 *   self   of an op: total - time in ops called from it
 *   in ops sum of self over all ops and threads = time in outermost ops. Token and
 *          ttft spans lie across the stack of ops and count in neither
 *   share  self / in ops; where the self times of hot ops, which are estimates, add up to more,
 * self / their sum
 */
#include "common/report.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/report-private.h"
#include "common/report-surroundings.h"
#include "common/runfile-private.h"

DEFINE_CLEANUP(struct runfile *, runfile_close, runfile_closep);

static const char *const end_names[] = {"live", "code", "signal", "unknown", "cut", "exec"};

const char *report_end_name(int end)
{
        return end >= 0 && end <= RUNFILE_END_EXEC ? end_names[end] : "unknown";
}

json_t *report_exit(int end, int value)
{
        char name[32];

        switch (end) {
        case RUNFILE_END_CODE:
                return json_pack("{s:i}", "code", value);
        case RUNFILE_END_SIGNAL:
                fmt_signal(name, sizeof(name), value);
                return json_pack("{s:i,s:s}", "signal", value, "name", name);
        default:
                return json_null();
        }
}

/* RFC 3339, UTC, microseconds */
json_t *report_instant(uint64_t ns)
{
        time_t s = (time_t)(ns / 1000000000u);
        char date[32], whole[48];
        struct tm tm;

        if (!gmtime_r(&s, &tm) || !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm))
                return json_null();
        snprintf(whole, sizeof(whole), "%s.%06uZ", date, (unsigned)(ns / 1000 % 1000000));
        return json_string(whole);
}

static json_t *build_phase_times(const struct model *m)
{
        json_t *o = json_object();

        for (int p = 0; p < IFP_N_PHASES; p++) {
                uint64_t ns = 0, spans = 0;
                json_t *phase;

                for (size_t i = 0; i < m->n_processes; i++)
                        ns = sum_u64(ns, m->processes[i].phase_ns[p]);
                for (size_t i = 0; i < m->n_ops; i++)
                        if (report_is_nested(m->ops[i]))
                                spans = sum_u64(spans, m->ops[i]->phase[p].timed);
                if (!ns && !spans)
                        continue;
                phase = json_object();
                report_set(phase, "duration_ns", report_integer(ns));
                report_set(phase, "spans", report_integer(spans));
                report_set(o, report_phase_names[p], phase);
        }
        return o;
}

static json_t *build_process(const struct model *m, const struct runfile_process *p)
{
        json_t *o = json_object();
        uint64_t threads = 0;

        for (size_t i = 0; i < m->n_threads; i++)
                if (m->threads[i].row.process == p->index)
                        threads = sum_u64(threads, m->threads[i].n);
        report_set(o, "pid", json_integer(p->pid));
        report_set(o, "ppid", p->ppid > 0 ? json_integer(p->ppid) : json_null());
        report_set(o, "command", report_text(p->command));
        report_set(o, "exe", report_text(p->exe));
        report_set(o, "started_at", report_instant(p->started_at_ns));
        report_set(o, "duration_ns", report_integer(p->duration_ns));
        report_set(o, "end", json_string(report_end_name((int)p->end)));
        report_set(o, "exit", report_exit((int)p->end, p->end_value));
        report_set(o, "reason", report_text(p->reason));
        report_set(o, "trivial", json_boolean(p->trivial));
        report_set(o, "phase", json_string(report_phase_names[p->phase]));
        report_set(o, "spans", report_integer(p->spans));
        report_set(o, "threads", report_integer(threads));
        report_set(o, "spawns", report_integer(p->spawns));
        report_set(o, "live_bytes", json_integer(p->live_bytes));
        report_set(o, "peak_bytes", json_integer(p->peak_bytes));
        return o;
}

json_t *report_build_run(const struct model *m)
{
        const struct runfile_run *run = &m->run;
        json_t *o = report_run_head(run), *processes = json_array();

        report_set(o, "machine", report_text(run->machine));
        report_set(o, "infprof", report_text(run->infprof_version));
        for (size_t i = 0; i < m->n_processes; i++)
                json_array_append_new(processes, build_process(m, &m->processes[i]));
        report_set(o, "processes", processes);
        return o;
}

static json_t *build_self(const struct report *r)
{
        const struct model *m = &r->model;
        uint64_t base = 0, cpu = 0, lifetime = 0;
        bool cpu_known = m->n_threads;
        json_t *o = json_object();

        for (size_t i = 0; i < m->n_threads; i++) {
                const struct model_thread *t = &m->threads[i];

                lifetime = sum_u64(lifetime, report_thread_lifetime(m, t));
                cpu_known &= t->row.cpu_ns != UINT64_MAX;
                if (cpu_known)
                        cpu = sum_u64(cpu, t->row.cpu_ns);
        }
        base = cpu_known ? cpu : lifetime;

        report_set(o, "spans", report_integer(r->totals.spans));
        report_set(o, "folded", report_integer(r->totals.folded));
        report_set(o, "lost", report_integer(r->totals.lost));
        report_set(o, "left", report_integer(r->totals.left));
        report_set(o, "open", report_integer(r->totals.open));
        report_set(o, "untimed", report_integer(r->totals.untimed));
        report_set(o, "unseen", report_integer(r->totals.unseen));
        report_set(o, "overhead_ns_per_span",
                   report_rounded(r->totals.spans ? r->totals.overhead_ns / (double)r->totals.spans
                                                  : NAN));
        report_set(o, "overhead_fraction",
                   report_fraction(base && r->totals.overhead_ns <= (double)base
                                           ? r->totals.overhead_ns / (double)base
                                           : NAN));
        report_set(o, "overhead_of", json_string(cpu_known ? "cpu_time" : "thread_time"));
        report_set(o, "segment_bytes", report_integer(r->totals.segment_bytes));
        report_set(o, "daemon_cpu_ns", report_integer(m->run.daemon_cpu_ns));
        report_set(o, "adoptions", report_integer(m->run.n_adoptions));
        return o;
}

/* All calls of the ops of one kind, in one phase or (-1) in all. */
static int summarize_kind(const struct model *m, enum ifp_kind kind, int phase, struct summary *ret)
{
        struct figures sum;
        int r = 0;

        figures_init(&sum);
        for (size_t i = 0; i < m->n_ops && !r; i++)
                for (int p = 0; p < IFP_N_PHASES && !r; p++)
                        if (m->ops[i]->kind == kind && (phase < 0 || p == phase))
                                r = figures_add(&sum, &m->ops[i]->phase[p]);
        if (!r)
                r = summary_init(ret, &sum, 1, false);
        figures_done(&sum);
        return r;
}

static int build_tokens(const struct model *m, json_t **ret)
{
        uint64_t prompt = 0, generated = 0, sequences = 0, token_ns;
        struct summary token = {0}, ttft = {0};
        bool known = false;
        json_t *o;
        int r;

        for (size_t i = 0; i < m->n_processes; i++) {
                prompt = sum_u64(prompt, m->processes[i].prompt_tokens);
                generated = sum_u64(generated, m->processes[i].generated_tokens);
                sequences = sum_u64(sequences, m->processes[i].sequences);
        }
        for (size_t i = 0; i < m->n_ops; i++)
                known |= m->ops[i]->kind == IFP_KIND_CALL || !report_is_nested(m->ops[i]);
        known |= prompt || generated;

        r = summarize_kind(m, IFP_KIND_TOKEN, IFP_PHASE_DECODE, &token);
        if (!r)
                r = summarize_kind(m, IFP_KIND_TTFT, -1, &ttft);
        if (!r) {
                o = json_object();
                /* of an engine that infprof does not know, nobody has told it */
                report_set(o, "prompt",
                           report_integer_or_null(
                                   known && (prompt || !sum_u64(generated, sequences)), prompt));
                /* the first token of each sequence comes out of its prefill */
                report_set(o, "generated",
                           report_integer_or_null(known, sum_u64(generated, ttft.calls)));
                report_set(o, "sequences", report_integer_or_null(known, sequences));
                /* what several threads decode side by side takes its time once */
                token_ns = token.total_ns > token.child_ns ? token.total_ns - token.child_ns : 0;
                report_set(o, "per_second",
                           report_fraction(token_ns ? (double)generated * 1e9 / (double)token_ns
                                                    : NAN));
                report_set(o, "ttft_ns", report_rounded(ttft.mean_ns));
                report_set(o, "steps", report_integer_or_null(known, token.calls));
                report_set(o, "mean_ns", report_rounded(token.mean_ns));
                report_put_distribution(o, &token);
                *ret = o;
        }
        summary_done(&token);
        summary_done(&ttft);
        return r;
}

static int compare_sites(const void *a, const void *b)
{
        const struct runfile_site *p = &((const struct model_site *)a)->row;
        const struct runfile_site *q = &((const struct model_site *)b)->row;
        int c = strcmp(p->library ? p->library : "", q->library ? q->library : "");

        if (!c)
                c = strcmp(p->function ? p->function : "", q->function ? q->function : "");
        return c ? c : p->offset < q->offset ? -1 : p->offset > q->offset;
}

static int compare_counts(const void *a, const void *b)
{
        const json_t *p = *(json_t *const *)a, *q = *(json_t *const *)b;
        int64_t x = report_get_integer(p, "count"), y = report_get_integer(q, "count");

        return x > y ? -1 : x < y;
}

/* Sites of several processes that are the same place are one. Reorders the model's. */
static json_t *build_sites(struct model *m)
{
        _cleanup_(freep) json_t **items = calloc(m->n_sites + 1, sizeof(*items));
        size_t n = 0, next;

        if (!items)
                return NULL;
        if (m->n_sites)
                qsort(m->sites, m->n_sites, sizeof(*m->sites), compare_sites);
        for (size_t i = 0; i < m->n_sites; i = next) {
                uint64_t count = 0;

                for (next = i; next < m->n_sites && !compare_sites(&m->sites[i], &m->sites[next]);
                     next++)
                        count = sum_u64(count, m->sites[next].row.count);
                if (!count)
                        continue;
                items[n] = report_build_site_name(&m->sites[i]);
                report_set(items[n++], "count", report_integer(count));
        }
        return report_sorted(items, n, compare_counts);
}

static json_t *build_spawns(struct model *m)
{
        uint64_t total = 0, live = 0, peak = 0, unsited = 0;
        json_t *o = json_object();

        for (size_t i = 0; i < m->n_processes; i++) {
                const struct runfile_process *p = &m->processes[i];

                total = sum_u64(total, p->spawns);
                unsited = sum_u64(unsited, p->spawns_unsited);
                if (p->end == RUNFILE_END_LIVE)
                        live = sum_u64(live, p->threads_live);
                if (p->threads_peak > peak)
                        peak = p->threads_peak;
        }
        report_set(o, "total", report_integer(total));
        report_set(o, "live", report_integer(live));
        report_set(o, "peak_live", report_integer(peak));
        report_set(o, "per_second",
                   report_fraction(m->run.duration_ns
                                           ? (double)total * 1e9 / (double)m->run.duration_ns
                                           : NAN));
        report_set(o, "unsited", report_integer(unsited));
        report_set(o, "sites", build_sites(m));
        return o;
}

/*
 * Live and peak are of one process, so that they can be compared: a fork child begins with all that
 * its parent has, and processes that came one after another never held what they add up to.
 */
static json_t *build_memory(const struct report *r)
{
        const struct runfile_alloc *a = &r->totals.alloc;
        const struct runfile_process *most = NULL;
        json_t *o = json_object();

        for (size_t i = 0; i < r->model.n_processes; i++)
                most = model_larger(most, &r->model.processes[i]);
        report_set(o, "alloc_calls", report_integer(a->calls));
        report_set(o, "free_calls", report_integer(a->frees));
        report_set(o, "alloc_bytes", report_integer(a->asked_bytes));
        report_set(o, "usable_bytes", report_integer(a->usable_bytes));
        report_set(o, "freed_bytes", report_integer(a->freed_bytes));
        report_set(o, "live_bytes", json_integer(most ? most->live_bytes : 0));
        report_set(o, "peak_bytes", json_integer(most ? model_peak_bytes(most) : 0));
        report_set(o, "failed_calls", report_integer(a->failed));
        report_set(o, "maps", report_integer(a->maps));
        report_set(o, "mapped_bytes", report_integer(a->mapped_bytes));
        return o;
}

static json_t *build_not_in_any_op(const struct report *r)
{
        json_t *o = json_object();

        report_set(o, "thread_ns", report_integer(r->lifetime_ns));
        report_set(o, "in_ops_ns", report_integer_or_null(r->in_ops_known, r->in_ops_ns));
        report_set(o, "self_ns",
                   report_integer_or_null(r->in_ops_known && r->in_ops_ns <= r->lifetime_ns,
                                          r->lifetime_ns - r->in_ops_ns));
        report_put_alloc(o, &r->none_alloc);
        return o;
}

/* Calls of hot ops that have no stamp lie in no timed op: the estimates may add up to more than was
 * seen. */
static uint64_t sum_of_self(const struct model *m)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < m->n_ops; i++) {
                struct summary s;

                if (report_is_nested(m->ops[i]) &&
                    !summary_init(&s, m->ops[i]->phase, IFP_N_PHASES, m->ops[i]->hot) &&
                    s.self_known)
                        sum = sum_u64(sum, s.total_ns - s.child_ns);
                if (report_is_nested(m->ops[i]))
                        summary_done(&s);
        }
        return sum;
}

static void add_up(struct report *r)
{
        struct model *m = &r->model;
        struct figures none, all;
        uint64_t total = 0, child = 0;

        for (size_t i = 0; i < m->n_processes; i++) {
                const struct runfile_process *p = &m->processes[i];

                r->totals.spans = sum_u64(r->totals.spans, p->spans);
                r->totals.folded = sum_u64(r->totals.folded, p->folded);
                r->totals.lost = sum_u64(r->totals.lost, p->lost);
                r->totals.left = sum_u64(r->totals.left, p->left);
                r->totals.open = sum_u64(r->totals.open, p->open);
                r->totals.untimed = sum_u64(r->totals.untimed, p->untimed);
                r->totals.unseen = sum_u64(r->totals.unseen, p->unseen);
                r->totals.fold_refused = sum_u64(r->totals.fold_refused, p->fold_refused);
                r->totals.stubs_refused = sum_u64(r->totals.stubs_refused, p->stubs_refused);
                r->totals.ops_refused = sum_u64(r->totals.ops_refused, p->ops_refused);
                r->totals.lanes_retaken = sum_u64(r->totals.lanes_retaken, p->lanes_retaken);
                r->totals.segment_bytes = sum_u64(r->totals.segment_bytes, p->segment_bytes);
                r->totals.overhead_ns +=
                        (double)p->spans * (double)p->overhead_ns_per_span_x1000 / 1000;
        }
        figures_init(&none);
        figures_init(&all);
        for (int p = 0; p < IFP_N_PHASES; p++) {
                (void)figures_add(&none, &m->none[p]);
                for (size_t i = 0; i < m->n_ops; i++) {
                        struct figures f = m->ops[i]->phase[p];

                        f.points = (struct points){0};
                        (void)figures_add(&all, &f);
                        if (report_is_nested(m->ops[i])) {
                                total = sum_u64(total, f.total_ns);
                                child = sum_u64(child, f.child_ns);
                        }
                }
        }
        r->none_alloc = none.alloc;
        (void)figures_add(&all, &none);
        r->totals.alloc = all.alloc;
        figures_done(&none);
        figures_done(&all);
        r->in_ops_known = child <= total;
        r->in_ops_ns = r->in_ops_known ? total - child : 0;
        r->shared_ns = r->in_ops_ns;
        if (r->totals.untimed) {
                uint64_t self = sum_of_self(m);

                r->shared_ns = self > r->shared_ns ? self : r->shared_ns;
        }
        for (size_t i = 0; i < m->n_threads; i++)
                r->lifetime_ns = sum_u64(r->lifetime_ns, report_thread_lifetime(m, &m->threads[i]));
}

static int build(struct report *r, json_t **ret)
{
        _cleanup_(json_decrefp) json_t *o = json_object();
        json_t *part;
        int e;

        add_up(r);
        report_set(o, "schema", json_string(REPORT_SCHEMA));
        report_set(o, "run", report_build_run(&r->model));
        report_set(o, "self", build_self(r));
        e = build_tokens(&r->model, &part);
        if (e)
                return e;
        report_set(o, "tokens", part);
        report_set(o, "phases", build_phase_times(&r->model));
        e = report_build_ops(r, &part);
        if (e)
                return e;
        report_set(o, "ops", part);
        report_set(o, "not_in_any_op", build_not_in_any_op(r));
        report_set(o, "threads", report_build_threads(r));
        report_set(o, "spawns", build_spawns(&r->model));
        report_set(o, "memory", build_memory(r));
        report_told_put(o, &r->told, &r->roof);
        part = report_notes(r);
        report_told_notes(part, &r->told);
        report_shapes_notes(part, &r->shapes, json_object_get(o, "ops"));
        report_set(o, "notes", part);
        *ret = steal_ptr(o);
        return 0;
}

int report_with(struct runfile *rf, int (*make)(struct report *r, json_t **ret), json_t **ret,
                char **ret_why)
{
        struct report r = {0};
        int e = model_load(&r.model, rf, ret_why);

        if (!e)
                e = report_shapes_load(&r.shapes, &r.model, rf, ret_why);
        if (!e)
                e = report_roof_load(&r.roof, &r.model, &r.shapes, rf, ret_why);
        if (!e)
                e = report_told_load(&r.told, &r.model, rf, ret_why);
        r.shapes.roof = &r.roof;
        if (!e) {
                e = make(&r, ret);
                if (e)
                        runfile_explain(ret_why, e, "%s", strerror(-e));
        }
        report_told_done(&r.told);
        report_roof_done(&r.roof);
        report_shapes_done(&r.shapes);
        model_done(&r.model);
        return e;
}

int report_build(struct runfile *rf, json_t **ret, char **ret_why)
{
        _cleanup_(json_decrefp) json_t *report = NULL;
        json_t *part;
        int r = report_with(rf, build, &report, ret_why);

        if (!r)
                r = report_surroundings(&part, rf, ret_why);
        if (r)
                return r;
        report_set(report, "surroundings", part);
        *ret = steal_ptr(report);
        return 0;
}

int report_build_file(const char *path, json_t **ret, char **ret_why)
{
        _cleanup_(runfile_closep) struct runfile *rf = NULL;
        int r = runfile_open(&rf, path, ret_why);

        return r ? r : report_build(rf, ret, ret_why);
}
