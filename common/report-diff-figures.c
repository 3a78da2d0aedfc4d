/* SPDX-License-Identifier: MIT */
/*
 * Figures of a run that stand for themselves: times, memory, spawns, waits, the ledger. They are
 * taken from the documents that other verbs show, so that no figure has two values.
 */
#include "common/report-diff-run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/report-diff-private.h"
#include "common/report-ledger.h"
#include "common/report-private.h"
#include "common/report-waits.h"
#include "common/report-work-private.h"
#include "common/report.h"
#include "common/runfile.h"

struct known {
        const char *group, *name, *unit;
        const char *part, *inner, *member; /* of infprof.report/1: PART[.INNER].MEMBER */
};

static const struct known known[] = {
        {"time", "load", "ns", "phases", "load", "duration_ns"},
        {"time", "prefill", "ns", "phases", "prefill", "duration_ns"},
        {"time", "first token", "ns", "tokens", NULL, "ttft_ns"},
        {"time", "token, mean", "ns", "tokens", NULL, "mean_ns"},
        {"time", "token, median", "ns", "tokens", NULL, "p50_ns"},
        {"time", "token, p95", "ns", "tokens", NULL, "p95_ns"},
        {"time", "token, p99", "ns", "tokens", NULL, "p99_ns"},
        {"time", "tokens a second", "rate", "tokens", NULL, "per_second"},
        {"work", "tokens of the prompt", "count", "tokens", NULL, "prompt"},
        {"work", "tokens generated", "count", "tokens", NULL, "generated"},
        {"work", "timed calls", "count", "self", NULL, "spans"},
        {"memory", "allocations", "count", "memory", NULL, "alloc_calls"},
        {"memory", "bytes allocated", "bytes", "memory", NULL, "alloc_bytes"},
        {"memory", "failed allocations", "count", "memory", NULL, "failed_calls"},
        {"memory", "live at the end", "bytes", "memory", NULL, "live_bytes"},
        {"memory", "live at most", "bytes", "memory", NULL, "peak_bytes"},
        {"memory", "mapped by the engine", "bytes", "memory", NULL, "mapped_bytes"},
        {"spawns", "threads made", "count", "spawns", NULL, "total"},
        {"spawns", "threads at a time", "count", "spawns", NULL, "peak_live"},
};

static void put(json_t *to, const char *group, const char *name, const char *unit, double value)
{
        json_t *o;

        if (!isfinite(value))
                return;
        o = json_pack("{s:s, s:s, s:s, s:f}", "group", group, "name", name, "unit", unit, "value",
                      value);
        if (o)
                json_array_append_new(to, o);
}

static void put_known(json_t *to, const json_t *report)
{
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                const struct known *k = &known[i];
                const json_t *o = json_object_get(report, k->part);

                if (k->inner)
                        o = json_object_get(o, k->inner);
                put(to, k->group, k->name, k->unit, diff_member(o, k->member));
        }
}

static bool waits_were_kept(const struct work *w)
{
        for (size_t i = 0; i < w->model.n_processes; i++)
                if (w->model.processes[i].waits)
                        return true;
        return false;
}

/* A kind that the document has not did not happen, where waits were kept. */
static void put_waits(json_t *to, const json_t *waits)
{
        for (int kind = 0; kind < IFP_N_WAIT_KINDS; kind++) {
                double ns = 0, count = 0;
                char text[64];
                const json_t *o;
                size_t i;

                if (!work_wait_kinds[kind])
                        continue;
                json_array_foreach(json_object_get(waits, "kinds"), i, o)
                {
                        const char *name = json_string_value(json_object_get(o, "kind"));

                        if (!name || strcmp(name, work_wait_kinds[kind]) != 0)
                                continue;
                        ns = diff_member(o, "total_ns");
                        count = diff_member(o, "count");
                }
                snprintf(text, sizeof(text), "%s, time", work_wait_kinds[kind]);
                put(to, "waits", text, "ns", ns);
                snprintf(text, sizeof(text), "%s, number", work_wait_kinds[kind]);
                put(to, "waits", text, "count", count);
        }
}

/* Of a token, all threads: they sum to the whole. */
static void put_ledger(json_t *to, const json_t *ledger)
{
        double tokens = diff_member(ledger, "tokens");
        const json_t *row;
        size_t i;

        if (!(tokens > 0))
                return;
        json_array_foreach(json_object_get(ledger, "all"), i, row)
        {
                const char *name = json_string_value(json_object_get(row, "row"));

                put(to, "ledger", name ? name : "?", "ns", diff_member(row, "total_ns") / tokens);
        }
}

static int take_most(const struct runfile_memory *row, void *userdata)
{
        double *most = userdata;

        if (row->rss != RUNFILE_NOT_TOLD && !(*most >= (double)row->rss))
                *most = (double)row->rss;
        return 0;
}

/* Which program it was: the one that did most of what was seen. */
static char *engine_of(const struct work *w)
{
        const struct runfile_process *most = diff_main_process(w);
        const char *slash;

        if (!most || !most->exe || !*most->exe)
                return NULL;
        slash = strrchr(most->exe, '/');
        return strdup(slash ? slash + 1 : most->exe);
}

/* What a decoded token takes when it is left alone. */
static double quick_token(const struct work *w)
{
        double sum = 0, n = 0;

        for (size_t i = 0; i < w->model.n_ops; i++) {
                const struct model_op *op = w->model.ops[i];
                struct summary s;

                if (op->kind != IFP_KIND_TOKEN)
                        continue;
                if (!summary_init(&s, op->phase, IFP_N_PHASES, op->hot) && s.sum.points.count) {
                        sum += diff_quickest(&s.sum.points) * (double)s.calls;
                        n += (double)s.calls;
                }
                summary_done(&s);
        }
        return n > 0 ? sum / n : NAN;
}

/* From the start of the first image to the end of the last. */
static double wall_of(const struct work *w)
{
        uint64_t from = UINT64_MAX, to = 0;

        for (size_t i = 0; i < w->model.n_processes; i++) {
                const struct runfile_process *p = &w->model.processes[i];
                uint64_t end = sum_u64(p->started_at_ns, p->duration_ns);

                from = p->started_at_ns < from ? p->started_at_ns : from;
                to = end > to ? end : to;
        }
        return to > from ? (double)(to - from) : NAN;
}

int diff_figures_load(struct diff_run *run, struct runfile *rf, const struct work *w,
                      char **ret_why)
{
        _cleanup_(json_decrefp) json_t *report = NULL, *waits = NULL, *ledger = NULL;
        double rss = NAN;
        int r = report_build(rf, &report, ret_why);

        if (!r)
                r = report_waits_new(&waits, rf, ret_why);
        if (!r)
                r = report_ledger_new(&ledger, rf, ret_why);
        if (!r)
                r = runfile_each_memory(rf, take_most, &rss);
        if (r)
                return r;
        run->engine = engine_of(w);
        run->wall_ns = wall_of(w);
        if (!work_pace(w, &run->tokens, &run->token_ns) || !(run->tokens > 0))
                run->tokens = run->token_ns = NAN;
        run->token_ns /= run->tokens;
        run->typical_ns = isfinite(run->token_ns) ? quick_token(w) : NAN;
        put(run->figures, "time", "wall", "ns", run->wall_ns);
        put_known(run->figures, report);
        put(run->figures, "memory", "resident at most", "bytes", rss);
        if (waits_were_kept(w))
                put_waits(run->figures, waits);
        put_ledger(run->figures, ledger);
        return 0;
}
