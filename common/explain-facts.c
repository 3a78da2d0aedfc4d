/* SPDX-License-Identifier: MIT */
/*
 * What the verdicts go by, worked out once.
 *
 * The least that decode steps could take. With C the CPU time that all threads computed, S what
 * only the thread that decodes does (work outside the graph, allocation), n the threads that
 * compute and c the CPUs:
 *
 *   ideal = S + C / min(n, c)
 *
 * or, where there are several texts (or requests), each of which one thread works at alone, so that
 * nobody waits for anybody, as many at a time as there are CPUs:
 *
 *   texts = (S + C) / c
 *
 * as if the work were evenly spread, nobody waited, and creating threads and standing in line for a
 * CPU took no time (Amdahl's law with nothing lost). Where the kernel did not say how long threads
 * stood in line, some of their time in ops is that: a call during which the thread lost its CPU
 * takes as long as others' time slices. So each call counts as no more than eight times the median
 * of its op, and all together as no more than there were CPUs for.
 */
#include <errno.h>
#include <math.h>

#include "common/report-explain-private.h"

/* A thread that computes less than this part of what the busiest does is none of the team. */
#define TEAM_MIN 0.05

#define MEDIANS_MAX 8

static double sum_rows(const double *rows)
{
        double sum = 0;

        for (int i = 0; i < IFP_N_LEDGER; i++)
                sum += isnan(rows[i]) ? 0 : rows[i];
        return sum;
}

static void take_ledger(struct facts *f)
{
        const struct work_ledger *l = &f->w->ledger;

        f->has_ledger = l->steps && l->wall.total_ns;
        f->has_kernel = f->has_ledger && l->n_kernel == l->n_processes;
        for (int i = 0; i < IFP_N_LEDGER; i++) {
                bool known = f->has_ledger && (!work_is_kernel_row(i) || l->n_kernel);

                f->own[i] = known ? (double)l->rows[IFP_LEDGER_OWN][i].total_ns : NAN;
                f->all[i] = known ? (double)l->rows[IFP_LEDGER_ALL][i].total_ns : NAN;
        }
        f->threads_ns = f->has_ledger ? sum_rows(f->all) : NAN;
}

/* Of kernels and nodes, without what is called from them; in decode steps, where there are any. */
static double compute_of(const struct facts *f, size_t thread)
{
        double sum = 0;

        for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++)
                if (isnan(f->tokens) || phase == IFP_PHASE_DECODE)
                        sum += (double)work_self(f->w, thread, NULL, phase);
        return sum;
}

static int compare_u64(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

/* Most threads that lived at one time; of several processes together, their sum. */
static int find_peak(const struct work *w, double *ret)
{
        uint64_t *at = calloc(2 * w->model.n_threads + 1, sizeof(*at)),
                 *ends = at ? at + w->model.n_threads : NULL;

        *ret = 0;
        if (!at)
                return -ENOMEM;
        for (size_t p = 0; p < w->model.n_processes; p++) {
                size_t n = 0, ended = 0, peak = 0;

                for (size_t i = 0; i < w->model.n_threads; i++)
                        if (w->threads[i].process == p) {
                                at[n] = w->model.threads[i].row.started_ns;
                                ends[n++] = w->model.threads[i].row.ended_ns;
                        }
                qsort(at, n, sizeof(*at), compare_u64);
                qsort(ends, n, sizeof(*ends), compare_u64);
                for (size_t i = 0; i < n; i++) {
                        while (ended < i && ends[ended] <= at[i])
                                ended++;
                        peak = i + 1 - ended > peak ? i + 1 - ended : peak;
                }
                *ret += (double)peak;
        }
        free(at);
        return 0;
}

/*
 * Threads that compute: each that does its part; of threads that come and go as many as lived at
 * one time.
 */
static int find_team(struct facts *f)
{
        struct work *w = f->w;
        double *compute = calloc(w->model.n_threads + 1, sizeof(*compute)),
               *groups = calloc(w->n_groups + 1, sizeof(*groups)), most = 0, peak = 0;

        if (!compute || !groups || find_peak(w, &peak)) {
                free(compute);
                free(groups);
                return -ENOMEM;
        }
        for (size_t i = 0; i < w->model.n_threads; i++) {
                size_t g = work_crew(w, i);

                compute[i] = compute_of(f, i);
                groups[g] += compute[i];
                if (!work_group_is_short(w, g))
                        most = compute[i] > most ? compute[i] : most;
        }
        for (size_t g = 0; g < w->n_groups; g++)
                if (work_group_is_short(w, g)) {
                        double each = groups[g] / work_group_width(w, g);

                        most = each > most ? each : most;
                }
        for (size_t i = 0; i < w->model.n_threads; i++)
                if (!work_group_is_short(w, work_crew(w, i)) && compute[i] > 0 &&
                    compute[i] >= TEAM_MIN * most)
                        f->team++;
        for (size_t g = 0; g < w->n_groups; g++) {
                double width = work_group_width(w, g);

                if (work_group_is_short(w, g) && groups[g] > 0 &&
                    groups[g] / width >= TEAM_MIN * most)
                        f->passing += width;
        }
        f->team += f->passing;
        if (f->passing > 0 && f->team > peak) { /* groups of them came one after the other */
                f->passing -= f->team - peak;
                f->passing = f->passing > 0 ? f->passing : 0;
                f->team = peak;
        }
        free(compute);
        free(groups);
        return 0;
}

/*
 * The kernel's programs are loaded while the engine runs already. What the ledger says of
 * line-standing is of the time since; if that is not most of the run, the ledger counts as one
 * without their view.
 */
#define WATCHED_MIN 0.8

/* Of the threads that compute; where no op says which do, of all that decode. */
static void find_watched(struct facts *f)
{
        const struct work *w = f->w;
        double watched = 0, lived = 0, computed = 0;

        for (size_t i = 0; i < w->model.n_threads; i++)
                computed += compute_of(f, i);
        for (size_t i = 0; i < w->model.n_threads; i++) {
                const struct runfile_thread *t = &w->model.threads[i].row;
                double ns = (double)t->running_ns + (double)t->runnable_ns;

                if (computed > 0 ? !(compute_of(f, i) > 0) : !w->threads[i].decodes)
                        continue;
                lived += (double)work_lifetime(w, i);
                if (t->running_ns == RUNFILE_NOT_TOLD || t->runnable_ns == RUNFILE_NOT_TOLD)
                        continue;
                for (int k = 0; k < IFP_N_BLOCK_KINDS; k++)
                        ns += t->blocked_ns[k] == RUNFILE_NOT_TOLD ? 0 : (double)t->blocked_ns[k];
                watched += ns;
        }
        f->watched = lived > 0 ? watched / lived : 0;
        f->has_kernel &= f->watched >= WATCHED_MIN;
}

/* Of the time in which threads that compute wanted a CPU. */
static void find_runnable(struct facts *f)
{
        const struct work *w = f->w;
        uint64_t running = 0, runnable = 0;
        double computed = 0;

        f->runnable = NAN;
        if (f->has_kernel) {
                double wanted = f->threads_ns - f->asleep_ns;

                if (wanted > 0 && f->all[IFP_LEDGER_RUNNABLE] <= wanted) {
                        f->runnable = f->all[IFP_LEDGER_RUNNABLE] / wanted;
                        f->runnable_in_decode = true;
                }
                return;
        }
        for (size_t i = 0; i < w->model.n_threads; i++) {
                const struct runfile_thread *t = &w->model.threads[i].row;

                if (t->running_ns == RUNFILE_NOT_TOLD || t->runnable_ns == RUNFILE_NOT_TOLD ||
                    !(compute_of(f, i) > 0))
                        continue;
                computed += compute_of(f, i);
                running = sum_u64(running, t->running_ns);
                runnable = sum_u64(runnable, t->runnable_ns);
        }
        /* /proc has been asked last some time before a thread's end, in a short run long before:
         * what is less than they computed is not the whole of it */
        if (running && (double)running + (double)runnable >= WATCHED_MIN * computed)
                f->runnable = (double)runnable / ((double)running + (double)runnable);
}

/* More than one can say of how long threads take by what they have to do. */
#define SHORT_RUNNABLE 0.20

bool facts_is_spin(const struct facts *f, const struct work_wait *e)
{
        return e->spins && e->kind == IFP_WAIT_BARRIER &&
               (isnan(f->tokens) || e->phase == IFP_PHASE_DECODE);
}

static void find_spins(struct facts *f)
{
        uint64_t ns = 0;

        for (size_t i = 0; i < f->w->n_waits; i++)
                if (facts_is_spin(f, &f->w->waits[i]))
                        ns = sum_u64(ns, f->w->waits[i].spread.total_ns);
        f->spin_ns = (double)ns;
        if (f->has_ledger && f->spin_ns > f->all[IFP_LEDGER_BARRIER])
                f->spin_ns = f->all[IFP_LEDGER_BARRIER];
        f->asleep_ns = f->all[IFP_LEDGER_WAIT] + f->all[IFP_LEDGER_LOCK] +
                       f->all[IFP_LEDGER_BARRIER] - f->spin_ns;
}

/* The part of the time in ops that is left when no call counts as more than eight medians. */
static double part_of_calls(const struct facts *f)
{
        const struct model *m = &f->w->model;
        double all = 0, kept = 0;

        for (size_t i = 0; i < m->n_ops; i++) {
                struct spread s = {.points = m->ops[i]->phase[IFP_PHASE_DECODE].points,
                                   .max_ns = UINT64_MAX};
                double most;

                if (!model_is_compute(m->ops[i]))
                        continue;
                spread_settle(&s); /* sorts the model's own, which does it no harm */
                if (!s.points.count)
                        continue;
                most = MEDIANS_MAX * (double)spread_quantile(&s, 0.5);
                for (size_t k = 0; k < s.points.n; k++) {
                        double ns = (double)s.points.at[k].ns, n = (double)s.points.at[k].count;

                        all += ns * n;
                        kept += (ns < most ? ns : most) * n;
                }
        }
        return all > 0 ? kept / all : 1;
}

static void find_ideal(struct facts *f)
{
        double wide, cpus = f->cpus ? (double)f->cpus : NAN;

        f->demand = f->demand_most = f->compute_cpu = f->serial = f->ideal = f->texts = NAN;
        if (!f->has_ledger)
                return;
        f->demand_most = (f->threads_ns - f->all[IFP_LEDGER_UNACCOUNTED]) / f->wall;
        f->demand = f->demand_most - f->asleep_ns / f->wall;
        if (f->has_kernel)
                f->demand_most = f->demand;
        f->compute_cpu = f->all[IFP_LEDGER_COMPUTE];
        if (!f->has_kernel) {
                f->compute_cpu *= part_of_calls(f);
                if (f->compute_cpu > cpus * f->wall)
                        f->compute_cpu = cpus * f->wall;
        }
        f->serial = f->own[IFP_LEDGER_OUTSIDE] + f->own[IFP_LEDGER_ALLOC];
        wide = f->team < cpus || isnan(cpus) ? f->team : cpus;
        f->ideal = f->serial + f->compute_cpu / (wide >= 1 ? wide : 1);
        f->texts = (f->serial + f->compute_cpu) / cpus;
}

int facts_find(struct facts *f, struct work *w)
{
        int r;

        *f = (struct facts){.w = w};
        if (!work_pace(w, &f->tokens, &f->wall))
                f->tokens = f->wall = NAN;
        f->run_ns = (double)w->model.run.duration_ns;
        for (size_t i = 0; i < w->model.n_processes; i++) {
                if (w->processes[i].cpus > f->cpus)
                        f->cpus = w->processes[i].cpus;
                f->waits_known |= w->processes[i].waits_known;
                if (!f->blas_core)
                        f->blas_core = w->model.processes[i].blas_core;
        }
        take_ledger(f);
        r = work_barriers(w, &f->barriers);
        if (!r)
                r = find_team(f);
        if (r)
                return r;
        find_watched(f);
        find_spins(f);
        find_runnable(f);
        f->short_of_cpus = (f->cpus && f->team > (double)f->cpus) || f->runnable >= SHORT_RUNNABLE;
        find_ideal(f);
        return 0;
}

void facts_done(struct facts *f)
{
        barriers_done(&f->barriers);
        json_decref(f->report);
        json_decref(f->memory);
        json_decref(f->roofline);
        json_decref(f->token_growth);
        json_decref(f->machine);
}
