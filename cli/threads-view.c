/* SPDX-License-Identifier: MIT */
/*
 * Where the time of threads went, for people: a view of infprof.threads/1, with no figure that is
 * not in it or a quotient of two. Shares are of a thread's life. A thread that spins is on a CPU
 * and waits at once, so shares may add up to more than the whole.
 */
#include "cli/run-verb.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/flame-name.h"
#include "cli/rows.h"
#include "cli/text.h"
#include "cli/threads-view-private.h"
#include "common/cleanup.h"
#include "common/fmt.h"

static void set_share(json_t *row, const char *member, double share)
{
        if (!isnan(share))
                json_object_set_new(row, member, json_real(share));
}

/* A thread cannot have been anything for longer than it was; two clocks may say so. NaN stays. */
static double at_most_one(double v)
{
        return v > 1 ? 1 : v;
}

/* What the kernel's view tells is told of the time that it looked, which began after the thread
 * did. */
static double share_of_watched(const json_t *o, const char *member)
{
        double watched = text_number(o, "watched_ns"), life = text_number(o, "lifetime_ns");
        double whole = isnan(watched) ? life : watched;

        return whole > 0 ? at_most_one(text_number(o, member) / whole) : NAN;
}

static double share_of_life(const json_t *o, const char *member)
{
        double life = text_number(o, "lifetime_ns");

        return life > 0 ? rows_number(o, member) / life : NAN;
}

/* By its CPU time, which is of all its life; where that is not known by the kernel's view. */
static double share_on_cpu(const json_t *o)
{
        double share = share_of_life(o, "cpu_ns");

        return isnan(share) ? share_of_watched(o, "running_ns") : at_most_one(share);
}

/* A row of a thread or a group, with shares of its life. NULL: no memory. */
static json_t *row_of(const json_t *o)
{
        _cleanup_(freep) char *site = NULL;
        json_t *row = json_copy((json_t *)o);

        if (!row)
                return NULL;
        set_share(row, "cpu_share", share_on_cpu(o));
        set_share(row, "runnable_share", share_of_watched(o, "runnable_ns"));
        set_share(row, "barrier_share", share_of_life(o, "wait_ns.barrier"));
        set_share(row, "lock_share", share_of_life(o, "wait_ns.lock"));
        set_share(row, "other_share", share_of_life(o, "wait_ns.other"));
        if (json_is_object(json_object_get(o, "site")))
                site = flame_name(json_object_get(o, "site"));
        json_object_set_new(row, "site_text", json_string(site ? site : "-"));
        return row;
}

/* The first `n`. */
static json_t *rows_of(const json_t *list, size_t n)
{
        json_t *rows = json_array();

        for (size_t i = 0; rows && i < n; i++) {
                json_t *row = row_of(json_array_get(list, i));

                if (!row || json_array_append_new(rows, row)) {
                        json_decref(rows);
                        return NULL;
                }
        }
        return rows;
}

/* How many threads did that at a time, on average over the run; NaN: not known. */
static double at_a_time(const struct page *p, double (*share)(const json_t *, const char *),
                        const char *member)
{
        double took = text_number(json_object_get(p->document, "run"), "duration_ns"), sum = 0;
        const json_t *group;
        size_t i;

        json_array_foreach(json_object_get(p->document, "groups"), i, group)
        {
                sum += share(group, member) * text_number(group, "lifetime_ns");
        }
        return took > 0 && i ? sum / took : NAN;
}

static double on_cpu(const json_t *o, const char *unused)
{
        return share_on_cpu(o);
}

static double all_of_it(const json_t *o, const char *unused)
{
        return 1;
}

/* ", 0.41 could have run"; nothing where that is not known. */
static void put_mean(FILE *f, const char *before, double n, const char *what)
{
        if (!isnan(n))
                fprintf(f, "%s%.2f %s", ftell(f) ? before : "", n, what);
}

static void print_sums(const struct page *p)
{
        double threads = rows_sum(json_object_get(p->document, "groups"), "threads");
        double cpus = text_number(p->document, "cpus");
        char n[FMT_SIZE], of_cpus[48] = "ran";
        _cleanup_(freep) char *line = NULL;
        size_t size;
        FILE *f = open_memstream(&line, &size);

        if (!f)
                return;
        if (!isnan(cpus))
                snprintf(of_cpus, sizeof(of_cpus), "ran on %.0f CPU%s", cpus, cpus == 1 ? "" : "s");
        put_mean(f, "", at_a_time(p, all_of_it, ""), "lived");
        put_mean(f, ", ", at_a_time(p, on_cpu, ""), of_cpus);
        put_mean(f, ", ", at_a_time(p, share_of_watched, "runnable_ns"),
                 "could have run and had no CPU");
        put_mean(f, "; ", at_a_time(p, share_of_life, "wait_ns.barrier"), "waited at a barrier");
        put_mean(f, ", ", at_a_time(p, share_of_life, "wait_ns.lock"), "for a lock");
        put_mean(f, ", ", at_a_time(p, share_of_life, "wait_ns.other"), "for something else");
        if (fclose(f) == EOF || isnan(threads))
                return;
        view_say(&p->v, "threads", "%s%s%s", fmt_count(n, (uint64_t)llround(threads)),
                 *line ? "; at a time, on average: " : "", line);
}

/* Of a row that row_of() made. */
#define SHARES                                                                                     \
        {{"lived", true, false, 0}, "lifetime_ns", ROWS_TIME},                                     \
                {{"on CPU", true, false, 0}, "cpu_share", ROWS_SHARE},                             \
                {{"runnable", true, false, 0}, "runnable_share", ROWS_SHARE},                      \
                {{"barrier", true, false, 0}, "barrier_share", ROWS_SHARE},                        \
                {{"lock", true, false, 0}, "lock_share", ROWS_SHARE},                              \
        {                                                                                          \
                {"other", true, false, 0}, "other_share", ROWS_SHARE                               \
        }

static bool print_groups(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"threads", true, false, 0}, "threads", ROWS_COUNT},
                SHARES,
                {{"spans", true, false, 5}, "spans", ROWS_COUNT},
                {{"moves", true, false, 4}, "migrations", ROWS_COUNT},
                {{"name", false, false, 3}, "name", ROWS_TEXT, "-"},
                {{"spawned by", false, true, 0}, "site_text", ROWS_TEXT, "-"},
        };
        const json_t *groups = json_object_get(p->document, "groups");
        _cleanup_(json_decrefp) json_t *rows = NULL;
        size_t n = json_array_size(groups);

        if (!(rows_sum(groups, "threads") > (double)n)) /* each is a thread of its own */
                return true;
        rows = rows_of(groups, view_shown(p->rows, n));
        if (!rows)
                return false;
        view_heading(&p->v, "threads of one name that were spawned at one place, together");
        if (!ROWS_PRINT(&p->v, rows, json_array_size(rows), columns))
                return false;
        view_say_more(&p->v, p->rows, n);
        return true;
}

static bool print_threads(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"tid", true, false, 0}, "tid", ROWS_ID},
                SHARES,
                {{"moves", true, false, 0}, "migrations", ROWS_COUNT},
                {{"CPU", true, false, 6}, "cpu", ROWS_ID},
                {{"spans", true, false, 5}, "spans", ROWS_COUNT},
                {{"thread", false, false, 0}, "name", ROWS_TEXT, "-"},
                {{"spawned by", false, true, 9}, "site_text", ROWS_TEXT, "-"},
        };
        const json_t *threads = json_object_get(p->document, "threads");
        size_t n = json_array_size(threads);
        _cleanup_(json_decrefp) json_t *rows = rows_of(threads, view_shown(p->rows, n));

        if (!rows)
                return false;
        if (!n) {
                view_heading(&p->v, "no thread was seen");
                return true;
        }
        view_heading(&p->v, "threads, the busiest first; shares of the time that each lived");
        if (!ROWS_PRINT(&p->v, rows, json_array_size(rows), columns))
                return false;
        view_say_more(&p->v, p->rows, n);
        view_line(&p->v, "runnable: could have run, but had no CPU; barrier, lock, other: waited "
                         "for others, "
                         "with what it spun or stood for a CPU meanwhile; moves: to another CPU");
        return true;
}

#define WAITS(name, expend)                                                                        \
        {                                                                                          \
                {#name, true, false, expend}, "waits." #name ".total_ns", ROWS_TIME, NULL, true    \
        }

static bool has_waited(const json_t *waits)
{
        const char *kind;
        json_t *sums;

        json_object_foreach((json_t *)waits, kind, sums)
        {
                if (text_number(sums, "total_ns") > 0)
                        return true;
        }
        return false;
}

static bool print_waits(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"tid", true, false, 0}, "tid", ROWS_ID},
                WAITS(barrier, 0),
                WAITS(mutex, 0),
                WAITS(condition, 0),
                WAITS(semaphore, 1),
                WAITS(join, 2),
                WAITS(futex, 3),
                WAITS(rwlock, 4),
                WAITS(spinlock, 5),
                WAITS(sleep, 6),
                WAITS(yield, 7),
                WAITS(poll, 8),
                {{"thread", false, true, 0}, "name", ROWS_TEXT, "-"},
        };
        _cleanup_(json_decrefp) json_t *rows = json_array();
        json_t *thread;
        size_t i, n;

        json_array_foreach(json_object_get(p->document, "threads"), i, thread)
        {
                if (has_waited(json_object_get(thread, "waits")) && json_array_append(rows, thread))
                        return false;
        }
        n = json_array_size(rows);
        if (!n)
                return true;
        view_heading(&p->v, "what they waited for; infprof waits tells where and for whom");
        if (!ROWS_PRINT(&p->v, rows, view_shown(p->rows, n), columns))
                return false;
        view_say_more(&p->v, p->rows, n);
        return true;
}

bool threads_print(const struct page *whole)
{
        _cleanup_(json_decrefp) json_t *document = threads_with_current(whole->document);
        struct page page = *whole;
        const struct page *p = &page;

        if (!document)
                return false;
        page.document = document;
        view_run(&p->v, json_object_get(p->document, "run"));
        print_sums(p);
        threads_print_kernel(p);
        if (!print_groups(p) || !print_threads(p) || !print_waits(p) || !threads_print_seen(p) ||
            !threads_print_queue(p) || !threads_print_calls(p) || !threads_print_ops(p))
                return false;
        view_notes(&p->v, p->document);
        return true;
}
