/* SPDX-License-Identifier: MIT */
/*
 * Threads that are made for a token or an op, and are gone with it: at least for every second
 * token; or, where there are no tokens, so often and so short that making them takes a hundredth of
 * the run. A pool's threads are made once.
 *
 * What it costs is what making them takes of a token, and joining: the thread that decodes waits
 * until the last has begun, computed, and ended. What they compute in that time has to be done
 * anyway. With T the time of a step, m making threads, w joining, C what those threads compute and
 * n how many of them live at a time, of which c have a CPU, a pool leaves
 *
 *   T - m - max(0, w - C / min(n, c))
 */
#include <math.h>

#include "common/report-explain-private.h"

#define PER_TOKEN_MIN 0.5
#define RATE_MIN      20.0 /* a second, where there are no tokens */
#define COST_MIN      0.01 /* of the run, where there are no tokens */
#define TOO_FEW       4

struct churn {
        const struct work_site *most;
        size_t sites;
        double count, cost_ns;
        double life_ns, ended;
};

static bool is_churn(const struct facts *f, const struct work_site *s)
{
        double seconds = (double)f->w->model.run.duration_ns / 1e9;

        if (!s->told || s->kind == IFP_SPAWN_OMP || s->count < TOO_FEW)
                return false;
        if ((s->kind == IFP_SPAWN_THREAD || s->kind == IFP_SPAWN_CLONE) &&
            work_site_class(f->w, s) != CLASS_SHORT)
                return false;
        if (!isnan(f->tokens))
                return s->phase == IFP_PHASE_DECODE &&
                       (double)s->count >= PER_TOKEN_MIN * f->tokens;
        return seconds > 0 && (double)s->count / seconds >= RATE_MIN &&
               (double)s->cost.total_ns / 1e9 >= COST_MIN * seconds;
}

static struct churn find_churn(const struct facts *f)
{
        struct churn c = {0};

        for (size_t i = 0; i < f->w->n_sites; i++) {
                const struct work_site *s = &f->w->sites[i];

                if (!is_churn(f, s))
                        continue;
                c.most = c.most ? c.most : s;
                c.sites++;
                c.count += (double)s->count;
                c.cost_ns += (double)s->cost.total_ns;
                c.life_ns += (double)s->life.total_ns;
                c.ended += (double)s->ended;
        }
        return c;
}

/* What the thread that decodes waited for threads to end, in decode steps. */
static double joins(const struct facts *f)
{
        double ns = 0;

        for (size_t i = 0; i < f->w->n_waits; i++) {
                const struct work_wait *e = &f->w->waits[i];

                if (e->kind == IFP_WAIT_JOIN && e->phase == IFP_PHASE_DECODE && e->thread != NONE &&
                    f->w->threads[e->thread].decodes)
                        ns += (double)e->spread.total_ns;
        }
        return ns;
}

/* Compute of threads that come and go: all, less what the others do. NaN: not known. */
static double computed(const struct facts *f, double *ret_width)
{
        double all = f->compute_cpu;

        *ret_width = 0;
        for (size_t g = 0; g < f->w->n_groups; g++)
                if (work_group_is_short(f->w, g))
                        *ret_width += work_group_width(f->w, g);
        for (size_t i = 0; i < f->w->model.n_threads; i++)
                if (!work_group_is_short(f->w, f->w->threads[i].group))
                        all -= (double)f->w->threads[i].rows[IFP_LEDGER_COMPUTE];
        return all < 0 ? 0 : all;
}

static void tell_gain(const struct facts *f, struct judgement *j, double making)
{
        double width, compute = computed(f, &width), join = joins(f), cpus = (double)f->cpus, wide,
                      beyond, pool;
        char a[FMT_SIZE], b[FMT_SIZE], c[FMT_SIZE];

        wide = f->cpus && width > cpus ? cpus : width;
        beyond = wide >= 1 ? join - compute / wide : join;
        beyond = beyond < 0 ? 0 : beyond;
        pool = f->wall - making - beyond;
        if (isnan(pool)) {
                judge_gain(j, f, NAN, "not known: %s",
                           isnan(f->tokens) ? "no token was decoded"
                                            : "there is no ledger of what a token takes");
                return;
        }
        judge_evidence(j, join / f->tokens, "ns", "of a token waiting for threads to end");
        judge_gain(j, f, pool,
                   "with threads that are kept a token takes %s: without %s making threads, and %s "
                   "waiting for them beyond what they compute",
                   explain_ns(a, pool / f->tokens), explain_ns(b, making / f->tokens),
                   explain_ns(c, beyond / f->tokens));
}

/* On the thread that decodes, where the ledger says it; else as much as the makers say. */
static double making_of(const struct facts *f, const struct churn *c)
{
        double row = f->own[IFP_LEDGER_SPAWN];

        return !isnan(row) && row > 0 && row < c->cost_ns ? row : c->cost_ns;
}

struct words {
        bool many; /* for each token */
        const char *kind, *kinds, *each;
        char number[FMT_SIZE];
};

static void word_it(const struct facts *f, const struct churn *c, struct words *w)
{
        bool threads = c->most->kind == IFP_SPAWN_THREAD || c->most->kind == IFP_SPAWN_CLONE;
        double each = c->count / f->tokens;

        w->many = each >= 1.5;
        w->kind = threads ? "thread" : "process";
        w->kinds = threads ? "threads" : "processes";
        w->each = isnan(f->tokens) ? "a moment's work" : w->many ? "each op" : "each token";
        snprintf(w->number, sizeof(w->number), each < 10 ? "%.1f" : "%.0f", each);
}

/* What that engine has for it. */
static const char *threadpool_of(const struct work_site *s)
{
        return s->place && s->place->row.library && strstr(s->place->row.library, "ggml")
                       ? " (llama.cpp: give the context a threadpool, llama_attach_threadpool)"
                       : "";
}

void explain_spawn_churn(const struct facts *f, struct judgement *j)
{
        struct churn c = find_churn(f);
        const struct work_site *s = c.most;
        double making = making_of(f, &c), whole, share;
        struct words words;
        const char *place;
        uint64_t p50, p95;
        char a[FMT_SIZE], b[FMT_SIZE], text[EXPLAIN_TEXT];

        if (!s) {
                uint64_t told = 0, untold = 0;

                for (size_t i = 0; i < f->w->n_sites; i++) {
                        told = sum_u64(told, f->w->sites[i].told ? f->w->sites[i].count : 0);
                        untold = sum_u64(untold, f->w->sites[i].told ? 0 : f->w->sites[i].count);
                }
                if (untold)
                        judge_unknown(j,
                                      "%llu threads were made; when, and how long they lived, is "
                                      "not known",
                                      (unsigned long long)untold);
                else
                        judge_no(j,
                                 "%llu thread%s, process%s or region%s made in all, none of them "
                                 "for each token or op",
                                 (unsigned long long)told, told == 1 ? "" : "s",
                                 told == 1 ? "" : "es", told == 1 ? " was" : "s were");
                return;
        }
        word_it(f, &c, &words);
        whole = isnan(f->wall) ? (double)f->w->model.run.duration_ns : f->wall;
        share = making / whole;
        place = explain_place(s->place, text, sizeof(text));
        p50 = spread_quantile(&s->life, 0.50);
        p95 = spread_quantile(&s->life, 0.95);
        if (words.many)
                judge_yes(j, "%s %s are made for each token: %s", words.number, words.kinds, place);
        else
                judge_yes(j, "a %s is made for %s: %s", words.kind, words.each, place);
        judge_evidence(j, c.count, "count", "made%s%s", isnan(f->tokens) ? "" : " in decode",
                       c.sites > 1 ? ", at several places" : "");
        judge_evidence(j, c.count / f->tokens, "1/token", "made a token");
        judge_evidence(j, c.cost_ns / c.count, "ns",
                       "making one, on average, standing in line for a CPU included");
        if (p50 != UINT64_MAX) {
                judge_evidence(j, (double)p50, "ns", "half of them live no longer");
                judge_evidence(j, (double)p95, "ns", "95 %% of them live no longer");
        }
        if (s->ended && s->cpu_ns)
                judge_evidence(j, (double)s->cpu_ns / (double)s->ended, "ns",
                               "CPU time one uses, on average");
        judge_evidence(j, share, "share", "of %s making them",
                       isnan(f->wall) ? "the run" : "a token's time");
        judge_cost(j, f, isnan(f->tokens) ? NAN : making, share,
                   "making them takes %s %s, %s of %s",
                   explain_ns(a, isnan(f->tokens) ? making : making / f->tokens),
                   isnan(f->tokens) ? "in all" : "a token", fmt_share(b, share),
                   isnan(f->wall) ? "the run" : "its time");
        judge_cause(j, "%s makes %s%s for %s and lets %s go after", place, words.many ? "" : "a ",
                    words.many ? words.kinds : words.kind, s->op ? s->op : words.each,
                    words.many ? "them" : "it");
        judge_remedy(j, "make the %s once and keep them: a pool that sleeps between %s%s",
                     words.kinds,
                     isnan(f->tokens) ? "work"
                     : words.many     ? "ops"
                                      : "tokens",
                     threadpool_of(s));
        tell_gain(f, j, making);
        judge_confidence(j, f, f->has_ledger ? CONFIDENCE_HIGH : CONFIDENCE_MEDIUM);
}
