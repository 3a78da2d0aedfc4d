/* SPDX-License-Identifier: MIT */
/*
 * The slowest decode steps, and what was different about them. A row or a count stands out if it is
 * more than twice the mean of a step; a row must also make up a tenth of what the step took longer
 * than the median. Rows of the thread that decodes come first; of what only the kernel sees, all
 * threads' are held against the mean too, since the one that decodes may have waited for another's.
 */
#include <math.h>

#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/report-ledger-private.h"
#include "common/report-private.h"

#define STANDS_OUT      2.0
#define PART_OF_EXCESS  0.1
#define MAX_DIFFERENCES 8

static const char *const row_words[IFP_N_LEDGER] = {"compute",
                                                    "waiting at barriers",
                                                    "waiting for locks",
                                                    "other waits",
                                                    "runnable but not running",
                                                    "page faults",
                                                    "system calls",
                                                    "allocation",
                                                    "creating threads",
                                                    "outside the graph",
                                                    "the profiler",
                                                    "unaccounted"};

struct difference {
        double weight; /* what it explains, in ns; counts: less than any row */
        char text[160];
};

struct differences {
        struct difference at[64];
        size_t n;
};

__attribute__((format(printf, 3, 4))) static void add(struct differences *d, double weight,
                                                      const char *format, ...)
{
        va_list ap;

        if (d->n == sizeof(d->at) / sizeof(d->at[0]))
                return;
        d->at[d->n].weight = weight;
        va_start(ap, format);
        vsnprintf(d->at[d->n].text, sizeof(d->at[d->n].text), format, ap);
        va_end(ap);
        d->n++;
}

static void compare_rows(const struct work *w, const struct work_slow *s, struct differences *d)
{
        const struct work_ledger *l = &w->ledger;
        uint64_t median = spread_quantile(&l->wall, 0.5);
        double excess = median != UINT64_MAX && s->row.wall_ns > median
                                ? (double)(s->row.wall_ns - median)
                                : (double)s->row.wall_ns;

        for (int pass = 0; pass < 2; pass++)
                for (int i = 0; i < IFP_N_LEDGER; i++) {
                        int who = pass ? IFP_LEDGER_ALL : IFP_LEDGER_OWN;
                        double mean = (double)l->rows[who][i].total_ns / (double)l->steps;
                        double own = (double)s->rows[IFP_LEDGER_OWN][i],
                               ns = (double)s->rows[who][i];
                        char a[FMT_SIZE], b[FMT_SIZE];

                        if (ns <= STANDS_OUT * mean || ns - mean < PART_OF_EXCESS * excess)
                                continue;
                        /* other threads' waiting tells nothing that is not told already */
                        if (pass && (!work_is_kernel_row(i) || own * STANDS_OUT > ns))
                                continue;
                        add(d, ns - mean, "%s %s against %s%s", row_words[i],
                            fmt_ns(a, (uint64_t)ns), fmt_ns(b, (uint64_t)mean),
                            pass ? ", all threads together" : "");
                }
}

/* Of a decode step, on average; NaN: not known. */
static double mean_of_kernel(const struct work *w, size_t field)
{
        uint64_t sum = 0;

        if (!w->n_kernel_ops)
                return NAN;
        for (size_t i = 0; i < w->n_kernel_ops; i++)
                if (w->kernel_ops[i].phase == IFP_PHASE_DECODE)
                        sum = sum_u64(sum,
                                      *(const uint64_t *)((const char *)&w->kernel_ops[i] + field));
        return (double)sum / (double)w->ledger.steps;
}

static double mean_spawns(const struct work *w)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < w->n_sites; i++) {
                if (!w->sites[i].told)
                        return NAN;
                if (w->sites[i].phase == IFP_PHASE_DECODE)
                        sum = sum_u64(sum, w->sites[i].count);
        }
        return (double)sum / (double)w->ledger.steps;
}

static double mean_waits(const struct work *w)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < w->n_waits; i++)
                if (w->waits[i].phase == IFP_PHASE_DECODE)
                        sum = sum_u64(sum, w->waits[i].spread.count);
        return (double)sum / (double)w->ledger.steps;
}

static void compare_count(struct differences *d, const char *what, uint64_t n, double mean)
{
        char a[FMT_SIZE];

        if (n == RUNFILE_NOT_TOLD || !n)
                return;
        if (isnan(mean)) /* there is nothing to hold it against */
                return;
        if ((double)n > STANDS_OUT * mean + 1)
                add(d, (double)n / ((double)n + mean + 1), "%s %s against %.1f", fmt_count(a, n),
                    what, mean);
}

static void compare_counts(const struct work *w, const struct work_slow *s, struct differences *d)
{
        const struct runfile_slow_token *row = &s->row;
        char a[FMT_SIZE];

        compare_count(d, "minor page faults", row->minor_faults,
                      mean_of_kernel(w, offsetof(struct work_kernel_op, minor_faults)));
        compare_count(d, "major page faults", row->major_faults,
                      mean_of_kernel(w, offsetof(struct work_kernel_op, major_faults)));
        compare_count(d, "system calls", row->syscalls,
                      mean_of_kernel(w, offsetof(struct work_kernel_op, syscalls)));
        compare_count(d, "spawns", row->spawns, mean_spawns(w));
        compare_count(d, "waits", row->waits, mean_waits(w));
        if (row->involuntary != RUNFILE_NOT_TOLD && row->involuntary)
                add(d, 0, "%s time%s a thread was put off its CPU", fmt_count(a, row->involuntary),
                    row->involuntary == 1 ? "" : "s");
        if (row->migrations != RUNFILE_NOT_TOLD && row->migrations)
                add(d, 0, "%s migration%s", fmt_count(a, row->migrations),
                    row->migrations == 1 ? "" : "s");
}

static int compare_weights(const void *a, const void *b)
{
        const struct difference *p = a, *q = b;

        return p->weight > q->weight ? -1 : p->weight < q->weight;
}

static json_t *build_different(const struct work *w, const struct work_slow *s)
{
        struct differences d = {.n = 0};
        json_t *array = json_array();

        if (!w->ledger.steps)
                return array;
        compare_rows(w, s, &d);
        compare_counts(w, s, &d);
        qsort(d.at, d.n, sizeof(d.at[0]), compare_weights);
        for (size_t i = 0; i < d.n && i < MAX_DIFFERENCES; i++)
                json_array_append_new(array, json_string(d.at[i].text));
        return array;
}

static json_t *build_step(const struct work *w, const struct work_slow *s)
{
        const struct runfile_slow_token *row = &s->row;
        const struct runfile_process *p = model_process(&w->model, row->process);
        bool has_kernel = w->processes[p - w->model.processes].has_kernel;
        uint64_t median = spread_quantile(&w->ledger.wall, 0.5);
        json_t *o = json_object();

        report_set(o, "pid", json_integer(p->pid));
        report_set(o, "number", report_integer(row->number));
        report_set(o, "start_ns", report_integer(row->start_ns));
        report_set(o, "wall_ns", report_integer(row->wall_ns));
        report_set(o, "times_median",
                   report_fraction(median != UINT64_MAX && median
                                           ? (double)row->wall_ns / (double)median
                                           : NAN));
        report_set(o, "tokens", report_integer(row->tokens));
        report_set(o, "threads", report_integer(row->threads));
        report_set(o, "thread_ns", report_integer(row->all_ns));
        report_set(o, "own", ledger_build_rows(has_kernel, s->rows[IFP_LEDGER_OWN]));
        report_set(o, "critical", ledger_build_rows(has_kernel, s->rows[IFP_LEDGER_CRITICAL]));
        report_set(o, "all", ledger_build_rows(has_kernel, s->rows[IFP_LEDGER_ALL]));
        report_set(o, "allocs", report_integer(row->allocs));
        report_set(o, "alloc_bytes", report_integer(row->alloc_bytes));
        report_set(o, "spawns", report_integer(row->spawns));
        report_set(o, "waits", report_integer(row->waits));
        report_set(o, "voluntary", report_told(row->voluntary));
        report_set(o, "involuntary", report_told(row->involuntary));
        report_set(o, "migrations", report_told(row->migrations));
        report_set(o, "minor_faults", report_told(row->minor_faults));
        report_set(o, "major_faults", report_told(row->major_faults));
        report_set(o, "syscalls", report_told(row->syscalls));
        report_set(o, "different", build_different(w, s));
        return o;
}

json_t *ledger_build_slow(const struct work *w)
{
        json_t *array = json_array();

        for (size_t i = 0; i < w->n_slow; i++)
                json_array_append_new(array, build_step(w, &w->slow[i]));
        return array;
}
