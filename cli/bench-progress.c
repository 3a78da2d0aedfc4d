/* SPDX-License-Identifier: MIT */
/*
 * How far a benchmark is, in one line of the terminal that is written over and over, and gone in
 * the end. What is left is told from the mean of the runs so far.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/bar.h"
#include "cli/bench.h"
#include "cli/text.h"
#include "common/cleanup.h"

#define BAR_CELLS  24u
#define MOST_RUNS  100u /* as in bench-run.c */
#define LEAST_RUNS 10u
#define ENOUGH_NS  5e9

static bool shown;

static double wanted(const struct bench *b, double mean)
{
        const struct bench_options *o = b->options;
        double runs = o->runs ? (double)o->runs : MOST_RUNS;

        if (!o->runs && !(o->stable > 0) && mean > 0)
                runs = fmin(runs, fmax(LEAST_RUNS, ceil(ENOUGH_NS / mean)));
        if (o->per == BENCH_PROCESS && o->budget_ns && mean > 0)
                runs = fmin(runs, ceil((double)o->budget_ns / mean));
        return runs;
}

static double share_of_series(const struct bench *b, uint64_t elapsed_ns, double *ret_left)
{
        const struct bench_options *o = b->options;
        double elapsed = (double)elapsed_ns, share = 0;

        if (o->runs)
                share = (double)(b->series.n + b->n_warmup) / (double)(o->runs + o->warmup);
        if (o->budget_ns)
                share = fmax(share, elapsed / (double)o->budget_ns);
        if (o->max_time_ns)
                share = fmax(share, elapsed / (double)o->max_time_ns);
        *ret_left = share > 0 ? elapsed / share * (1 - fmin(share, 1)) : NAN;
        return fmin(share, 1);
}

/* How much is done of a benchmark, and in how many ns the rest will be; NaN: nobody knows. */
static double share_done(const struct bench *b, uint64_t elapsed_ns, double *ret_left)
{
        double sum = 0, done = (double)(b->n + b->n_warmup), all, mean;
        double elapsed = (double)elapsed_ns;

        for (size_t i = 0; i < b->n; i++)
                sum += (double)b->runs[i].trial.wall_ns;
        if (b->options->per != BENCH_PROCESS)
                return share_of_series(b, elapsed_ns, ret_left);
        mean = b->n ? sum / (double)b->n : NAN;
        all = wanted(b, mean) + (double)b->options->warmup;
        *ret_left = isnan(mean) ? NAN : fmax((all - done) * mean - elapsed, 0);
        return fmin((done + (mean > 0 ? fmin(elapsed / mean, 1) : 0)) / all, 1);
}

void bench_progress(const struct bench *b, uint64_t elapsed_ns)
{
        static uint64_t last_ns;
        _cleanup_(freep) char *bar = NULL;
        char left[TEXT_CELL], counted[64];
        double left_ns, share;
        struct timespec ts;
        uint64_t now;

        if (!isatty(STDERR_FILENO))
                return;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        now = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
        if (shown && now - last_ns < 100000000u) /* short runs are not held up by it */
                return;
        last_ns = now;
        share = share_done(b, elapsed_ns, &left_ns);
        bar = bar_text(share, BAR_CELLS);
        if (b->options->per != BENCH_PROCESS)
                snprintf(counted, sizeof(counted), "%zu iterations", b->series.n);
        else if (b->n_warmup < b->options->warmup && !b->n)
                snprintf(counted, sizeof(counted), "warm-up %llu of %llu",
                         (unsigned long long)b->n_warmup + 1,
                         (unsigned long long)b->options->warmup);
        else
                snprintf(counted, sizeof(counted), "run %zu", b->n + 1);
        fprintf(stderr, "\r\033[K[%s] %s%s%s%s", bar ? bar : "", counted,
                isnan(left_ns) ? "" : ", ", isnan(left_ns) ? "" : text_duration(left, left_ns),
                isnan(left_ns) ? "" : " left");
        fflush(stderr);
        shown = true;
}

void bench_progress_end(void)
{
        if (shown)
                fputs("\r\033[K", stderr);
        shown = false;
}
