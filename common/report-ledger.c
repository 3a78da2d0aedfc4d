/* SPDX-License-Identifier: MIT */
/*
 * The document infprof.ledger/1. The rows of each of `own`, `critical` and `all` sum to their wall
 * time exactly, as do those of each slow step (report-work-ledger.c sees to that). Means are of all
 * steps; quantiles of those whose record found room.
 *
 * The overhead factor is thread time / useful compute: the time of all threads in decode steps,
 * over what they spent in kernels and nodes.
 */
#include "common/report-ledger.h"

#include <math.h>

#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/report-private.h"
#include "common/report-ledger-private.h"

#define SETTLED_TOLD 0.001 /* rows that are less wrong than this are off by rounding */

/* Was the row looked at? A row of the kernel's view needs that. */
static bool row_known(bool has_kernel, int row)
{
        return !work_is_kernel_row(row) || has_kernel;
}

static json_t *build_row(const struct work *w, int who, int row)
{
        const struct work_ledger *l = &w->ledger;
        const struct work_row *r = &l->rows[who][row];
        uint64_t of = who == IFP_LEDGER_ALL ? l->all_ns : l->wall.total_ns;
        bool known = row_known(l->n_kernel, row);
        uint64_t p50 = spread_quantile(&r->spread, 0.50), p99 = spread_quantile(&r->spread, 0.99);
        json_t *o = json_object();

        report_set(o, "row", json_string(work_rows[row]));
        report_set(o, "total_ns", report_integer_or_null(known, r->total_ns));
        report_set(o, "mean_ns",
                   report_rounded(known ? (double)r->total_ns / (double)l->steps : NAN));
        report_set(o, "p50_ns", report_integer_or_null(known && p50 != UINT64_MAX, p50));
        report_set(o, "p99_ns", report_integer_or_null(known && p99 != UINT64_MAX, p99));
        report_set(o, "share",
                   report_fraction(known && of ? (double)r->total_ns / (double)of : NAN));
        return o;
}

static json_t *build_rows(const struct work *w, int who)
{
        json_t *array = json_array();

        for (int row = 0; row < IFP_N_LEDGER; row++)
                json_array_append_new(array, build_row(w, who, row));
        return array;
}

json_t *ledger_build_rows(bool has_kernel, const uint64_t rows[IFP_N_LEDGER])
{
        json_t *o = json_object();

        for (int i = 0; i < IFP_N_LEDGER; i++)
                report_set(o, work_rows[i],
                           report_integer_or_null(row_known(has_kernel, i), rows[i]));
        return o;
}

static json_t *build_thread(const struct work *w, size_t i)
{
        const struct work_thread *t = &w->threads[i];
        uint64_t wall = 0;
        json_t *o = json_object();

        for (int row = 0; row < IFP_N_LEDGER; row++)
                wall = sum_u64(wall, t->rows[row]);
        work_put_thread(o, w, i);
        report_set(o, "steps", report_integer(t->steps));
        report_set(o, "wall_ns", report_integer(wall));
        report_set(o, "rows", ledger_build_rows(w->processes[t->process].has_kernel, t->rows));
        return o;
}

static int compare_threads(const void *a, const void *b)
{
        const json_t *p = *(json_t *const *)a, *q = *(json_t *const *)b;
        static const char *const keys[] = {"wall_ns", "steps", "pid", "tid"};

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                int64_t x = report_get_integer(p, keys[i]), y = report_get_integer(q, keys[i]);

                if (x != y)
                        return x > y ? -1 : 1;
        }
        return 0;
}

static json_t *build_threads(const struct work *w, size_t *ret_left)
{
        _cleanup_(freep) json_t **items = calloc(w->model.n_threads + 1, sizeof(*items));
        json_t *array;
        size_t n = 0;

        for (size_t i = 0; items && i < w->model.n_threads; i++)
                if (w->threads[i].steps)
                        items[n++] = build_thread(w, i);
        array = items ? report_sorted(items, n, compare_threads) : json_array();
        *ret_left = n > LEDGER_MAX_THREADS ? n - LEDGER_MAX_THREADS : 0;
        while (json_array_size(array) > LEDGER_MAX_THREADS)
                json_array_remove(array, json_array_size(array) - 1);
        return array;
}

static json_t *build_notes(const struct work *w, size_t threads_left)
{
        const struct work_ledger *l = &w->ledger;
        json_t *notes = work_notes(w);
        char a[FMT_SIZE], b[FMT_SIZE];

        if (l->dropped)
                report_note(notes,
                            "of %s steps %s are in sums and means only, for their records found no "
                            "room",
                            fmt_count(a, l->steps), fmt_count(b, l->dropped));
        if (l->steps && !l->n_kernel)
                report_note(notes,
                            "the kernel's view was not there: time in page faults, in system calls "
                            "and "
                            "runnable but not running is not known, and is part of the rows in "
                            "which it was spent");
        else if (l->n_kernel < l->n_processes)
                report_note(notes,
                            "the kernel's view was there in %zu of %zu processes that decode: "
                            "of the others its rows have nothing",
                            l->n_kernel, l->n_processes);
        if ((double)l->settled_ns > SETTLED_TOLD * (double)l->wall.total_ns)
                report_note(notes,
                            "rows and wall time were %s apart in the file: the difference is in "
                            "'unaccounted', or was taken off the largest rows",
                            fmt_ns(a, l->settled_ns));
        if (threads_left)
                report_note(notes, "%zu more threads had a part in decode steps", threads_left);
        return notes;
}

static int build(struct work *w, json_t **ret)
{
        static const char *const who_keys[IFP_N_LEDGER_WHO] = {"own", "critical", "all"};
        const struct work_ledger *l = &w->ledger;
        uint64_t useful = l->rows[IFP_LEDGER_ALL][IFP_LEDGER_COMPUTE].total_ns;
        _cleanup_(json_decrefp) json_t *o = work_head(w, LEDGER_SCHEMA);
        size_t threads_left = 0;

        report_set(o, "steps", report_integer(l->steps));
        report_set(o, "tokens", report_integer(l->tokens));
        report_set(o, "dropped", report_integer(l->dropped));
        report_set(o, "kernel", json_boolean(l->n_kernel));
        report_set(o, "wall", l->steps ? spread_build(&l->wall) : json_null());
        report_set(o, "thread_ns", report_integer_or_null(l->steps, l->all_ns));
        for (int who = 0; who < IFP_N_LEDGER_WHO; who++)
                report_set(o, who_keys[who], l->steps ? build_rows(w, who) : json_array());
        report_set(o, "threads", build_threads(w, &threads_left));
        report_set(o, "overhead_factor",
                   report_fraction(l->steps && useful ? (double)l->all_ns / (double)useful : NAN));
        report_set(o, "useful_ns", report_integer_or_null(l->steps, useful));
        report_set(o, "slow", ledger_build_slow(w));
        report_set(o, "notes", build_notes(w, threads_left));
        *ret = steal_ptr(o);
        return 0;
}

int report_ledger_new(json_t **ret, struct runfile *rf, char **ret_why)
{
        return work_document(ret, rf, build, ret_why);
}

int report_ledger_file(json_t **ret, const char *path, char **ret_why)
{
        return work_document_file(ret, path, build, ret_why);
}
