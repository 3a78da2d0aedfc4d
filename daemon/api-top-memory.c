/* SPDX-License-Identifier: MIT */
/*
 * The member "memory" of infprof.top/1: what the run allocates at this moment,
 * by op and by phase. Counts are exact; a rate is what moved between the last
 * two ticks, over the time between, and of a process that has ended it is 0.
 */
#include "daemon/api-top-private.h"

#include <stdlib.h>

#include "common/runfile.h"
#include "daemon/rates.h"

/* Counts and rates of anything that allocates. */
struct row {
        struct figures sum;
        double calls, bytes, frees, net; /* per second */
};

static bool has_allocations(const struct figures *f)
{
        return f->alloc_calls || f->frees || f->alloc_failed;
}

static double net_bytes(const struct figures *f)
{
        return (double)(int64_t)(f->usable_bytes - f->freed_bytes);
}

static void add_rates(struct row *row, const struct process *p, const struct readings *r)
{
        struct figures moved = {0};
        double s = top_interval(p);

        if (s <= 0)
                return;
        rates_add_moved(&moved, r);
        row->calls += (double)moved.alloc_calls / s;
        row->bytes += (double)moved.asked_bytes / s;
        row->frees += (double)moved.frees / s;
        row->net += net_bytes(&moved) / s;
}

static json_t *counts_document(const char *name, const struct figures *f)
{
        return json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "name", name, "calls",
                         (json_int_t)f->alloc_calls, "asked_bytes", (json_int_t)f->asked_bytes,
                         "frees", (json_int_t)f->frees, "failed_calls", (json_int_t)f->alloc_failed,
                         "net_bytes", top_integer(net_bytes(f)));
}

static void set_rates(json_t *o, const struct row *row)
{
        json_object_set_new(o, "calls_per_second", top_real(row->calls));
        json_object_set_new(o, "bytes_per_second", top_real(row->bytes));
        json_object_set_new(o, "frees_per_second", top_real(row->frees));
        json_object_set_new(o, "net_bytes_per_second", top_real(row->net));
}

/* The op in all processes of the scope. */
static json_t *op_document(const struct top_scope *s, const struct process *p, uint32_t i)
{
        const struct op *op = &p->ops[i];
        struct figures phases[IFP_N_PHASES] = {0};
        struct row row = {0};
        uint64_t spark[PROCESS_SPARK] = {0};
        json_t *o, *split = json_array(), *course = json_array();

        for (const struct process *q = s->server->processes; q; q = q->next)
                for (uint32_t k = 0; top_is_shown(s, q) && k < q->n_ops; k++) {
                        if (!top_is_same_op(&q->ops[k], op))
                                continue;
                        for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++)
                                tally_figures_add(&phases[phase],
                                                  &q->total[k * IFP_N_PHASES + phase]);
                        add_rates(&row, q, &q->ops[k].readings);
                        for (uint32_t t = 0; t < PROCESS_SPARK; t++)
                                spark[t] +=
                                        q->ops[k]
                                                .alloc_spark[(q->spark_at + 1 + t) % PROCESS_SPARK];
                }
        for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++) {
                tally_figures_add(&row.sum, &phases[phase]);
                if (has_allocations(&phases[phase]))
                        json_array_append_new(
                                split, counts_document(top_phase_name(phase), &phases[phase]));
        }
        for (uint32_t t = 0; t < PROCESS_SPARK; t++)
                json_array_append_new(course, json_integer((json_int_t)spark[t]));
        o = counts_document(op->name, &row.sum);
        json_object_set_new(o, "kind",
                            i == IFP_OP_NONE ? json_null() : json_string(top_kind_name(op)));
        json_object_set_new(o, "library", top_text(op->library));
        set_rates(o, &row);
        json_object_set_new(o, "spark", course);
        json_object_set_new(o, "phases", split);
        return o;
}

static bool op_allocates(const struct process *p, uint32_t i)
{
        for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++)
                if (has_allocations(&p->total[i * IFP_N_PHASES + phase]))
                        return true;
        return false;
}

/* Is this the first of the scope's ops of that name that allocates? */
static bool is_first(const struct top_scope *s, const struct process *p, uint32_t i)
{
        for (const struct process *q = s->server->processes; q; q = q->next) {
                for (uint32_t k = 0; top_is_shown(s, q) && k < (q == p ? i : q->n_ops); k++)
                        if (top_is_same_op(&q->ops[k], &p->ops[i]) && op_allocates(q, k))
                                return false;
                if (q == p)
                        return true;
        }
        return true;
}

static json_t *build_ops(const struct top_scope *s)
{
        json_t *list = json_array();

        for (const struct process *p = s->server->processes; p; p = p->next)
                for (uint32_t i = 0; top_is_shown(s, p) && i < p->n_ops; i++)
                        if (op_allocates(p, i) && is_first(s, p, i))
                                json_array_append_new(list, op_document(s, p, i));
        return list;
}

static json_t *build_phases(const struct top_scope *s)
{
        json_t *list = json_array(), *o;

        for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++) {
                struct row row = {0};

                for (const struct process *p = s->server->processes; p; p = p->next) {
                        for (uint32_t i = 0; top_is_shown(s, p) && i < p->n_ops; i++)
                                tally_figures_add(&row.sum, &p->total[i * IFP_N_PHASES + phase]);
                        if (top_is_shown(s, p))
                                add_rates(&row, p, &p->rates.phases[phase]);
                }
                if (!has_allocations(&row.sum))
                        continue;
                o = counts_document(top_phase_name(phase), &row.sum);
                set_rates(o, &row);
                json_array_append_new(list, o);
        }
        return list;
}

/* As the report does: a sum would have what a fork child began with twice. */
const struct process *top_largest(const struct top_scope *s)
{
        const struct process *most = NULL;

        for (const struct process *p = s->server->processes; p; p = p->next) {
                int more = most ? (p->state == PROCESS_LIVE) - (most->state == PROCESS_LIVE) : 1;

                if (top_is_shown(s, p) &&
                    (more > 0 || (!more && p->now.peak_bytes > most->now.peak_bytes)))
                        most = p;
        }
        return most;
}

/* Live bytes of a process, second by second. */
static json_t *build_course(const struct process *p)
{
        uint32_t n = !p ? 0 : p->n_ticks < PROCESS_SPARK ? p->n_ticks : PROCESS_SPARK;
        json_t *list = json_array();

        for (uint32_t t = 0; t < PROCESS_SPARK; t++) {
                uint32_t at = p ? (p->spark_at + 1 + t) % PROCESS_SPARK : 0;

                json_array_append_new(list, t < PROCESS_SPARK - n
                                                    ? json_null()
                                                    : json_integer(p->rates.live_bytes[at]));
        }
        return list;
}

/* NOT_TOLD if it is not told of one of them. */
static void add(uint64_t *sum, uint64_t v)
{
        *sum = *sum == RUNFILE_NOT_TOLD || v > INT64_MAX - *sum ? RUNFILE_NOT_TOLD : *sum + v;
}

static json_t *told(uint64_t v)
{
        return v == RUNFILE_NOT_TOLD ? json_null() : json_integer((json_int_t)v);
}

/* The last looks from outside at the processes that live. null: there was none. */
static json_t *build_outside(const struct top_scope *s)
{
        struct outside_look sum = {0};
        bool any = false;

        for (const struct process *p = s->server->processes; p; p = p->next) {
                const struct outside_look *l = &p->outside.last;

                if (!top_is_shown(s, p) || p->state != PROCESS_LIVE || !p->outside.known)
                        continue;
                any = true;
                add(&sum.rss, l->rss);
                add(&sum.pss, l->pss);
                add(&sum.anonymous, l->anonymous);
                add(&sum.file, l->file);
                add(&sum.huge, l->huge);
                add(&sum.swap, l->swap);
                add(&sum.minor_faults, l->minor_faults);
                add(&sum.major_faults, l->major_faults);
        }
        if (!any)
                return json_null();
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "rss", told(sum.rss), "pss",
                         told(sum.pss), "anonymous", told(sum.anonymous), "file", told(sum.file),
                         "huge", told(sum.huge), "swap", told(sum.swap), "minor_faults",
                         told(sum.minor_faults), "major_faults", told(sum.major_faults));
}

json_t *top_memory(const struct top_scope *s)
{
        struct token_counts tokens = {0};
        struct row row = {0};
        const struct process *largest = top_largest(s);
        json_t *o;

        for (const struct process *p = s->server->processes; p; p = p->next) {
                const struct token_counts *t = rates_tokens(p);

                if (!top_is_shown(s, p))
                        continue;
                for (uint32_t k = 0; k < p->n_ops * IFP_N_PHASES; k++)
                        tally_figures_add(&row.sum, &p->total[k]);
                for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++)
                        add_rates(&row, p, &p->rates.phases[phase]);
                if (!t || p->state != PROCESS_LIVE)
                        continue;
                tokens.n += t->n;
                tokens.calls += t->calls;
                tokens.asked_bytes += t->asked_bytes;
        }
        o = json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "peak_bytes",
                      (json_int_t)(largest ? largest->now.peak_bytes : 0), "calls",
                      (json_int_t)row.sum.alloc_calls, "asked_bytes",
                      (json_int_t)row.sum.asked_bytes, "frees", (json_int_t)row.sum.frees,
                      "failed_calls", (json_int_t)row.sum.alloc_failed, "calls_per_token",
                      top_real(tokens.n ? (double)tokens.calls / (double)tokens.n : NAN),
                      "bytes_per_token",
                      top_real(tokens.n ? (double)tokens.asked_bytes / (double)tokens.n : NAN),
                      "live_spark", build_course(largest), "ops", build_ops(s), "phases",
                      build_phases(s));
        set_rates(o, &row);
        json_object_set_new(o, "heap_interval_bytes", top_heap_interval(s));
        json_object_set_new(o, "sites", top_sites(s));
        json_object_set_new(o, "outside", build_outside(s));
        return o;
}
