/* SPDX-License-Identifier: MIT */
/*
 * Iterations within one run: of what is asked for the profiler keeps each call in time, and while
 * the run goes on its file is looked at once a second, so that it is stopped when there are enough.
 *
 * Calls of one phase are comparable: those of decode where there are any, else those of the phase
 * that has most. The first so many are warm-up. What has no place in time is told, not guessed.
 */
#include "cli/bench.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "common/cleanup.h"
#include "common/report-series.h"

#define LOOK_NS 1000000000u

static const char *const phases[IFP_N_PHASES] = {"unknown", "load", "prefill", "decode", "idle"};

static uint32_t phase_of(const struct report_series *s)
{
        size_t counts[IFP_N_PHASES] = {0};
        uint32_t most = 0;

        for (size_t i = 0; i < s->n; i++)
                counts[s->calls[i].phase]++;
        if (counts[IFP_PHASE_DECODE])
                return IFP_PHASE_DECODE;
        for (uint32_t p = 0; p < IFP_N_PHASES; p++)
                most = counts[p] > counts[most] ? p : most;
        return most;
}

/* Those of the phase, without warm-up, no more than were asked for. */
static int choose(struct bench *b, const struct report_series *s)
{
        const struct bench_options *o = b->options;
        uint32_t phase = phase_of(s);
        double *ns = calloc(s->n + 1, sizeof(*ns)), first = NAN, end = -INFINITY;
        struct bench_series to = {.ns = ns, .phase = phases[phase]};
        uint64_t found = 0;

        if (!ns)
                return -ENOMEM;
        for (size_t i = 0; i < s->n; i++) {
                const struct report_call *c = &s->calls[i];

                if (c->phase != phase) {
                        to.left_out++;
                        continue;
                }
                if (++found <= o->warmup || (o->runs && to.n == o->runs))
                        continue;
                first = to.n ? first : c->start_ns;
                to.overlap |= c->start_ns < end;
                end = fmax(end, c->start_ns + c->duration_ns);
                to.ns[to.n++] = c->duration_ns;
        }
        to.total_ns = to.n ? end - first : 0;
        to.made = s->made[phase];
        to.not_in_time = to.made > found ? to.made - found : 0;
        free(b->series.ns);
        b->series = to;
        b->n_warmup = found < o->warmup ? found : o->warmup;
        return 0;
}

static int look(struct bench *b, const char *file, char **ret_why)
{
        struct report_series s;
        int r = report_series_file(&s, file, ret_why);

        if (!r)
                r = choose(b, &s);
        report_series_done(&s);
        return r;
}

struct watch {
        struct bench *b;
        const char *file;
        uint64_t next_ns;
};

static bool is_enough(struct bench *b)
{
        const struct bench_options *o = b->options;

        if (o->runs && b->series.n >= o->runs)
                return true;
        return o->stable > 0 && bench_is_stable(b, b->series.ns, b->series.n);
}

static bool tick(void *userdata, uint64_t elapsed_ns)
{
        struct watch *w = userdata;
        _cleanup_(freep) char *why = NULL;

        bench_progress(w->b, elapsed_ns);
        if (elapsed_ns < w->next_ns)
                return false;
        w->next_ns = elapsed_ns + LOOK_NS;
        if (w->b->options->budget_ns && elapsed_ns >= w->b->options->budget_ns)
                return true;
        return look(w->b, w->file, &why) == 0 && is_enough(w->b); /* it may not be there yet */
}

static const char *wish(char *buf, size_t n, const struct bench_options *o)
{
        static const char *const kinds[] = {[BENCH_TOKEN] = "token",
                                            [BENCH_GRAPH] = "graph",
                                            [BENCH_OP] = "op:",
                                            [BENCH_MARKER] = "marker:"};

        snprintf(buf, n, "%s%s", kinds[o->per], o->name ? o->name : "");
        return buf;
}

int bench_run_series(struct bench *b, struct trial_options *to)
{
        struct watch w = {.b = b, .file = to->record, .next_ns = LOOK_NS};
        _cleanup_(freep) char *why = NULL;
        char series[256], *args[16];
        bool goes_on;
        size_t n = 0;
        int r;

        for (; to->record_args[n]; n++)
                args[n] = to->record_args[n];
        args[n++] = (char *)"--series";
        args[n++] = (char *)wish(series, sizeof(series), b->options);
        args[n] = NULL;
        to->record_args = args;
        to->tick = tick;
        to->userdata = &w;
        r = bench_run_one(b, to, &goes_on);
        to->record_args = NULL;
        if (r < 0)
                return r;
        if (access(to->record, F_OK) == 0) {
                if (look(b, to->record, &why) && !b->trouble)
                        b->trouble = steal_ptr(why);
                if (b->n)
                        bench_read_run(b, to->record);
        }
        if (b->options->stable > 0)
                bench_is_stable(b, b->series.ns, b->series.n);
        trial_forget(&b->runs[0].trial, to->record);
        return 0;
}
