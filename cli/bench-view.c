/* SPDX-License-Identifier: MIT */
/* infprof.bench/1 for people. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/spark.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

DEFINE_CLEANUP(struct table *, table_free, table_freep);

#define COURSE_CELLS 60u

static const char *ns_text(char *buf, double ns)
{
        return isnan(ns) ? strcpy(buf, "-") : fmt_ns(buf, (uint64_t)llround(fmax(ns, 0)));
}

static void print_head(const struct view *v, const json_t *o)
{
        const char *per = text_string(o, "per", "?"), *signal = text_string(o, "interrupted", NULL);
        double left_out = text_number(json_object_get(o, "warmup"), "left_out");
        double runs = text_number(o, "runs"), succeeded = text_number(o, "succeeded");
        double n = text_number(json_object_get(o, "time_ns"), "count");
        bool by_process = !strcmp(per, "process");
        char took[FMT_SIZE], warm[64] = "", all[64];

        view_say(v, "command", "%s", text_string(o, "command", "?"));
        ns_text(took, text_number(o, "took_ns"));
        if (left_out > 0)
                snprintf(warm, sizeof(warm), " after %.0f to warm up", left_out);
        if (succeeded == runs)
                snprintf(all, sizeof(all), "all succeeded");
        else
                snprintf(all, sizeof(all), "%.0f succeeded", succeeded);
        if (by_process ? !(runs > 0) : !(n > 0))
                view_say(v, by_process ? "runs" : "iterations",
                         "nothing was measured%s; %s in all%s%s", warm, took,
                         signal ? "; interrupted by " : "", signal ? signal : "");
        else if (by_process)
                view_say(v, "runs", "%.0f%s, %s; %s in all%s%s", runs, warm, all, took,
                         signal ? "; interrupted by " : "", signal ? signal : "");
        else
                view_say(v, "iterations", "%.0f of %s%s, in one run; %s in all%s%s", n, per, warm,
                         took, signal ? "; interrupted by " : "", signal ? signal : "");
}

static void add_figure(struct table *t, const json_t *time, const char *name, const char *member)
{
        const json_t *i = json_object_get(json_object_get(time, "intervals"), member);
        char value[FMT_SIZE], low[FMT_SIZE], high[FMT_SIZE], width[FMT_SIZE];
        double v = text_number(time, member), l = text_number(i, "low"), h = text_number(i, "high");

        if (isnan(v))
                return;
        snprintf(width, sizeof(width), "%.1f %%", 100 * (h - l) / v);
        table_add(t, (const char *[]){name, ns_text(value, v), ns_text(low, l), ns_text(high, h),
                                      isnan(h - l) || !(v > 0) ? "-" : width});
}

static bool print_figures(const struct view *v, const json_t *time)
{
        static const struct table_column columns[] = {
                {.title = "time"},
                {.title = "value", .right = true},
                {.title = "95 % from", .right = true},
                {.title = "to", .right = true},
                {.title = "width", .right = true, .expend = 1}};
        _cleanup_(table_freep) struct table *t = table_new(columns, 5);

        if (!t)
                return false;
        add_figure(t, time, "median", "median");
        add_figure(t, time, "mean", "mean");
        add_figure(t, time, "p95", "p95");
        add_figure(t, time, "p99", "p99");
        add_figure(t, time, "std. deviation", "stddev");
        add_figure(t, time, "least", "min");
        add_figure(t, time, "most", "max");
        fputc('\n', v->f);
        if (!table_print(t, v->f, v->width))
                return false;
        fputc('\n', v->f);
        return true;
}

/* Times in the order in which they were measured. */
static void print_course(const struct view *v, const json_t *o)
{
        const json_t *list = json_object_get(json_object_get(o, "series"), "durations_ns"), *run;
        json_t *times = json_is_array(list) ? json_incref((json_t *)list) : json_array();
        _cleanup_(freep) char *spark = NULL;
        char least[FMT_SIZE], most[FMT_SIZE];
        double low, high;
        size_t i;

        if (!json_is_array(list))
                json_array_foreach(json_object_get(o, "each"), i, run)
                {
                        bool ok = !strcmp(text_string(run, "end", ""), "exit") &&
                                  text_number(run, "code") == 0;

                        json_array_append_new(times, ok ? json_real(text_number(run, "wall_ns"))
                                                        : json_null());
                }
        spark = spark_range_text(times, json_array_size(times) < COURSE_CELLS
                                                ? (unsigned)json_array_size(times)
                                                : COURSE_CELLS);
        if (spark && json_array_size(times) > 1 && spark_range(times, &low, &high))
                view_say(v, "course", "%s %s to %s", spark, ns_text(least, low),
                         ns_text(most, high));
        json_decref(times);
}

static void print_rates(const struct view *v, const json_t *o)
{
        const json_t *t = json_object_get(o, "throughput");

        for (int w = 0; w < BENCH_N_WORK; w++) {
                const json_t *rate = json_object_get(t, bench_work_names[w]);
                const json_t *i = json_object_get(rate, "interval");
                char value[TEXT_CELL], low[TEXT_CELL], high[TEXT_CELL];

                if (!json_is_object(rate))
                        continue;
                text_count(value, text_number(rate, "per_second"));
                if (json_is_object(i))
                        view_say(v, "rate", "%s %s/s (%s to %s)", value, bench_work_names[w],
                                 text_count(low, text_number(i, "low")),
                                 text_count(high, text_number(i, "high")));
                else
                        view_say(v, "rate", "%s %s/s", value, bench_work_names[w]);
        }
}

/* A run that tells nothing else is one request, and its peak is told already. */
static bool answers_requests(const json_t *o)
{
        const json_t *run;
        size_t i;

        json_array_foreach(json_object_get(o, "each"), i, run)
        {
                double n = text_number(run, "requests");

                if (!isnan(n) && n != 1)
                        return true;
        }
        return false;
}

/* Where nothing is known nothing is said. */
static void print_memory(const struct view *v, const json_t *o)
{
        const json_t *memory = json_object_get(o, "memory");
        char peak[FMT_SIZE], average[FMT_SIZE], each[FMT_SIZE], share[FMT_SIZE];
        char mean[3 * FMT_SIZE] = "";

        if (isnan(text_number(memory, "peak_bytes")))
                return;
        view_bytes(peak, memory, "peak_bytes");
        if (!isnan(text_number(memory, "average_bytes")))
                snprintf(mean, sizeof(mean), ", %s on average (%s of a run's own peak)",
                         view_bytes(average, memory, "average_bytes"),
                         view_share(share, memory, "efficiency"));
        view_say(v, "memory", "%s at its peak%s", peak, mean);
        if (answers_requests(o))
                view_say(v, "", "%s a request", view_bytes(each, memory, "per_request_bytes"));
}

static void print_rest(const struct view *v, const json_t *o)
{
        const json_t *requests = json_object_get(o, "requests");
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!isnan(text_number(o, "user_ns")))
                view_say(v, "CPU", "%s user, %s system a run",
                         ns_text(a, text_number(o, "user_ns")),
                         ns_text(b, text_number(o, "system_ns")));
        print_memory(v, o);
        if (json_is_object(requests))
                view_say(v, "requests", "%s of %s succeeded", view_count(a, requests, "succeeded"),
                         view_count(b, requests, "total"));
}

bool bench_print(const struct view *v, const json_t *o)
{
        const json_t *time = json_object_get(o, "time_ns");

        print_head(v, o);
        if (text_number(time, "count") > 0) {
                if (!print_figures(v, time))
                        return false;
                print_course(v, o);
                print_rates(v, o);
                print_rest(v, o);
        }
        view_notes(v, o);
        return true;
}
