/* SPDX-License-Identifier: MIT */
/*
 * Where the time of a token went, for people: a view of infprof.ledger/1. The rows sum up to the
 * time of a token; where the kernel's view was not there, what it would tell is "-" and is in the
 * rows that it happened in.
 */
#include "cli/ledger-view-private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

static const char *about(const char *name)
{
        static const struct {
                const char *name, *about;
        } rows[] = {
                {"compute", "in ops that compute"},
                {"barrier", "at a barrier, spinning or not"},
                {"lock", "for a mutex, rwlock, spinlock"},
                {"wait", "condition, join, futex, poll ..."},
                {"runnable", "could run, but had no CPU"},
                {"fault", "page faults"},
                {"syscall", "system calls but for waits"},
                {"alloc", "allocator (estimate)"},
                {"spawn", "making threads and processes"},
                {"outside", "sampling, graphs, markers"},
                {"profiler", "infprof itself (estimate)"},
                {"unaccounted", "none of these"},
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                if (!strcmp(rows[i].name, name))
                        return rows[i].about;
        return "";
}

static const json_t *row_named(const json_t *rows, const char *name)
{
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                if (!strcmp(text_string(row, "row", ""), name))
                        return row;
        }
        return NULL;
}

/* The greatest row but compute. */
static const json_t *greatest_cost(const json_t *rows)
{
        const json_t *row, *most = NULL;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                if (strcmp(text_string(row, "row", ""), "compute") != 0 &&
                    text_number(row, "total_ns") > (most ? text_number(most, "total_ns") : 0))
                        most = row;
        }
        return most;
}

static void print_tokens(const struct page *p)
{
        const json_t *w = json_object_get(p->document, "wall");
        double steps = text_number(p->document, "steps"),
               tokens = text_number(p->document, "tokens");
        double total = text_number(w, "total_ns");
        char n[FMT_SIZE], of[FMT_SIZE], all[FMT_SIZE], mean[FMT_SIZE], p50[FMT_SIZE], p99[FMT_SIZE],
                max[FMT_SIZE];
        char rate[TEXT_CELL];

        view_say(&p->v, "decoded", "%s token%s in %s%s%s: %s tokens/s",
                 view_count(n, p->document, "tokens"), tokens == 1 ? "" : "s",
                 view_figure(all, w, "total_ns", fmt_ns), steps != tokens ? ", in steps: " : "",
                 steps != tokens ? view_count(of, p->document, "steps") : "",
                 text_count(rate, total > 0 ? tokens * 1e9 / total : NAN));
        view_say(&p->v, steps != tokens ? "a step" : "a token", "mean %s, p50 %s, p99 %s, max %s",
                 view_figure(mean, w, "mean_ns", fmt_ns), view_figure(p50, w, "p50_ns", fmt_ns),
                 view_figure(p99, w, "p99_ns", fmt_ns), view_figure(max, w, "max_ns", fmt_ns));
}

/* What is wrong, first. */
static void print_answer(const struct page *p)
{
        const json_t *own = json_object_get(p->document, "own");
        const json_t *compute = row_named(own, "compute"), *cost = greatest_cost(own);
        double factor = text_number(p->document, "overhead_factor");
        char share[FMT_SIZE], cost_share[FMT_SIZE], mean[FMT_SIZE], useful[FMT_SIZE], all[FMT_SIZE],
                rest[128] = "";

        if (cost)
                snprintf(rest, sizeof(rest), "; most of the rest is %.16s, %s (%s)",
                         text_string(cost, "row", "?"), view_figure(mean, cost, "mean_ns", fmt_ns),
                         view_share(cost_share, cost, "share"));
        if (compute)
                view_say(&p->v, "answer",
                         "the thread that decodes computes for %s of a token's time%s",
                         view_share(share, compute, "share"), rest);
        if (!isnan(factor))
                view_say(&p->v, "overhead",
                         "%.2fx: the threads spent %s, of which %s was useful computing", factor,
                         view_figure(all, p->document, "thread_ns", fmt_ns),
                         view_figure(useful, p->document, "useful_ns", fmt_ns));
}

static void set_of(json_t *row, const char *prefix, const json_t *from)
{
        static const char *const members[] = {"mean_ns", "share", "p50_ns", "p99_ns"};
        char name[32];

        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
                snprintf(name, sizeof(name), "%s_%s", prefix, members[i]);
                json_object_set(row, name, json_object_get(from, members[i]));
        }
}

/* One row of the table, of the three lists. */
static json_t *table_row(const struct page *p, const char *name)
{
        json_t *row = json_object();

        json_object_set_new(row, "row", json_string(name));
        json_object_set_new(row, "about", json_string(about(name)));
        set_of(row, "own", row_named(json_object_get(p->document, "own"), name));
        set_of(row, "critical", row_named(json_object_get(p->document, "critical"), name));
        set_of(row, "all", row_named(json_object_get(p->document, "all"), name));
        return row;
}

static json_t *sum_row(const struct page *p)
{
        const json_t *w = json_object_get(p->document, "wall");
        double steps = text_number(p->document, "steps"),
               threads = text_number(p->document, "thread_ns");
        json_t *row = json_object(), *whole = json_real(1);

        json_object_set_new(row, "row", json_string("all of it"));
        set_of(row, "own", w);
        set_of(row, "critical", w);
        if (steps > 0 && !isnan(threads))
                json_object_set_new(row, "all_mean_ns", json_real(threads / steps));
        json_object_set(row, "own_share", whole);
        json_object_set(row, "critical_share", whole);
        json_object_set(row, "all_share", whole);
        json_object_set_new(row, "about", json_string(""));
        json_decref(whole);
        return row;
}

static bool print_table(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"", false, false, 0}, "row", ROWS_TEXT},
                {{"decoding", true, false, 0}, "own_mean_ns", ROWS_TIME},
                {{"%", true, false, 0}, "own_share", ROWS_PERCENT},
                {{"p50", true, false, 0}, "own_p50_ns", ROWS_TIME},
                {{"p99", true, false, 0}, "own_p99_ns", ROWS_TIME},
                {{"critical", true, false, 0}, "critical_mean_ns", ROWS_TIME},
                {{"%", true, false, 0}, "critical_share", ROWS_PERCENT},
                {{"crit. p50", true, false, 5}, "critical_p50_ns", ROWS_TIME},
                {{"crit. p99", true, false, 6}, "critical_p99_ns", ROWS_TIME},
                {{"threads", true, false, 0}, "all_mean_ns", ROWS_TIME},
                {{"%", true, false, 0}, "all_share", ROWS_PERCENT},
                {{"thr. p50", true, false, 7}, "all_p50_ns", ROWS_TIME},
                {{"thr. p99", true, false, 8}, "all_p99_ns", ROWS_TIME},
                {{"what it is", false, true, 9}, "about", ROWS_TEXT},
        };
        _cleanup_(json_decrefp) json_t *rows = json_array();
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(p->document, "own"), i, row)
        {
                json_array_append_new(rows, table_row(p, text_string(row, "row", "?")));
        }
        json_array_append_new(rows, sum_row(p));
        view_heading(&p->v, "where a token's time went, on average");
        if (!ROWS_PRINT(&p->v, rows, json_array_size(rows), columns))
                return false;
        view_line(&p->v, "decoding: the thread that decodes; critical: the same, with its waits "
                         "replaced by what "
                         "those that it waited for did; threads: all threads together");
        if (!json_is_true(json_object_get(p->document, "kernel")))
                view_line(&p->v, "-: only the kernel's view tells these, and it was not there; "
                                 "their time is in the "
                                 "rows that they happened in. infprof doctor says how to get it");
        return true;
}

static bool print_threads(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"tid", true, false, 0}, "tid", ROWS_ID},
                {{"took part", true, false, 0}, "wall_ns", ROWS_TIME},
                {{"steps", true, false, 9}, "steps", ROWS_COUNT},
                {{"compute", true, false, 0}, "compute", ROWS_SHARE},
                {{"barrier", true, false, 0}, "barrier", ROWS_SHARE, NULL, true},
                {{"lock", true, false, 0}, "lock", ROWS_SHARE, NULL, true},
                {{"wait", true, false, 0}, "wait", ROWS_SHARE, NULL, true},
                {{"runnable", true, false, 0}, "runnable", ROWS_SHARE, NULL, true},
                {{"fault", true, false, 3}, "fault", ROWS_SHARE, NULL, true},
                {{"syscall", true, false, 4}, "syscall", ROWS_SHARE, NULL, true},
                {{"alloc", true, false, 5}, "alloc", ROWS_SHARE, NULL, true},
                {{"spawn", true, false, 1}, "spawn", ROWS_SHARE, NULL, true},
                {{"outside", true, false, 2}, "outside", ROWS_SHARE, NULL, true},
                {{"profiler", true, false, 6}, "profiler", ROWS_SHARE, NULL, true},
                {{"unaccounted", true, false, 7}, "unaccounted", ROWS_SHARE, NULL, true},
                {{"thread", false, true, 0}, "name", ROWS_TEXT, "-"},
        };
        const json_t *threads = json_object_get(p->document, "threads"), *thread;
        _cleanup_(json_decrefp) json_t *rows = json_array();
        size_t i, n = json_array_size(threads);

        json_array_foreach(threads, i, thread)
        {
                double wall = text_number(thread, "wall_ns");
                json_t *row = json_copy((json_t *)thread), *ns;
                const char *name;

                json_object_foreach(json_object_get(thread, "rows"), name, ns)
                {
                        if (wall > 0 && json_is_number(ns))
                                json_object_set_new(row, name,
                                                    json_real(json_number_value(ns) / wall));
                }
                json_array_append_new(rows, row);
        }
        if (!n)
                return true;
        view_heading(&p->v, "by thread: shares of the time in which it took part");
        if (!ROWS_PRINT(&p->v, rows, view_shown(p->rows, n), columns))
                return false;
        view_say_more(&p->v, p->rows, n);
        return true;
}

bool ledger_print(const struct page *p)
{
        view_run(&p->v, json_object_get(p->document, "run"));
        if (!(text_number(p->document, "steps") > 0)) {
                view_heading(&p->v, "no token was decoded in this run, as far as infprof knows the "
                                    "engine: there is "
                                    "nothing to divide");
        } else {
                print_tokens(p);
                print_answer(p);
                if (!print_table(p) || !print_threads(p) || !ledger_print_slow(p))
                        return false;
        }
        view_notes(&p->v, p->document);
        return true;
}
