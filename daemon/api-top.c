/* SPDX-License-Identifier: MIT */
/*
 * The document "infprof.top/1": a run as it is at this moment, from memory
 * and not from its file. Ops of the same name, kind and library in several processes of
 * the run are one row.
 *
 *   in ops       sum of self over all ops and threads = time in outermost ops
 *   total_share  total / in ops, self_share self / in ops
 *   a rate       what moved between the last two ticks, over the time between
 */
#include "daemon/api-private.h"
#include "daemon/api-top-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/hist.h"
#include "common/report.h"
#include "daemon/lane.h"
#include "daemon/procfs.h"

static const char *const phase_names[IFP_N_PHASES] = {"unknown", "load", "prefill", "decode",
                                                      "idle"};
static const char *const kind_names[IFP_N_KINDS] = {"kernel", "node",  "graph", "call",
                                                    "wait",   "token", "ttft",  "marker"};

const char *top_kind_name(const struct op *op)
{
        return kind_names[op->kind];
}

const char *top_phase_name(uint32_t phase)
{
        return phase_names[phase];
}

struct view {
        struct top_scope scope;
        double in_ops_ns;
};

/* One row: the same op in all processes of the run. */
struct row {
        const struct process *p; /* the first that has it */
        uint32_t op;
        struct figures sum;
        double total_ns, self_ns, timed_ns; /* estimates where the op is hot */
        uint64_t calls, hist_count, min, max;
        double rate;
        uint64_t spark[PROCESS_SPARK];
        uint64_t buckets[IFP_HIST_BUCKETS];
};

static bool is_nested(const struct op *op)
{
        return op->kind != IFP_KIND_TOKEN && op->kind != IFP_KIND_TTFT;
}

static double rate(const struct process *p, uint64_t now, uint64_t before)
{
        double s = top_interval(p);

        return s > 0 ? (double)(now - before) / s : 0;
}

/* Times of one op and phase; what was not stamped is taken to be like what was. */
static void add_times(const struct process *p, const struct op *op, const struct figures *f,
                      double *total_ns, double *self_ns)
{
        double scale = op->hot && f->timed ? (double)figures_calls(f) / (double)f->timed : 1;

        *total_ns += scale * (double)clock_ns(&p->clock, f->total);
        *self_ns += scale * (double)clock_ns(&p->clock, f->total - f->child);
}

static void row_add(struct row *row, const struct process *p, uint32_t i)
{
        static uint64_t buckets[IFP_HIST_BUCKETS];
        const struct op *op = &p->ops[i];

        for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++) {
                const struct figures *f = &p->total[i * IFP_N_PHASES + phase];
                struct process_hist h;

                if (!figures_calls(f))
                        continue;
                tally_figures_add(&row->sum, f);
                add_times(p, op, f, &row->total_ns, &row->self_ns);
                row->timed_ns += (double)clock_ns(&p->clock, f->total);
                process_hist(p, i, phase, buckets, &h);
                for (uint32_t b = 0; h.count && b < IFP_HIST_BUCKETS; b++)
                        row->buckets[b] += buckets[b];
                row->hist_count += h.count;
                if (h.min < row->min)
                        row->min = h.min;
                if (h.max > row->max)
                        row->max = h.max;
        }
        row->calls = figures_calls(&row->sum);
        if (top_interval(p) > 0)
                row->rate += (double)op->spark[p->spark_at] / top_interval(p);
        for (uint32_t s = 0; s < PROCESS_SPARK; s++)
                row->spark[s] += op->spark[(p->spark_at + 1 + s) % PROCESS_SPARK];
}

/* Is this the first of the run's ops of that name? */
static bool is_first(const struct top_scope *s, const struct process *p, uint32_t i)
{
        for (const struct process *q = s->server->processes; q; q = q->next) {
                uint32_t n = q == p ? i : q->n_ops;

                if (!top_is_shown(s, q))
                        continue;
                for (uint32_t k = IFP_OP_OTHER; k < n; k++)
                        if (top_is_same_op(&q->ops[k], &p->ops[i]))
                                return false;
                if (q == p)
                        return true;
        }
        return true;
}

static json_t *thread_split(const struct view *v, const struct op *op)
{
        json_t *list = json_array();

        for (const struct process *p = v->scope.server->processes; p; p = p->next) {
                if (!top_is_shown(&v->scope, p))
                        continue;
                for (uint32_t i = 0; i < p->n_threads; i++) {
                        const struct thread *t = p->threads[i];
                        double total = 0, self = 0;
                        uint64_t calls = 0;

                        for (uint32_t k = 0; k < t->tally.n_rows; k++) {
                                const struct figures *f = &t->tally.rows[k].f;
                                const struct op *o = &p->ops[t->tally.rows[k].key / IFP_N_PHASES];

                                if (!top_is_same_op(o, op))
                                        continue;
                                calls += figures_calls(f);
                                add_times(p, o, f, &total, &self);
                        }
                        if (calls)
                                json_array_append_new(list,
                                                      json_pack("{s:I, s:s, s:I, s:o, s:o}", "tid",
                                                                (json_int_t)t->tid, "name", t->name,
                                                                "calls", (json_int_t)calls,
                                                                "total_ns", top_integer(total),
                                                                "self_ns", top_integer(self)));
                }
        }
        return list;
}

static json_t *quantile(const struct row *row, double q)
{
        if (!row->hist_count)
                return json_null();
        return json_integer((json_int_t)clock_ns(
                &row->p->clock, hist_quantile(row->buckets, q, row->min, row->max)));
}

static json_t *row_document(const struct view *v, const struct row *row)
{
        const struct op *op = &row->p->ops[row->op];
        json_t *spark = json_array();
        uint64_t timed = row->sum.timed;

        for (uint32_t s = 0; s < PROCESS_SPARK; s++)
                json_array_append_new(spark, json_integer((json_int_t)row->spark[s]));
        return json_pack(
                "{s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, "
                "s:o}",
                "name", op->name, "kind", top_kind_name(op), "library", top_text(op->library),
                "calls", (json_int_t)row->calls, "calls_per_second", top_real(row->rate),
                "total_ns", top_integer(timed ? row->total_ns : NAN), "self_ns",
                top_integer(timed ? row->self_ns : NAN), "mean_ns",
                top_integer(timed ? row->timed_ns / (double)timed : NAN), "p50_ns",
                quantile(row, 0.5), "p95_ns", quantile(row, 0.95), "p99_ns", quantile(row, 0.99),
                "max_ns",
                row->hist_count ? top_integer((double)clock_ns(&row->p->clock, row->max))
                                : json_null(),
                "total_share",
                top_real(v->in_ops_ns > 0 && timed ? row->total_ns / v->in_ops_ns : NAN),
                "self_share",
                top_real(v->in_ops_ns > 0 && timed ? row->self_ns / v->in_ops_ns : NAN),
                "estimated", op->hot && row->sum.untimed, "spark", spark, "threads",
                thread_split(v, op));
}

static int compare_self(const void *a, const void *b)
{
        double x = (*(const struct row *const *)a)->self_ns,
               y = (*(const struct row *const *)b)->self_ns;

        return x < y ? 1 : x > y ? -1 : 0;
}

static struct row *row_new(const struct view *v, const struct process *p, uint32_t i)
{
        struct row *row = calloc(1, sizeof(*row));

        if (!row)
                return NULL;
        row->p = p;
        row->op = i;
        row->min = UINT64_MAX;
        for (const struct process *q = v->scope.server->processes; q; q = q->next)
                for (uint32_t k = IFP_OP_OTHER; top_is_shown(&v->scope, q) && k < q->n_ops; k++)
                        if (top_is_same_op(&q->ops[k], &p->ops[i]))
                                row_add(row, q, k);
        return row;
}

static json_t *build_ops(struct view *v)
{
        struct row **rows = NULL;
        size_t n = 0, room = 0;
        json_t *list = json_array();

        for (const struct process *p = v->scope.server->processes; p; p = p->next) {
                for (uint32_t i = IFP_OP_OTHER; top_is_shown(&v->scope, p) && i < p->n_ops; i++) {
                        struct row *row;

                        if (!p->ops[i].calls_now || !is_nested(&p->ops[i]) ||
                            !is_first(&v->scope, p, i))
                                continue;
                        if (n == room) {
                                room = room ? 2 * room : 64;
                                rows = realloc(rows, room * sizeof(*rows));
                        }
                        row = rows ? row_new(v, p, i) : NULL;
                        if (!row)
                                break;
                        rows[n++] = row;
                        v->in_ops_ns += row->self_ns;
                }
        }
        if (n)
                qsort(rows, n, sizeof(*rows), compare_self);
        for (size_t i = 0; i < n; i++) {
                json_array_append_new(list, row_document(v, rows[i]));
                free(rows[i]);
        }
        free(rows);
        return list;
}

static bool is_same_site(const struct site *a, const struct site *b)
{
        return a->offset == b->offset &&
               !strcmp(a->function ? a->function : "", b->function ? b->function : "") &&
               !strcmp(a->library ? a->library : "", b->library ? b->library : "");
}

static bool is_same_site_before(const struct process *p, uint32_t i)
{
        for (uint32_t k = 0; k < i; k++)
                if (is_same_site(&p->sites[k], &p->sites[i]))
                        return true;
        return false;
}

/* One place, whatever the stacks, ops and phases that led there. */
static json_t *site_document(const struct process *p, uint32_t first)
{
        const struct site *s = &p->sites[first];
        uint64_t count = 0;
        double per_second = 0;

        for (uint32_t i = first; i < p->n_sites; i++)
                if (is_same_site(&p->sites[i], s)) {
                        count += p->sites[i].count;
                        per_second += rate(p, p->sites[i].at_tick, p->sites[i].before);
                }
        return json_pack("{s:o, s:o, s:I, s:I, s:o}", "function", top_text(s->function), "library",
                         top_text(s->library), "offset", (json_int_t)s->offset, "count",
                         (json_int_t)(count & INT64_MAX), "per_second", top_real(per_second));
}

static json_t *build_spawns(const struct view *v)
{
        json_t *sites = json_array();
        uint64_t total = 0, live = 0, peak = 0;
        double per_second = 0;

        for (const struct process *p = v->scope.server->processes; p; p = p->next) {
                if (!top_is_shown(&v->scope, p))
                        continue;
                total += p->now.spawns;
                live += p->state == PROCESS_LIVE ? p->now.threads_live : 0;
                if (p->now.threads_peak > peak)
                        peak = p->now.threads_peak;
                per_second += rate(p, p->at_tick.spawns, p->before.spawns);
                for (uint32_t i = 0; i < p->n_sites; i++)
                        if (!is_same_site_before(p, i))
                                json_array_append_new(sites, site_document(p, i));
        }
        return json_pack("{s:I, s:I, s:I, s:o, s:o}", "total", (json_int_t)total, "live",
                         (json_int_t)live, "peak_live", (json_int_t)peak, "per_second",
                         top_real(per_second), "sites", sites);
}

/* First tokens: they come out of a prefill. */
static uint64_t first_tokens(const struct process *p)
{
        uint64_t n = 0;

        for (uint32_t i = 0; i < p->n_ops; i++)
                for (uint32_t phase = 0; p->ops[i].kind == IFP_KIND_TTFT && phase < IFP_N_PHASES;
                     phase++)
                        n += p->total[i * IFP_N_PHASES + phase].timed;
        return n;
}

/* Time in which tokens were decoded: once where threads do so side by side. */
static double token_ns(const struct process *p)
{
        double ns = 0;

        for (uint32_t i = 0; i < p->n_ops; i++)
                for (uint32_t phase = 0; p->ops[i].kind == IFP_KIND_TOKEN && phase < IFP_N_PHASES;
                     phase++)
                        ns += (double)clock_ns(&p->clock,
                                               p->total[i * IFP_N_PHASES + phase].total -
                                                       p->total[i * IFP_N_PHASES + phase].child);
        return ns;
}

static double lifetimes_ns(const struct process *p)
{
        uint64_t now = p->state == PROCESS_LIVE ? ifp_ticks() : p->end_ticks, sum = p->ended_ticks;

        for (uint32_t i = 0; i < p->n_lanes; i++)
                if (p->lanes[i].thread && now > p->lanes[i].thread->start_ticks)
                        sum += now - p->lanes[i].thread->start_ticks;
        return (double)clock_ns(&p->clock, sum);
}

static json_t *build_now(const struct view *v)
{
        double tokens = 0, token_time = 0, spans = 0, cost = 0, life = 0;
        uint64_t decoded = 0, first = 0, threads = 0, resident = 0;
        const struct process *busiest = NULL;
        bool has_tokens = false;
        const struct process *largest = top_largest(&v->scope);
        int64_t live_bytes =
                largest && largest->state == PROCESS_LIVE ? largest->now.live_bytes : 0;

        for (const struct process *p = v->scope.server->processes; p; p = p->next) {
                const struct ifp_header *h = &p->segment.header;

                if (!top_is_shown(&v->scope, p))
                        continue;
                if (!busiest || (p->state == PROCESS_LIVE) > (busiest->state == PROCESS_LIVE) ||
                    (p->state == busiest->state && p->now.spans > busiest->now.spans))
                        busiest = p;
                decoded += p->now.generated_tokens;
                first += first_tokens(p);
                token_time += token_ns(p);
                has_tokens |= p->now.generated_tokens || p->now.prompt_tokens;
                tokens += rate(p, p->at_tick.generated_tokens, p->before.generated_tokens);
                spans += rate(p, p->at_tick.spans, p->before.spans);
                cost += (double)clock_ns(&p->clock, p->now.spans * h->span_ticks);
                life += lifetimes_ns(p);
                if (p->state != PROCESS_LIVE)
                        continue;
                threads += p->now.threads_live;
                resident += procfs_resident_bytes(p->pid);
        }
        return json_pack(
                "{s:I, s:s, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o}", "at_ns",
                (json_int_t)run_duration_ns(v->scope.run), "phase",
                phase_names[busiest ? busiest->now.phase : IFP_PHASE_UNKNOWN], "tokens_per_second",
                top_real(has_tokens ? tokens : NAN), "tokens_per_second_mean",
                top_real(token_time > 0 ? (double)decoded * 1e9 / token_time : NAN), "generated",
                has_tokens ? json_integer((json_int_t)(decoded + first)) : json_null(),
                "threads_live", (json_int_t)threads, "live_bytes", (json_int_t)live_bytes,
                "spans_per_second", top_real(spans), "overhead_fraction",
                top_real(life > 0 && cost <= life ? cost / life : NAN), "rss_bytes",
                resident ? json_integer((json_int_t)resident) : json_null());
}

json_t *api_top_document(struct server *s, struct run *run, const struct process *only)
{
        struct view v = {.scope = {s, run, only}};
        pid_t pid = only ? only->pid : run->pid;
        bool live = only ? only->state == PROCESS_LIVE : run_is_live(run);
        json_t *ops = build_ops(&v);

        return json_pack("{s:s, s:{s:s, s:s, s:I, s:b, s:o}, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                         "schema", "infprof.top/1", "run", "id", run->id, "command", run->command,
                         "pid", (json_int_t)pid, "live", live, "exit",
                         report_exit((int)run->end, run->end_value), "now", build_now(&v), "ops",
                         ops, "threads", top_threads(&v.scope), "spawns", build_spawns(&v),
                         "memory", top_memory(&v.scope), "waits", top_waits(&v.scope), "ledger",
                         top_ledger(&v.scope));
}
