/* SPDX-License-Identifier: MIT */
/*
 * The document infprof.explain/1. What there is to find is a table of verdicts; the findings come
 * in the order of what they would gain, those of which that is not known last, and behind these
 * what is told for how often it happens, though it takes little.
 */
#include "common/report-explain.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/cleanup.h"
#include "common/explain-rules.h"
#include "common/report-memory.h"
#include "common/report-roofline.h"
#include "common/report-tokens.h"
#include "common/report.h"

#define NS_PER_SECOND 1e9

/* So many tokens are enough for a mean that would come out the same again; fewer are a hint. */
#define TOKENS_ENOUGH 20
#define TOKENS_FEW    5

#define COLLECTOR_TOLD 0.03 /* of the CPU time that threads wanted */
#define PROFILER_TOLD  0.05 /* of the threads' time in decode steps */

#define HANGS_NS 1000000000u /* a wait this long is no part of a token's work */

static const struct {
        const char *id;
        void (*judge)(const struct facts *f, struct judgement *j);
        bool counts; /* how often is what is wrong, however little it takes */
} verdicts[] = {
        {"oversubscribed", explain_oversubscribed}, {"spin-wait", explain_spin_wait},
        {"spawn-churn", explain_spawn_churn, true}, {"imbalance", explain_imbalance},
        {"lock-convoy", explain_lock_convoy},       {"preempted", explain_preempted},
        {"migrations", explain_migrations},         {"small-work-units", explain_small_work_units},
};
#define N_VERDICTS (sizeof(verdicts) / sizeof(verdicts[0]))
#define N_ALL      (N_VERDICTS + EXPLAIN_RULES)

/* Verdicts, and behind them the rules. */
static const char *id_of(size_t i)
{
        return i < N_VERDICTS ? verdicts[i].id : explain_rule_id(i - N_VERDICTS);
}

static json_t *text_of(const char *format, va_list ap)
{
        _cleanup_(freep) char *s = NULL;

        if (vasprintf(&s, format, ap) < 0)
                abort(); /* no memory */
        return report_text(s);
}

void judge_no(struct judgement *j, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        vsnprintf(j->why, sizeof(j->why), format, ap);
        va_end(ap);
        j->judged = JUDGED_NO;
}

void judge_unknown(struct judgement *j, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        vsnprintf(j->why, sizeof(j->why), format, ap);
        va_end(ap);
        j->judged = JUDGED_UNKNOWN;
}

/* As a part of the time: what it would bring, or else what it takes; NaN: neither is known. */
static double size_of(const struct judgement *j)
{
        const json_t *share = json_object_get(json_object_get(j->finding, "cost"), "share");

        if (!isnan(j->factor))
                return j->factor - 1;
        return json_is_number(share) ? json_number_value(share) : NAN;
}

void judge_small(struct judgement *j)
{
        bool gain = !isnan(j->factor);
        double size = size_of(j);
        char title[EXPLAIN_TEXT], a[FMT_SIZE];

        snprintf(title, sizeof(title), "%s", j->why);
        json_decref(j->finding);
        j->finding = j->evidence = NULL;
        judge_no(j, "%.170s; %s %s, less than 3 %%", title,
                 gain ? "mending it would bring" : "it takes", fmt_share(a, fmax(size, 0)));
        j->small = true;
}

bool judge_waits(struct judgement *j, const struct facts *f)
{
        if (!f->waits_known)
                judge_unknown(j, "no waits were recorded: there were none, or they were not to be "
                                 "(INFPROF_WAITS=off)");
        return f->waits_known;
}

void judge_short_of_cpus(struct judgement *j, const struct facts *f)
{
        char a[FMT_SIZE];

        if (f->cpus && f->team > (double)f->cpus)
                judge_unknown(j,
                              "%.0f threads share %s: how long they work and wait says nothing of "
                              "how much they have to do",
                              f->team, explain_cpus(f, (char[FMT_SIZE]){0}, FMT_SIZE));
        else
                judge_unknown(
                        j,
                        "threads had no CPU for %s of the time they wanted one: how long they "
                        "work and wait says nothing of how much they have to do",
                        fmt_share(a, f->runnable));
}

const char *explain_cpus(const struct facts *f, char *buf, size_t size)
{
        snprintf(buf, size, "%llu CPU%s", (unsigned long long)f->cpus, f->cpus == 1 ? "" : "s");
        return buf;
}

void judge_yes(struct judgement *j, const char *format, ...)
{
        va_list ap;

        j->judged = JUDGED_YES;
        j->factor = NAN;
        j->finding = json_object();
        j->evidence = json_array();
        report_set(j->finding, "id", json_null()); /* its place is here */
        va_start(ap, format);
        report_set(j->finding, "title", text_of(format, ap));
        va_end(ap);
        snprintf(j->why, sizeof(j->why), "%s",
                 json_string_value(json_object_get(j->finding, "title")));
        report_set(j->finding, "evidence", j->evidence);
}

void judge_evidence(struct judgement *j, double value, const char *unit, const char *format, ...)
{
        bool whole = !strcmp(unit, "ns") || !strcmp(unit, "count");
        json_t *o, *number = whole ? report_rounded(value) : report_fraction(value);
        va_list ap;

        if (json_is_null(number))
                return;
        o = json_object();
        va_start(ap, format);
        report_set(o, "text", text_of(format, ap));
        va_end(ap);
        report_set(o, "value", number);
        report_set(o, "unit", json_string(unit));
        json_array_append_new(j->evidence, o);
}

void judge_cause(struct judgement *j, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        report_set(j->finding, "cause", text_of(format, ap));
        va_end(ap);
}

void judge_remedy(struct judgement *j, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        report_set(j->finding, "remedy", text_of(format, ap));
        va_end(ap);
}

static double rate(const struct facts *f, double wall)
{
        return wall > 0 ? f->tokens * NS_PER_SECOND / wall : NAN;
}

void judge_cost(struct judgement *j, const struct facts *f, double ns, double share,
                const char *format, ...)
{
        json_t *o = json_object();
        va_list ap;

        va_start(ap, format);
        report_set(o, "text", text_of(format, ap));
        va_end(ap);
        report_set(o, "ns_per_token", report_rounded(ns / f->tokens));
        report_set(o, "share", report_fraction(share >= 0 && share <= 1 ? share : NAN));
        report_set(j->finding, "cost", o);
}

void judge_gain(struct judgement *j, const struct facts *f, double wall, const char *format, ...)
{
        json_t *o = json_object(), *cost = json_object_get(j->finding, "cost");
        double factor = (isnan(f->wall) ? f->run_ns : f->wall) / wall,
               lost = rate(f, wall) - rate(f, f->wall);
        va_list ap;

        if (!(factor >= 1) || !isfinite(factor)) {
                factor = NAN;
                wall = NAN;
        }
        va_start(ap, format);
        report_set(o, "text", text_of(format, ap));
        va_end(ap);
        report_set(o, "tokens_per_second", report_fraction(rate(f, wall)));
        report_set(o, "factor", report_fraction(factor));
        report_set(j->finding, "gain", o);
        report_set(cost, "tokens_per_second",
                   report_fraction(isfinite(factor) && lost >= 0 ? lost : NAN));
        j->factor = factor;
}

void judge_confidence(struct judgement *j, const struct facts *f, enum confidence most)
{
        static const char *const names[] = {"low", "medium", "high"};

        if (!(f->tokens >= TOKENS_ENOUGH) && most > CONFIDENCE_MEDIUM)
                most = CONFIDENCE_MEDIUM;
        if (f->tokens < TOKENS_FEW)
                most = CONFIDENCE_LOW;
        report_set(j->finding, "confidence", json_string(names[most]));
}

const char *explain_ns(char *buf, double ns)
{
        return ns >= 0 && ns < 9e18 ? fmt_ns(buf, (uint64_t)ns) : "an unknown time";
}

const char *explain_place(const struct model_site *s, char *buf, size_t size)
{
        const char *library = s && s->row.library ? strrchr(s->row.library, '/') : NULL;

        if (!s || (!s->row.function && !s->row.library))
                return "a place that is not known";
        library = library ? library + 1 : s->row.library;
        if (s->row.function)
                snprintf(buf, size, "%s%s%s", s->row.function, library ? " in " : "",
                         library ? library : "");
        else
                snprintf(buf, size, "%s+0x%llx", library, (unsigned long long)s->row.offset);
        return buf;
}

const char *explain_function(const struct work *w, const uint32_t *frames, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const struct frame *f = &w->frames.at[frames[i]];
                const char *base = f->library ? strrchr(f->library, '/') : NULL;

                base = base ? base + 1 : f->library;
                if (f->function &&
                    !(base && (!strncmp(base, "libc.", 5) || !strncmp(base, "libpthread", 10))))
                        return f->function;
        }
        return NULL;
}

static int compare_judgements(const void *a, const void *b)
{
        const struct judgement *p = *(struct judgement *const *)a,
                               *q = *(struct judgement *const *)b;
        double x = isnan(p->factor) ? 0 : p->factor, y = isnan(q->factor) ? 0 : q->factor;

        if (p->small != q->small)
                return p->small ? 1 : -1;
        if (x != y)
                return x > y ? -1 : 1;
        return p < q ? -1 : p > q;
}

static json_t *build_looked_at(const struct judgement *j, size_t i)
{
        json_t *o = json_object();

        report_set(o, "id", json_string(id_of(i)));
        report_set(o, "found",
                   j->judged == JUDGED_UNKNOWN ? json_null()
                                               : json_boolean(j->judged == JUDGED_YES));
        report_set(o, "why", report_text(j->why));
        if (j->small)
                report_set(o, "small", json_true());
        return o;
}

bool explain_is_collector(const struct work_preempt *p)
{
        static const char *const names[] = {"infprof", "infprofd", "infprof-load",
                                            "infprof-symbols"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (p->name && !strcmp(p->name, names[i]))
                        return true;
        return false;
}

double explain_wanted(const struct work *w)
{
        double ns = 0;

        for (size_t i = 0; i < w->model.n_threads; i++) {
                const struct runfile_thread *t = &w->model.threads[i].row;

                if (t->running_ns != RUNFILE_NOT_TOLD && t->runnable_ns != RUNFILE_NOT_TOLD)
                        ns += (double)t->running_ns + (double)t->runnable_ns;
        }
        return ns;
}

/* In a wait from which another thread has to wake it. */
static bool hangs(const struct work_thread *t)
{
        return t->now.kind && t->now.kind != IFP_WAIT_SLEEP && t->now.kind != IFP_WAIT_YIELD &&
               t->now.kind != IFP_WAIT_POLL && t->now.for_ns >= HANGS_NS;
}

/* Threads that sleep or poll again and again say nothing either way. */
static bool goes_on(const struct work *w, size_t thread)
{
        const struct work_thread *t = &w->threads[thread];

        return w->model.threads[thread].row.ended_ns == RUNFILE_NOT_TOLD && !hangs(t) &&
               t->now.kind != IFP_WAIT_SLEEP && t->now.kind != IFP_WAIT_POLL;
}

/*
 * A pool may wait for its next job for ever, and a server for a request; but nobody waits long for
 * a lock without need, and where no thread does anything else, it is worth a word. A process that
 * ended by itself did not hang.
 */
static void note_hanging(json_t *notes, const struct work *w, size_t process)
{
        uint64_t n = 0, longest = 0, kinds = 0;
        bool locks = false, others = false;
        char took[FMT_SIZE], list[128] = "";

        if (w->model.processes[process].end == RUNFILE_END_CODE ||
            w->model.processes[process].end == RUNFILE_END_EXEC)
                return;
        for (size_t i = 0; i < w->model.n_threads; i++) {
                const struct work_thread *t = &w->threads[i];

                if (t->process != process)
                        continue;
                others |= goes_on(w, i);
                if (!hangs(t))
                        continue;
                n++;
                longest = t->now.for_ns > longest ? t->now.for_ns : longest;
                kinds |= 1ull << t->now.kind;
                locks |= ifp_wait_group(t->now.kind) == IFP_GROUP_LOCK;
        }
        if (!n || (others && !locks))
                return;
        for (uint32_t k = 1; k < IFP_N_WAIT_KINDS; k++)
                if (kinds & 1ull << k)
                        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
                                 *list ? ", " : "", work_wait_kinds[k]);
        report_note(notes,
                    "process %lld: at the last look %llu thread%s had been in one wait for 1s or "
                    "longer, the longest for %s (%s)%s: infprof waits shows where, and who holds "
                    "what",
                    (long long)w->model.processes[process].pid, (unsigned long long)n,
                    n == 1 ? "" : "s", fmt_ns(took, longest), list,
                    others ? "" : ", and no other thread did anything");
}

/* What stamping calls takes, where it is so much that it changes what it measures. */
static void note_profiler(json_t *notes, const struct facts *f)
{
        double ns = f->all[IFP_LEDGER_PROFILER], share = ns / f->threads_ns;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (share >= PROFILER_TOLD)
                report_note(notes,
                            "infprof's own stamps took about %s of thread time %s, %s of it: name "
                            "fewer kernels (INFPROF_KERNELS), or mark inner ones hot with ~",
                            explain_ns(a, isnan(f->tokens) ? ns : ns / f->tokens),
                            isnan(f->tokens) ? "in all" : "a token", fmt_share(b, share));
}

static json_t *build_notes(const struct facts *f)
{
        const struct work *w = f->w;
        json_t *notes = work_notes(w);
        double wanted = explain_wanted(w);
        uint64_t took = 0;
        char a[FMT_SIZE], b[FMT_SIZE];

        for (size_t i = 0; i < w->n_preempts; i++)
                if (explain_is_collector(&w->preempts[i]))
                        took = sum_u64(took, w->preempts[i].total_ns);
        if (wanted > 0 && (double)took >= COLLECTOR_TOLD * wanted)
                report_note(notes,
                            "threads were put off their CPU for infprof's own processes, and had "
                            "none for %s until they ran again, %s of the time they wanted one: "
                            "part of what is found may be infprof's doing",
                            fmt_ns(a, took), fmt_share(b, fmin((double)took / wanted, 1)));
        note_profiler(notes, f);
        if (w->kernel.view == RUNFILE_VIEW_BPF && !f->has_kernel && f->has_ledger)
                report_note(notes,
                            "the kernel's view looked at %s of the time of the threads that "
                            "compute: it was loaded while they ran, and the ledger's rows of it "
                            "are too small",
                            fmt_share(a, f->watched));
        for (size_t i = 0; i < w->model.n_processes; i++)
                note_hanging(notes, w, i);
        return notes;
}

static void judge(size_t i, const struct facts *f, struct judgement *j)
{
        if (i < N_VERDICTS)
                verdicts[i].judge(f, j);
        else
                explain_rule(i - N_VERDICTS, f, j);
        if (j->judged != JUDGED_YES)
                return;
        if (!json_array_size(j->evidence)) {
                json_decref(j->finding); /* of a file that makes no sense */
                judge_unknown(j, "the run has no numbers that would show it");
        } else if (size_of(j) < EXPLAIN_GAIN_MIN - 1) {
                if (i < N_VERDICTS && verdicts[i].counts)
                        report_set(j->finding, "small", json_true());
                else
                        judge_small(j);
                j->small = true;
        }
}

static int take_machine(const struct runfile_machine *row, void *userdata)
{
        struct facts *f = userdata;

        if (!f->machine)
                f->machine = json_loads(row->document, 0, NULL); /* NULL: damaged */
        return 0;
}

/* The documents that rules look at. */
static int take_documents(struct facts *f)
{
        struct runfile *rf = f->w->rf;
        int r = report_build(rf, &f->report, &f->w->why);

        if (!r)
                r = report_memory_new(&f->memory, rf, NULL, &f->w->why);
        if (!r)
                r = report_roofline_new(&f->roofline, rf, &f->w->why);
        if (!r)
                r = report_tokens_new(&f->token_growth, rf, &f->w->why);
        return r ? r : runfile_each_machine(rf, take_machine, f);
}

static int build(struct work *w, json_t **ret)
{
        struct judgement judged[N_ALL] = {0}, *order[N_ALL];
        json_t *findings = json_array(), *looked_at = json_array();
        _cleanup_(json_decrefp) json_t *o = work_head(w, EXPLAIN_SCHEMA);
        struct facts f;
        size_t n = 0;
        int r = facts_find(&f, w);

        if (!r)
                r = take_documents(&f);
        for (size_t i = 0; i < N_ALL && !r; i++) {
                judge(i, &f, &judged[i]);
                if (i < N_VERDICTS && judged[i].judged == JUDGED_YES && !judged[i].small && !f.said)
                        f.said = id_of(i);
                json_array_append_new(looked_at, build_looked_at(&judged[i], i));
                if (judged[i].judged != JUDGED_YES)
                        continue;
                report_set(judged[i].finding, "id", json_string(id_of(i)));
                order[n++] = &judged[i];
        }
        qsort(order, n, sizeof(order[0]), compare_judgements);
        for (size_t i = 0; i < n; i++)
                json_array_append_new(findings, order[i]->finding);
        report_set(o, "findings", findings);
        report_set(o, "looked_at", looked_at);
        report_set(o, "notes", build_notes(&f));
        facts_done(&f);
        if (!r)
                *ret = steal_ptr(o);
        return r;
}

int report_explain_new(json_t **ret, struct runfile *rf, char **ret_why)
{
        return work_document(ret, rf, build, ret_why);
}

int report_explain_file(json_t **ret, const char *path, char **ret_why)
{
        return work_document_file(ret, path, build, ret_why);
}
