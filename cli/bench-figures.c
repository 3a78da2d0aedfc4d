/* SPDX-License-Identifier: MIT */
/*
 * Figures over the runs that succeeded. Memory is what was resident; of a run,
 *
 *   peak        the most that was seen, average over its time
 *   per request its peak over the requests that were answered in it
 *   efficiency  average over peak: 1 where all that is held is held all the time
 *
 * A rate is all work over all time. Its interval is that of the mean time, turned round, where each
 * run did the same work; where not, there is none.
 */
#include "cli/bench-private.h"

#include <math.h>

#include "cli/text.h"
#include "common/stats-json.h"

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

json_t *bench_build_memory(const struct bench *b)
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

json_t *bench_build_throughput(const struct bench *b, const json_t *time)
{
        json_t *o = json_object();

        for (int w = 0; w < BENCH_N_WORK; w++)
                put(o, bench_work_names[w],
                    b->options->per == BENCH_PROCESS ? rate_of_runs(b, time, w)
                                                     : rate_of_iterations(b, time, w));
        return o;
}

json_t *bench_build_requests(const struct bench *b)
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

json_t *bench_build_noise(const struct bench *b)
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

json_t *bench_build_user(const struct bench *b)
{
        return whole(mean_of(b, user_of));
}

json_t *bench_build_system(const struct bench *b)
{
        return whole(mean_of(b, system_of));
}
