/* SPDX-License-Identifier: MIT */
/*
 * What the kernel saw of the threads, for people.
 */
#include "cli/threads-view-private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

void threads_print_kernel(const struct page *p)
{
        const json_t *k = json_object_get(p->document, "kernel");
        const char *view = text_string(k, "view", "none"), *why = text_string(k, "why", NULL);
        char events[FMT_SIZE], lost[FMT_SIZE], cost[FMT_SIZE], share[FMT_SIZE];
        const json_t *groups = json_object_get(p->document, "groups");
        double watched = rows_sum(groups, "watched_ns"), life = rows_sum(groups, "lifetime_ns");
        char part[128] = "", seen[FMT_SIZE], whole[FMT_SIZE];
        bool none_lost = text_number(k, "lost") == 0;

        if (watched == 0)
                snprintf(part, sizeof(part), ", but saw no thread get or leave a CPU");
        else if (watched < 0.9 * life)
                snprintf(part, sizeof(part), " for %s of %s that the threads lived together",
                         fmt_ns(seen, (uint64_t)llround(watched)),
                         fmt_ns(whole, (uint64_t)llround(life)));
        if (!none_lost)
                view_count(lost, k, "lost");
        if (!strcmp(view, "bpf") && json_is_null(json_object_get(k, "events")))
                view_say(&p->v, "kernel",
                         "its view was there%s: %s events lost; how many there were and what they "
                         "cost is not known, as infprofd lacked CAP_SYS_ADMIN",
                         part, none_lost ? "no" : lost);
        else if (!strcmp(view, "bpf"))
                view_say(&p->v, "kernel",
                         "its view was there%s: %s events, %s lost; that cost %s of CPU time (%s)",
                         part, view_count(events, k, "events"), none_lost ? "none" : lost,
                         view_figure(cost, k, "cost_ns", fmt_ns),
                         view_share(share, k, "cost_share"));
        else
                view_say(&p->v, "kernel", "%s%s%s",
                         !strcmp(view, "proc") ? "of its view only what /proc tells: time on a CPU "
                                                 "and waiting for one, switches"
                                               : "its view was not there, so runnable, moves and "
                                                 "the like are not known",
                         why ? ": " : "; infprof doctor says how to get it", why ? why : "");
}

/* Has any of the threads what the kernel alone tells? */
static bool has_any(const json_t *threads)
{
        return !isnan(rows_sum(threads, "blocked.futex_ns")) ||
               !isnan(rows_sum(threads, "voluntary")) || !isnan(rows_sum(threads, "minor_faults"));
}

bool threads_print_seen(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"tid", true, false, 0}, "tid", ROWS_ID},
                {{"futex", true, false, 0}, "blocked.futex_ns", ROWS_TIME, NULL, true},
                {{"I/O", true, false, 0}, "blocked.io_ns", ROWS_TIME, NULL, true},
                {{"fault", true, false, 0}, "blocked.fault_ns", ROWS_TIME, NULL, true},
                {{"sleep", true, false, 5}, "blocked.sleep_ns", ROWS_TIME, NULL, true},
                {{"poll", true, false, 6}, "blocked.poll_ns", ROWS_TIME, NULL, true},
                {{"blocked else", true, false, 7}, "blocked.other_ns", ROWS_TIME, NULL, true},
                {{"gave up", true, false, 0}, "voluntary", ROWS_COUNT},
                {{"lost", true, false, 0}, "involuntary", ROWS_COUNT},
                {{"faults", true, false, 2}, "minor_faults", ROWS_COUNT, NULL, true},
                {{"major", true, false, 3}, "major_faults", ROWS_COUNT, NULL, true},
                {{"syscalls", true, false, 1}, "syscalls", ROWS_COUNT, NULL, true},
                {{"syscall time", true, false, 4}, "syscall_ns", ROWS_TIME, NULL, true},
                {{"thread", false, true, 0}, "name", ROWS_TEXT, "-"},
        };
        const json_t *threads = json_object_get(p->document, "threads");
        size_t n = json_array_size(threads);

        if (!n || !has_any(threads))
                return true;
        view_heading(&p->v, "as the kernel saw them: what blocked them, and how often they left a "
                            "CPU, of their own "
                            "accord (gave up) or not (lost)");
        if (!ROWS_PRINT(&p->v, threads, view_shown(p->rows, n), columns))
                return false;
        view_say_more(&p->v, p->rows, n);
        return true;
}

bool threads_print_queue(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"times", true, false, 0}, "count", ROWS_COUNT},
                {{"took a CPU", true, false, 0}, "total_ns", ROWS_TIME},
                {{"pid", true, false, 0}, "pid", ROWS_ID},
                {{"whose", false, false, 0}, "whose", ROWS_TEXT},
                {{"command", false, true, 0}, "name", ROWS_TEXT, "-"},
        };
        const json_t *q = json_object_get(p->document, "run_queue");
        _cleanup_(json_decrefp) json_t *rows = json_array();
        char n[FMT_SIZE], all[FMT_SIZE], p50[FMT_SIZE], p95[FMT_SIZE], p99[FMT_SIZE], max[FMT_SIZE];
        json_t *by;
        size_t i;

        if (text_number(q, "count") > 0)
                view_heading(&p->v,
                             "waited for a CPU %s times, %s in all: p50 %s, p95 %s, p99 %s, max %s",
                             view_count(n, q, "count"), view_figure(all, q, "total_ns", fmt_ns),
                             view_figure(p50, q, "p50_ns", fmt_ns),
                             view_figure(p95, q, "p95_ns", fmt_ns),
                             view_figure(p99, q, "p99_ns", fmt_ns),
                             view_figure(max, q, "max_ns", fmt_ns));
        json_array_foreach(json_object_get(p->document, "preempted_by"), i, by)
        {
                json_t *row = json_copy(by);

                json_object_set_new(row, "whose",
                                    json_string(json_is_true(json_object_get(by, "own"))
                                                        ? "this run's"
                                                        : "another's"));
                json_array_append_new(rows, row);
        }
        if (!json_array_size(rows))
                return true;
        view_heading(&p->v, "who ran instead, when a thread lost its CPU");
        if (!ROWS_PRINT(&p->v, rows, view_shown(p->rows, json_array_size(rows)), columns))
                return false;
        view_say_more(&p->v, p->rows, json_array_size(rows));
        return true;
}

bool threads_print_calls(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"total", true, false, 0}, "total_ns", ROWS_TIME},
                {{"calls", true, false, 0}, "count", ROWS_COUNT},
                {{"mean", true, false, 1}, "mean_ns", ROWS_TIME},
                {{"p50", true, false, 0}, "p50_ns", ROWS_TIME},
                {{"p99", true, false, 0}, "p99_ns", ROWS_TIME},
                {{"max", true, false, 0}, "max_ns", ROWS_TIME},
                {{"failed", true, false, 0}, "failed", ROWS_COUNT},
                {{"system call", false, true, 0}, "name", ROWS_TEXT, "-"},
        };
        const json_t *calls = json_object_get(p->document, "syscalls");
        const json_t *io = json_object_get(p->document, "io"), *load = json_object_get(io, "load");
        size_t n = json_array_size(calls);
        char a[FMT_SIZE], b[FMT_SIZE], c[FMT_SIZE], d[FMT_SIZE];

        if (n) {
                view_heading(&p->v, "system calls; what was waited in them is included");
                if (!ROWS_PRINT(&p->v, calls, view_shown(p->rows, n), columns))
                        return false;
                view_say_more(&p->v, p->rows, n);
        }
        if (!(text_number(io, "count") > 0))
                return true;
        view_heading(&p->v, "block I/O: %s in %s requests, p50 %s, p99 %s",
                     view_bytes(a, io, "bytes"), view_count(b, io, "count"),
                     view_figure(c, io, "p50_ns", fmt_ns), view_figure(d, io, "p99_ns", fmt_ns));
        if (text_number(load, "count") > 0)
                view_line(&p->v,
                          "of these while the model was loaded: %s in %s requests, %s in all",
                          view_bytes(a, load, "bytes"), view_count(b, load, "count"),
                          view_figure(c, load, "total_ns", fmt_ns));
        return true;
}

bool threads_print_ops(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"runnable", true, false, 0}, "runnable_ns", ROWS_TIME},
                {{"blocked", true, false, 0}, "blocked_ns", ROWS_TIME},
                {{"faults", true, false, 0}, "minor_faults", ROWS_COUNT},
                {{"major", true, false, 2}, "major_faults", ROWS_COUNT},
                {{"fault time", true, false, 3}, "fault_ns", ROWS_TIME},
                {{"syscalls", true, false, 0}, "syscalls", ROWS_COUNT},
                {{"syscall time", true, false, 4}, "syscall_ns", ROWS_TIME},
                {{"switches", true, false, 1}, "switches", ROWS_COUNT},
                {{"phase", false, false, 0}, "phase", ROWS_TEXT, "-"},
                {{"op", false, true, 0}, "op", ROWS_TEXT, "(not in any op)"},
        };
        const json_t *ops = json_object_get(p->document, "ops");
        size_t n = json_array_size(ops);

        if (!n)
                return true;
        view_heading(&p->v, "by the op that was open when the kernel looked");
        if (!ROWS_PRINT(&p->v, ops, view_shown(p->rows, n), columns))
                return false;
        view_say_more(&p->v, p->rows, n);
        return true;
}
