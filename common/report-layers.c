/* SPDX-License-Identifier: MIT */
/*
 * The document infprof.layers/1. A row is an op in a layer, for one part of it, in one phase; times
 * are of all threads. Shares are of the time of all such rows of the phase.
 */
#include "common/report-layers.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/report-experts.h"
#include "common/report-private.h"
#include "common/report-work-private.h"
#include "common/runfile-private.h"

struct row {
        uint32_t phase, layer, part; /* layer + 1, as in the file */
        const struct model_op *op;
        uint64_t calls, total_ns, child_ns;
};

struct rows {
        struct row *at;
        size_t n, room;
        struct work *w;
        struct expert_layers experts;
};

struct sums {
        uint64_t calls, total_ns, child_ns;
};

/* What a phase's figures are a part of. */
struct whole {
        const struct rows *rows;
        uint64_t total_ns;
        double tokens; /* NaN: there are none */
};

static const char *const part_names[IFP_N_PARTS] = {"rest", "attention", "mlp", "embedding",
                                                    "output"};

static int load(const struct runfile_layer *row, void *userdata)
{
        struct rows *rows = userdata;
        const struct model_op *op = model_op(&rows->w->model, row->process, row->op);
        struct row *r;

        if (!op)
                return work_dangling(rows->w, "layer", "op", row->process, row->op);
        r = GROW(&rows->at, &rows->n, &rows->room);
        if (!r)
                return -ENOMEM;
        *r = (struct row){.phase = row->phase,
                          .layer = row->layer,
                          .part = row->part,
                          .op = op,
                          .calls = row->calls,
                          .total_ns = row->total_ns,
                          .child_ns = row->child_ns};
        return 0;
}

/* By phase; layers in order, those in none behind; ops by their names. */
static int compare(const void *a, const void *b)
{
        const struct row *p = a, *q = b;

        if (p->phase != q->phase)
                return p->phase < q->phase ? -1 : 1;
        if (p->layer != q->layer)
                return p->layer - 1 < q->layer - 1 ? -1 : 1;
        if (p->part != q->part)
                return p->part < q->part ? -1 : 1;
        if (p->op != q->op)
                return p->op->index < q->op->index ? -1 : 1;
        return 0;
}

static void add(struct sums *to, const struct row *r)
{
        to->calls = sum_u64(to->calls, r->calls);
        to->total_ns = sum_u64(to->total_ns, r->total_ns);
        to->child_ns = sum_u64(to->child_ns, r->child_ns);
}

static void put_sums(json_t *o, const struct sums *s, const struct whole *whole)
{
        report_set(o, "calls", report_integer(s->calls));
        report_set(o, "total_ns", report_integer(s->total_ns));
        report_set(o, "share",
                   report_fraction(whole->total_ns ? (double)s->total_ns / (double)whole->total_ns
                                                   : NAN));
        report_set(o, "per_token_ns", report_fraction((double)s->total_ns / whole->tokens));
}

static json_t *build_op(const struct row *r, const struct sums *s, const struct whole *whole)
{
        json_t *o = json_object();

        report_set(o, "op", json_string(r->op->name));
        report_set(o, "part", json_string(part_names[r->part]));
        put_sums(o, s, whole);
        report_set(o, "self_ns",
                   report_integer_or_null(s->child_ns <= s->total_ns, s->total_ns - s->child_ns));
        return o;
}

static json_t *build_parts(const struct row *r, size_t n, const struct whole *whole)
{
        struct sums parts[IFP_N_PARTS] = {0};
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
                add(&parts[r[i].part], &r[i]);
        for (int p = 0; p < IFP_N_PARTS; p++) {
                json_t *o;

                if (!parts[p].calls)
                        continue;
                o = json_object();
                report_set(o, "part", json_string(part_names[p]));
                put_sums(o, &parts[p], whole);
                json_array_append_new(list, o);
        }
        return list;
}

/* The rows of one layer in one phase. */
static json_t *build_layer(const struct row *r, size_t n, const struct whole *whole)
{
        struct sums all = {0};
        json_t *o = json_object(), *ops = json_array();

        for (size_t i = 0, next; i < n; i = next) {
                struct sums s = {0};

                for (next = i; next < n && !compare(&r[i], &r[next]); next++)
                        add(&s, &r[next]);
                json_array_append_new(ops, build_op(&r[i], &s, whole));
                all.calls = sum_u64(all.calls, s.calls);
                all.total_ns = sum_u64(all.total_ns, s.total_ns);
        }
        report_set(o, "layer", report_integer_or_null(r->layer, r->layer - 1));
        put_sums(o, &all, whole);
        report_set(o, "parts", build_parts(r, n, whole));
        report_set(o, "ops", ops);
        report_set(o, "experts", expert_layers_build(&whole->rows->experts, r->phase, r->layer));
        return o;
}

/* Tokens that a phase worked on; NaN: none, or they are not its unit. */
static double tokens_of(const struct work *w, uint32_t phase)
{
        uint64_t n = 0;

        for (size_t i = 0; i < w->model.n_processes; i++) {
                const struct runfile_process *p = &w->model.processes[i];

                if (phase == IFP_PHASE_DECODE)
                        n = sum_u64(n, p->generated_tokens);
                else if (phase == IFP_PHASE_PREFILL)
                        n = sum_u64(n, p->prompt_tokens);
        }
        return n ? (double)n : NAN;
}

static json_t *build_phase(const struct rows *rows, const struct row *r, size_t n)
{
        struct whole whole = {.rows = rows, .tokens = tokens_of(rows->w, r->phase)};
        json_t *o = json_object(), *layers = json_array();

        for (size_t i = 0; i < n; i++)
                whole.total_ns = sum_u64(whole.total_ns, r[i].total_ns);
        for (size_t i = 0, next; i < n; i = next) {
                for (next = i; next < n && r[next].layer == r[i].layer; next++)
                        ;
                json_array_append_new(layers, build_layer(r + i, next - i, &whole));
        }
        report_set(o, "tokens", report_rounded(whole.tokens));
        report_set(o, "total_ns", report_integer(whole.total_ns));
        report_set(o, "parts", build_parts(r, n, &whole));
        report_set(o, "experts", expert_layers_build_phase(&rows->experts, r->phase));
        report_set(o, "layers", layers);
        return o;
}

static bool any_in_layer(const struct rows *rows)
{
        for (size_t i = 0; i < rows->n; i++)
                if (rows->at[i].layer)
                        return true;
        return false;
}

/* Time of ops that have layers, but for these calls. */
static uint64_t unplaced(const struct rows *rows, uint64_t *ret_calls)
{
        uint64_t total = 0, calls = 0, placed = 0, placed_calls = 0;

        for (size_t i = 0; i < rows->w->model.n_ops; i++) {
                const struct model_op *op = rows->w->model.ops[i];

                for (int p = 0; op->kind == IFP_KIND_NODE && p < IFP_N_PHASES; p++) {
                        total = sum_u64(total, op->phase[p].total_ns);
                        calls = sum_u64(calls, op->phase[p].timed);
                }
        }
        for (size_t i = 0; i < rows->n; i++) {
                placed = sum_u64(placed, rows->at[i].total_ns);
                placed_calls = sum_u64(placed_calls, rows->at[i].calls);
        }
        *ret_calls = calls > placed_calls ? calls - placed_calls : 0;
        return total > placed ? total - placed : 0;
}

/* Products of experts in a layer whose choices have no row. */
static bool any_unknown_experts(const struct rows *rows)
{
        bool any = false;

        for (size_t i = 0; i < rows->n && !any; i++) {
                const struct row *r = &rows->at[i];
                json_t *o;

                if (!r->layer || strcmp(r->op->name, "MUL_MAT_ID"))
                        continue;
                o = expert_layers_build(&rows->experts, r->phase, r->layer);
                any = json_is_null(o);
                json_decref(o);
        }
        return any;
}

static json_t *build_notes(const struct rows *rows)
{
        json_t *notes = work_notes(rows->w);
        uint64_t calls, ns = unplaced(rows, &calls);
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!any_in_layer(rows))
                report_note(notes, "no op was seen in a layer: the engine has no graph whose "
                                   "tensors are named after layers, or they were not read "
                                   "(INFPROF_SHAPES=off)");
        else if (calls)
                report_note(notes,
                            "%s calls of nodes, %s, are in no row: their names were not read",
                            fmt_count(a, calls), fmt_ns(b, ns));
        expert_layers_notes(&rows->experts, any_unknown_experts(rows), notes);
        return notes;
}

static int build_rows(struct rows *rows, json_t **ret)
{
        json_t *o, *phases;
        int r = runfile_each_layer(rows->w->rf, load, rows);

        if (!r)
                r = expert_layers_load(&rows->experts, rows->w);
        if (r)
                return r;
        if (rows->n)
                qsort(rows->at, rows->n, sizeof(*rows->at), compare);
        o = work_head(rows->w, LAYERS_SCHEMA);
        phases = json_object();
        for (size_t i = 0, next; i < rows->n; i = next) {
                uint32_t phase = rows->at[i].phase;

                for (next = i; next < rows->n && rows->at[next].phase == phase; next++)
                        ;
                report_set(phases, report_phase_names[phase],
                           build_phase(rows, rows->at + i, next - i));
        }
        report_set(o, "phases", phases);
        report_set(o, "notes", build_notes(rows));
        *ret = o;
        return 0;
}

static int build(struct work *w, json_t **ret)
{
        struct rows rows = {.w = w};
        int r = build_rows(&rows, ret);

        free(rows.at);
        expert_layers_done(&rows.experts);
        return r;
}

int report_layers_new(json_t **ret, struct runfile *rf, char **ret_why)
{
        return work_document(ret, rf, build, ret_why);
}

int report_layers_file(json_t **ret, const char *path, char **ret_why)
{
        return work_document_file(ret, path, build, ret_why);
}
