/* SPDX-License-Identifier: MIT */
/*
 * The member "ledger" of infprof.top/1: where the time of the newest decode steps went. Of several
 * processes that decode it is that of the one that did so last.
 */
#include "daemon/api-top-private.h"

#include "common/hist.h"
#include "common/report-work.h"

#define STANDS 10u /* ticks: large models take seconds for a token */

static json_t *part(uint64_t ns, uint64_t steps, uint64_t wall_ns)
{
        return json_pack("{s:o, s:o}", "mean_ns",
                         top_integer(steps ? (double)ns / (double)steps : NAN), "share",
                         top_real(wall_ns ? (double)ns / (double)wall_ns : NAN));
}

static json_t *build_rows(const struct process *p, const struct ledger_sums *s)
{
        static const char *const who_names[] = {"own", "critical", "all"};
        uint64_t ns[IFP_N_LEDGER_WHO][IFP_N_LEDGER];
        uint64_t wall[] = {s->wall_ticks, s->wall_ticks, s->all_ticks};
        json_t *list = json_array();

        for (uint32_t w = 0; w < IFP_N_LEDGER_WHO; w++)
                ledger_rows_ns(&p->clock, s->rows[w], wall[w], ns[w]);
        for (uint32_t r = 0; r < IFP_N_LEDGER; r++) {
                json_t *o = json_pack("{s:s}", "row", work_rows[r]);

                for (uint32_t w = 0; w < IFP_N_LEDGER_WHO; w++)
                        json_object_set_new(
                                o, who_names[w],
                                work_is_kernel_row((int)r) && !p->ledger->kernel
                                        ? json_null()
                                        : part(ns[w][r], s->steps, clock_ns(&p->clock, wall[w])));
                json_array_append_new(list, o);
        }
        return list;
}

static json_t *quantile(const struct process *p, const uint64_t *buckets, double q)
{
        const struct drain_hist *h = &p->ledger->wall;

        return h->count ? json_integer((json_int_t)clock_ns(
                                  &p->clock, hist_quantile(buckets, q, h->min, h->max)))
                        : json_null();
}

static json_t *slow_document(const struct process *p, const struct ifp_token_record *t,
                             uint64_t median)
{
        uint64_t ns[IFP_N_LEDGER];
        uint32_t most = 0;

        ledger_rows_ns(&p->clock, t->rows[IFP_LEDGER_OWN], t->end - t->start, ns);
        for (uint32_t r = 1; r < IFP_N_LEDGER; r++)
                most = ns[r] > ns[most] ? r : most;
        return json_pack("{s:I, s:I, s:I, s:o, s:I, s:s, s:I}", "number",
                         (json_int_t)(t->number & INT64_MAX), "at_ns",
                         (json_int_t)clock_since_start_ns(&p->clock, t->start), "wall_ns",
                         (json_int_t)clock_ns(&p->clock, t->end - t->start), "times_median",
                         top_real(median ? (double)(t->end - t->start) / (double)median : NAN),
                         "tokens", (json_int_t)t->n_tokens, "most", work_rows[most], "most_ns",
                         (json_int_t)ns[most]);
}

static json_t *build_slow(const struct process *p)
{
        const struct ledger *l = p->ledger;
        json_t *list = json_array();

        for (uint64_t i = l->n_slow; i-- > 0 && l->n_slow - i <= LEDGER_SLOW;)
                if (l->slow_here[i % LEDGER_SLOW])
                        json_array_append_new(list, slow_document(p, &l->slow[i % LEDGER_SLOW],
                                                                  l->slow_median[i % LEDGER_SLOW]));
        return list;
}

/* Steps that are fresh enough to be called the newest; NULL: there were none of late. */
static const struct ledger_sums *newest(const struct process *p)
{
        const struct ledger *l = p->ledger;

        return p->state == PROCESS_LIVE && l->moved.steps && p->n_ticks - l->moved_tick <= STANDS
                       ? &l->moved
                       : NULL;
}

static json_t *build_interval(const struct process *p, const struct ledger_sums *s)
{
        if (!s)
                return json_null();
        return json_pack("{s:I, s:I, s:I, s:I}", "steps", (json_int_t)s->steps, "tokens",
                         (json_int_t)s->tokens, "wall_ns",
                         (json_int_t)clock_ns(&p->clock, s->wall_ticks), "all_ns",
                         (json_int_t)clock_ns(&p->clock, s->all_ticks));
}

static double ratio(uint64_t a, uint64_t b)
{
        return b ? (double)a / (double)b : NAN;
}

static json_t *document(const struct process *p)
{
        static uint64_t buckets[IFP_HIST_BUCKETS];
        const struct ledger *l = p->ledger;
        const struct ledger_sums *fresh = newest(p), *s = fresh ? fresh : &l->sums;
        uint64_t wall = clock_ns(&p->clock, s->wall_ticks);
        json_t *o;

        memset(buckets, 0, sizeof(buckets));
        drain_hist_flatten(&l->wall, buckets);
        o = json_pack("{s:I, s:I, s:I, s:I, s:b, s:o, s:o}", "pid", (json_int_t)p->pid, "steps",
                      (json_int_t)l->sums.steps, "tokens", (json_int_t)l->sums.tokens, "dropped",
                      (json_int_t)l->sums.dropped, "kernel", l->kernel, "threads",
                      top_real(ratio(s->all_ticks, s->wall_ticks)), "interval",
                      build_interval(p, fresh));
        json_object_set_new(o, "rows", build_rows(p, s));
        json_object_set_new(o, "mean_ns", top_integer(ratio(wall, s->steps)));
        json_object_set_new(o, "p50_ns", quantile(p, buckets, 0.5));
        json_object_set_new(o, "p99_ns", quantile(p, buckets, 0.99));
        json_object_set_new(o, "max_ns",
                            l->wall.count ? top_told(clock_ns(&p->clock, l->wall.max))
                                          : json_null());
        json_object_set_new(
                o, "overhead_factor",
                top_real(ratio(s->all_ticks, s->rows[IFP_LEDGER_ALL][IFP_LEDGER_COMPUTE])));
        json_object_set_new(o, "slow", build_slow(p));
        return o;
}

json_t *top_ledger(const struct top_scope *s)
{
        const struct process *last = NULL;

        for (const struct process *p = s->server->processes; p; p = p->next) {
                if (!top_is_shown(s, p) || !p->ledger || !p->ledger->sums.steps)
                        continue;
                if (!last || (p->state == PROCESS_LIVE) > (last->state == PROCESS_LIVE) ||
                    (p->state == last->state && p->ledger->moved_ns > last->ledger->moved_ns))
                        last = p;
        }
        return last ? document(last) : json_null();
}
