/* SPDX-License-Identifier: MIT */
/*
 * The document infprof.bench/1 (doc/bench.schema.json). Times are of the runs that succeeded, in
 * the order in which they were made; sums over runs are bench-figures.c's.
 */
#include "cli/bench-private.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <infprof/version.h>

#include "cli/cmd.h"
#include "cli/record-run.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/report.h"
#include "common/stats-json.h"

#define LEVEL    0.95
#define SEED     1u
#define OUTLYING 3.5  /* as stats_outliers() has it */
#define WARMER   0.02 /* by so much a warm-up differs */

static json_t *text(const char *s)
{
        _cleanup_(freep) char *clean = s ? fmt_utf8(s) : NULL;

        return clean ? json_string(clean) : json_null();
}

/* ---- runs ---------------------------------------------------------------------------- */

static const char *const ends[] = {
        [TRIAL_EXITED] = "exit",     [TRIAL_KILLED] = "signal",
        [TRIAL_OVER_TIME] = "time",  [TRIAL_OVER_MEMORY] = "memory",
        [TRIAL_NOT_RUN] = "not run", [TRIAL_INTERRUPTED] = "interrupted",
        [TRIAL_ENOUGH] = "enough",
};

/* How much those had that were stopped for it, so that they are one kind of failure. */
static void say_over_memory(const struct bench *b, char *buf, size_t n)
{
        char least[FMT_SIZE], most[FMT_SIZE], limit[FMT_SIZE];
        uint64_t low = UINT64_MAX, high = 0;

        for (size_t i = 0; i < b->n; i++) {
                const struct trial *t = &b->runs[i].trial;

                if (t->end != TRIAL_OVER_MEMORY)
                        continue;
                low = t->peak_bytes < low ? t->peak_bytes : low;
                high = t->peak_bytes > high ? t->peak_bytes : high;
        }
        fmt_bytes(least, (int64_t)low);
        fmt_bytes(most, (int64_t)high);
        snprintf(buf, n, "stopped at %s%s%s: over its memory limit of %s", least,
                 strcmp(least, most) != 0 ? " to " : "", strcmp(least, most) != 0 ? most : "",
                 fmt_bytes(limit, (int64_t)b->options->memory_bytes));
}

/* Alike for those that failed alike. */
static void say_end(const struct bench *b, const struct bench_run *run, char *buf, size_t n)
{
        const struct trial_options o = {.argv = b->options->argv,
                                        .time_ns = b->options->max_time_ns,
                                        .memory_bytes = b->options->memory_bytes};

        if (run->trial.end == TRIAL_OVER_MEMORY)
                say_over_memory(b, buf, n);
        else
                trial_say_end(&run->trial, &o, buf, n);
}

static json_t *build_run(const struct bench_run *run)
{
        const struct trial *t = &run->trial;
        json_t *o = json_object();

        put(o, "wall_ns", json_integer((json_int_t)t->wall_ns));
        put(o, "user_ns", json_integer((json_int_t)t->user_ns));
        put(o, "system_ns", json_integer((json_int_t)t->system_ns));
        put(o, "peak_bytes", t->peak_bytes ? json_integer((json_int_t)t->peak_bytes) : NULL);
        put(o, "average_bytes", t->mean_bytes ? json_integer((json_int_t)t->mean_bytes) : NULL);
        put(o, "end", json_string(ends[t->end]));
        put(o, "code", json_integer(t->code));
        put(o, "others", stats_json_number(t->others));
        put(o, "stolen", stats_json_number(t->stolen));
        put(o, "left_behind", json_integer((json_int_t)t->n_left));
        for (int w = 0; w < BENCH_N_WORK; w++)
                put(o, bench_work_names[w], stats_json_number(run->work[w]));
        return o;
}

static json_t *build_runs(const struct bench *b)
{
        json_t *list = json_array();

        for (size_t i = 0; i < b->n; i++)
                json_array_append_new(list, build_run(&b->runs[i]));
        return list;
}

static json_t *find_failure(json_t *list, const char *why)
{
        json_t *f;
        size_t i;

        json_array_foreach(list, i, f)
        {
                if (!strcmp(text_string(f, "why", ""), why))
                        return f;
        }
        return NULL;
}

/* Alike ones together; of each the last words of the first. */
static json_t *build_failures(const struct bench *b)
{
        json_t *list = json_array(), *f;
        char why[160];

        for (size_t i = 0; i < b->n; i++) {
                const struct trial *t = &b->runs[i].trial;

                if (bench_succeeded(&b->runs[i]))
                        continue;
                say_end(b, &b->runs[i], why, sizeof(why));
                f = find_failure(list, why);
                if (f) {
                        put(f, "runs", json_integer(1 + (json_int_t)text_number(f, "runs")));
                        continue;
                }
                f = json_object();
                put(f, "why", json_string(why));
                put(f, "runs", json_integer(1));
                put(f, "first", json_integer((json_int_t)i));
                put(f, "last_words", t->last_words[0] ? text(t->last_words) : NULL);
                json_array_append_new(list, f);
        }
        return list;
}

/* ---- the series ---------------------------------------------------------------------- */

static json_t *build_warmup(const struct bench *b, const double *times, size_t n)
{
        size_t found = n ? stats_warmup(times, n, WARMER) : 0;
        json_t *o = json_object();
        _cleanup_(freep) double *sorted = calloc(n + 1, sizeof(*sorted));

        put(o, "left_out", json_integer((json_int_t)b->n_warmup));
        put(o, "found", json_integer((json_int_t)found));
        put(o, "before_ns", NULL);
        put(o, "after_ns", NULL);
        if (!found || !sorted)
                return o;
        memcpy(sorted, times, n * sizeof(*times));
        stats_sort(sorted, found);
        stats_sort(sorted + found, n - found);
        put(o, "before_ns", json_real(stats_quantile(sorted, found, 0.5)));
        put(o, "after_ns", json_real(stats_quantile(sorted + found, n - found, 0.5)));
        return o;
}

static json_t *build_outliers(const double *times, size_t n)
{
        _cleanup_(freep) bool *is = calloc(n + 1, sizeof(*is));
        size_t found = is && n ? stats_outliers(times, n, OUTLYING, is) : 0;
        json_t *list = json_array();

        for (size_t i = 0; i < n && found; i++)
                if (is[i])
                        json_array_append_new(list, json_integer((json_int_t)i));
        return json_pack("{s:I, s:o}", "count", (json_int_t)found, "at", list);
}

static json_t *build_stable(const struct bench *b, const json_t *time)
{
        const json_t *i = json_object_get(json_object_get(time, "intervals"), "median");
        double width = text_number(i, "high") - text_number(i, "low");
        json_t *o = json_object();

        put(o, "asked", b->options->stable > 0 ? json_real(b->options->stable) : NULL);
        put(o, "width", stats_json_number(width / text_number(time, "median")));
        put(o, "reached", b->options->stable > 0 ? json_boolean(b->stable) : NULL);
        return o;
}

static json_t *build_series(const struct bench *b, const double *times, size_t n)
{
        const struct bench_series *s = &b->series;
        json_t *list = json_array(), *o = json_object();

        for (size_t i = 0; i < n; i++)
                json_array_append_new(list, whole(times[i]));
        put(o, "durations_ns", list);
        put(o, "phase", text(s->phase));
        put(o, "other_phases", json_integer((json_int_t)s->left_out));
        put(o, "not_in_time", json_integer((json_int_t)s->not_in_time));
        return o;
}

/* ---- all of it ----------------------------------------------------------------------- */

static void put_head(json_t *o, const struct bench *b)
{
        const struct bench_options *q = b->options;
        _cleanup_(freep) char *command = record_run_quote(q->argv);
        char per[160], name[FMT_SIZE];

        put(o, "schema", json_string(BENCH_SCHEMA));
        put(o, "infprof", json_string(IFP_VERSION));
        put(o, "command", text(command));
        put(o, "per", text(bench_per_text(per, q)));
        put(o, "interrupted",
            b->interrupted ? json_string(fmt_signal(name, sizeof(name), b->interrupted)) : NULL);
        put(o, "max_time_ns", q->max_time_ns ? json_integer((json_int_t)q->max_time_ns) : NULL);
        put(o, "memory_limit_bytes",
            q->memory_bytes ? json_integer((json_int_t)q->memory_bytes) : NULL);
        put(o, "took_ns", json_integer((json_int_t)(b->ended_ns - b->began_ns)));
        put(o, "runs", json_integer((json_int_t)b->n));
        put(o, "succeeded", json_integer((json_int_t)b->n_succeeded));
        put(o, "success_rate", b->n ? json_real((double)b->n_succeeded / (double)b->n) : NULL);
        put(o, "failures", build_failures(b));
        put(o, "requests", bench_build_requests(b));
}

json_t *bench_document(const struct bench *b)
{
        size_t n = 0;
        _cleanup_(freep) double *times = bench_times(b, &n);
        json_t *time = times ? stats_json(times, n, LEVEL, SEED) : NULL, *o = json_object();

        if (!time || !o) {
                json_decref(time);
                json_decref(o);
                return NULL;
        }
        put_head(o, b);
        put(o, "time_ns", time);
        put(o, "user_ns", bench_build_user(b));
        put(o, "system_ns", bench_build_system(b));
        put(o, "throughput", bench_build_throughput(b, time));
        put(o, "memory", bench_build_memory(b));
        put(o, "stable", build_stable(b, time));
        put(o, "warmup", build_warmup(b, times, n));
        put(o, "outliers", build_outliers(times, n));
        put(o, "noise", bench_build_noise(b));
        put(o, "series", b->options->per == BENCH_PROCESS ? NULL : build_series(b, times, n));
        put(o, "each", build_runs(b));
        put(o, "notes", bench_notes(b, o));
        return o;
}
