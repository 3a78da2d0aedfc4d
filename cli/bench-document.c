/* SPDX-License-Identifier: MIT */
/*
 * The document infprof.bench/1 (doc/bench.schema.json). Figures are of the runs that succeeded, in
 * the order in which they were made. Memory is what was resident; of a run,
 *
 *   peak        the most that was seen, average over its time
 *   per request its peak over the requests that were answered in it
 *   efficiency  average over peak: 1 where all that is held is held all the time
 *
 * A rate is all work over all time. Its interval is that of the mean time, turned round, where each
 * run did the same work; where not, there is none.
 */
#include "cli/bench.h"

#include <math.h>
#include <signal.h>
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

static void put(json_t *o, const char *name, json_t *v)
{
        json_object_set_new(o, name, v ? v : json_null());
}

static json_t *whole(double v)
{
        return isfinite(v) ? json_integer((json_int_t)llround(v)) : json_null();
}

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

static void say_end(const struct bench *b, const struct bench_run *run, char *buf, size_t n)
{
        const struct trial_options o = {.time_ns = b->options->max_time_ns,
                                        .memory_bytes = b->options->memory_bytes};

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

/* ---- figures over runs --------------------------------------------------------------- */

/* The mean of what `of` says of runs that succeeded, where it is known. */
static double mean_of(const struct bench *b, double (*of)(const struct bench_run *run))
{
        double sum = 0;
        size_t n = 0;

        for (size_t i = 0; i < b->n; i++) {
                double v = bench_succeeded(&b->runs[i]) ? of(&b->runs[i]) : NAN;

                if (isnan(v))
                        continue;
                sum += v;
                n++;
        }
        return n ? sum / (double)n : NAN;
}

static double user_of(const struct bench_run *run)
{
        return (double)run->trial.user_ns;
}

static double system_of(const struct bench_run *run)
{
        return (double)run->trial.system_ns;
}

static double others_of(const struct bench_run *run)
{
        return run->trial.others;
}

static double stolen_of(const struct bench_run *run)
{
        return run->trial.stolen;
}

static double average_of(const struct bench_run *run)
{
        return run->trial.mean_bytes ? (double)run->trial.mean_bytes : NAN;
}

static double per_request_of(const struct bench_run *run)
{
        double requests = isnan(run->work[BENCH_REQUESTS]) ? 1 : run->work[BENCH_REQUESTS];

        return run->trial.peak_bytes ? (double)run->trial.peak_bytes / requests : NAN;
}

static double efficiency_of(const struct bench_run *run)
{
        return run->trial.peak_bytes ? average_of(run) / (double)run->trial.peak_bytes : NAN;
}

static json_t *build_memory(const struct bench *b)
{
        json_t *o = json_object();
        double peak = NAN;

        for (size_t i = 0; i < b->n; i++)
                if (bench_succeeded(&b->runs[i]) && b->runs[i].trial.peak_bytes)
                        peak = fmax(peak, (double)b->runs[i].trial.peak_bytes);
        put(o, "peak_bytes", whole(peak));
        put(o, "average_bytes", whole(mean_of(b, average_of)));
        put(o, "per_request_bytes", whole(mean_of(b, per_request_of)));
        put(o, "efficiency", stats_json_number(mean_of(b, efficiency_of)));
        return o;
}

static json_t *build_rate(double work, double ns, bool even, const json_t *time)
{
        const json_t *mean = json_object_get(json_object_get(time, "intervals"), "mean");
        double low = text_number(mean, "low"), high = text_number(mean, "high"), each;
        json_t *o;

        if (!(work > 0) || !(ns > 0))
                return NULL;
        each = work / ns * text_number(time, "mean") * 1e9; /* each / mean is the rate */
        o = json_object();
        put(o, "per_second", json_real(work / ns * 1e9));
        put(o, "total", json_real(work));
        put(o, "interval",
            even && low > 0 ? json_pack("{s:f, s:f}", "low", each / high, "high", each / low)
                            : NULL);
        return o;
}

/* By processes: what they did, over their time. */
static json_t *rate_of_runs(const struct bench *b, const json_t *time, int w)
{
        double work = 0, ns = 0, first = NAN;
        bool even = true;

        for (size_t i = 0; i < b->n; i++) {
                const struct bench_run *run = &b->runs[i];
                double did = run->work[w];

                if (!bench_succeeded(run))
                        continue;
                if (w == BENCH_REQUESTS && isnan(did))
                        did = 1;
                first = isnan(first) ? did : first;
                even = even && did == first;
                work += did;
                ns += (double)run->trial.wall_ns;
        }
        return build_rate(work, ns, even, time);
}

/* By iterations: what was declared of each, over the time from the first to the last. */
static json_t *rate_of_iterations(const struct bench *b, const json_t *time, int w)
{
        double each = b->options->work[w];

        if (isnan(each) && w == BENCH_TOKENS && b->options->per == BENCH_TOKEN)
                each = fmax(1, round(b->n ? b->runs[0].work[w] / (double)b->series.made : 1));
        return build_rate(each * (double)b->series.n, b->series.total_ns, !b->series.overlap, time);
}

static json_t *build_throughput(const struct bench *b, const json_t *time)
{
        json_t *o = json_object();

        for (int w = 0; w < BENCH_N_WORK; w++)
                put(o, bench_work_names[w],
                    b->options->per == BENCH_PROCESS ? rate_of_runs(b, time, w)
                                                     : rate_of_iterations(b, time, w));
        return o;
}

static json_t *build_requests(const struct bench *b)
{
        double ok = 0, all = 0;
        json_t *o;

        for (size_t i = 0; i < b->n; i++)
                if (!isnan(b->runs[i].requests_ok)) {
                        ok += b->runs[i].requests_ok;
                        all += b->runs[i].work[BENCH_REQUESTS];
                }
        if (!(all > 0))
                return NULL;
        o = json_object();
        put(o, "total", whole(all));
        put(o, "succeeded", whole(ok));
        put(o, "success_rate", json_real(ok / all));
        return o;
}

static json_t *build_noise(const struct bench *b)
{
        uint64_t throttled = 0, quota = 0, left = 0;
        json_t *o = json_object();

        for (size_t i = 0; i < b->n; i++) {
                throttled += b->runs[i].trial.throttled;
                quota += b->runs[i].trial.quota_stops;
                left += b->runs[i].trial.n_left;
        }
        put(o, "others_cpus", stats_json_number(mean_of(b, others_of)));
        put(o, "stolen_cpus", stats_json_number(mean_of(b, stolen_of)));
        put(o, "throttle_events", json_integer((json_int_t)throttled));
        put(o, "quota_stops", json_integer((json_int_t)quota));
        put(o, "left_behind", json_integer((json_int_t)left));
        return o;
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
        put(o, "requests", build_requests(b));
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
        put(o, "user_ns", whole(mean_of(b, user_of)));
        put(o, "system_ns", whole(mean_of(b, system_of)));
        put(o, "throughput", build_throughput(b, time));
        put(o, "memory", build_memory(b));
        put(o, "stable", build_stable(b, time));
        put(o, "warmup", build_warmup(b, times, n));
        put(o, "outliers", build_outliers(times, n));
        put(o, "noise", build_noise(b));
        put(o, "series", b->options->per == BENCH_PROCESS ? NULL : build_series(b, times, n));
        put(o, "each", build_runs(b));
        put(o, "notes", bench_notes(b, o));
        return o;
}
