/* SPDX-License-Identifier: MIT */
/*
 * Where the time of a run went, cut as finely as it was told: an op's self time is cut by layer and
 * shape where its nodes told them, then by shape alone, and what neither tells is a row of the op
 * without either. So rows of an op sum to its self time, and all rows, with what is outside of ops,
 * to the time of the threads. Phases are together, or (by token) decode alone.
 */
#include "common/report-diff-run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/report-work-private.h"
#include "common/runfile-private.h"

/* What differs by less is how ticks were rounded. */
#define ROUNDING_NS 1000.0

/* Of calls: on a machine whose CPUs are shared, most of them may be slowed down. */
#define QUICKEST 0.1

struct piece {
        uint32_t op;    /* index into the model's */
        uint32_t layer; /* + 1 */
        uint32_t part;
        const char *shape;
        double calls, self_ns;
};

struct cut {
        struct work *w;
        const struct report_shapes *shapes;
        bool decode; /* that phase alone */
        struct piece *at;
        size_t n, room;
};

static bool counts(const struct cut *c, uint32_t phase)
{
        return !c->decode || phase == IFP_PHASE_DECODE;
}

static struct piece *add(struct cut *c, uint32_t op, const char *shape, double calls,
                         double self_ns)
{
        struct piece *p = GROW(&c->at, &c->n, &c->room);

        if (p)
                *p = (struct piece){.op = op, .shape = shape, .calls = calls, .self_ns = self_ns};
        return p;
}

/* Shapes are sorted by op and text, not by number. */
static const char *text_of(const struct cut *c, uint32_t process, uint32_t number)
{
        for (size_t i = 0; number && i < c->shapes->n; i++)
                if (c->shapes->at[i].process == process && c->shapes->at[i].number == number)
                        return c->shapes->at[i].text;
        return NULL;
}

static int add_layer(const struct runfile_layer *row, void *userdata)
{
        struct cut *c = userdata;
        const struct model_op *op = model_op(&c->w->model, row->process, row->op);
        struct piece *p;

        if (!op)
                return work_dangling(c->w, "layer", "op", row->process, row->op);
        if (!counts(c, row->phase) || !report_is_nested(op))
                return 0;
        p = add(c, op->index, text_of(c, row->process, row->shape), (double)row->calls,
                (double)row->total_ns - (double)row->child_ns);
        if (!p)
                return -ENOMEM;
        p->layer = row->layer;
        p->part = row->part;
        return 0;
}

/* What the pieces so far have of an op, on a shape or (NULL) on any. */
static void told(const struct cut *c, size_t n, uint32_t op, const char *shape, double *ret_calls,
                 double *ret_ns)
{
        *ret_calls = *ret_ns = 0;
        for (size_t i = 0; i < n; i++) {
                const struct piece *p = &c->at[i];

                if (p->op != op || (shape && (!p->shape || strcmp(shape, p->shape) != 0)))
                        continue;
                *ret_calls += p->calls;
                *ret_ns += p->self_ns;
        }
}

/* Of calls that belong to no layer. Shapes that read the same are one. */
static int add_shapes(struct cut *c)
{
        size_t n_layers = c->n;

        for (size_t i = 0, next; i < c->shapes->n; i = next) {
                const struct report_shape *s = &c->shapes->at[i];
                double calls = 0, ns = 0, told_calls, told_ns;

                for (next = i; next < c->shapes->n && c->shapes->at[next].op == s->op &&
                               !strcmp(c->shapes->at[next].text, s->text);
                     next++)
                        for (uint32_t p = 0; p < IFP_N_PHASES; p++) {
                                const struct shape_calls *of = &c->shapes->at[next].phase[p];

                                calls += counts(c, p) ? (double)of->calls : 0;
                                ns += counts(c, p) ? (double)of->total_ns - (double)of->child_ns
                                                   : 0;
                        }
                told(c, n_layers, s->op, s->text, &told_calls, &told_ns);
                if (calls > told_calls && report_is_nested(c->w->model.ops[s->op]) &&
                    !add(c, s->op, s->text, calls - told_calls, ns - told_ns))
                        return -ENOMEM;
        }
        return 0;
}

/* What is known of an op as a whole, less what was told of it in pieces. */
static int add_rest(struct cut *c, const struct model_op *op, size_t n_told)
{
        const struct figures *from = &op->phase[c->decode ? IFP_PHASE_DECODE : 0];
        double calls, ns;
        struct summary s;
        int r = summary_init(&s, from, c->decode ? 1 : IFP_N_PHASES, op->hot);

        if (!r) {
                told(c, n_told, op->index, NULL, &calls, &ns);
                calls = (double)s.calls - calls;
                ns = s.self_known ? (double)s.total_ns - (double)s.child_ns - ns : 0;
                if ((calls > 0 || ns > ROUNDING_NS) && !add(c, op->index, NULL, fmax(calls, 0), ns))
                        r = -ENOMEM;
        }
        summary_done(&s);
        return r;
}

double diff_quickest(const struct points *sorted)
{
        double left = (double)sorted->count * QUICKEST, sum = 0, n = left;

        for (size_t i = 0; i < sorted->n && left > 0; i++) {
                double take = fmin((double)sorted->at[i].count, left);

                sum += take * (double)sorted->at[i].ns;
                left -= take;
        }
        return n > 0 ? sum / n : NAN;
}

/* Of ops that call no others: there, a call is all self. */
static int add_typical(json_t *to, const struct cut *c, const struct model_op *op, double unit)
{
        struct summary s;
        int r = summary_init(&s, &op->phase[c->decode ? IFP_PHASE_DECODE : 0],
                             c->decode ? 1 : IFP_N_PHASES, op->hot);
        double before = json_number_value(json_object_get(to, op->name));

        if (!r && s.sum.points.count && (double)s.child_ns < 0.02 * (double)s.total_ns)
                report_set(
                        to, op->name,
                        json_real(before + diff_quickest(&s.sum.points) * (double)s.calls / unit));
        summary_done(&s);
        return r;
}

static char *key_of(const struct piece *p, const char *op)
{
        char *key;

        return asprintf(&key, "%s\n%s\n%u\n%u", op, p->shape ? p->shape : "", p->layer, p->part) < 0
                       ? NULL
                       : key;
}

/* Pieces become rows; those with the same key are one. */
static int take(struct diff_rows *to, const struct cut *c, double unit)
{
        static const char *const parts[IFP_N_PARTS] = {NULL, "attention", "mlp", "embedding",
                                                       "output"};
        _cleanup_(json_decrefp) json_t *index = json_object();

        for (size_t i = 0; i < c->n; i++) {
                const struct piece *p = &c->at[i];
                const char *op = c->w->model.ops[p->op]->name;
                _cleanup_(freep) char *key = key_of(p, op);
                const json_t *at = key ? json_object_get(index, key) : NULL;
                struct diff_row *row = at ? &to->at[json_integer_value(at)] : NULL;

                if (!row) {
                        row = key ? GROW(&to->at, &to->n, &to->room) : NULL;
                        if (!row)
                                return -ENOMEM;
                        json_object_set_new_nocheck(index, key,
                                                    json_integer((json_int_t)to->n - 1));
                        row->key = steal_ptr(key);
                        row->op = strdup(op);
                        row->shape = p->shape ? strdup(p->shape) : NULL;
                        row->layer = p->layer;
                        row->part = p->part < IFP_N_PARTS ? parts[p->part] : NULL;
                        if (!row->op || !row->shape != !p->shape)
                                return -ENOMEM;
                }
                row->calls += p->calls / unit;
                row->self_ns += p->self_ns / unit;
        }
        return 0;
}

static int load(struct diff_rows *to, struct cut *c, double unit)
{
        size_t n_told;
        int r = runfile_each_layer(c->w->rf, add_layer, c);

        if (!r)
                r = add_shapes(c);
        n_told = c->n;
        for (size_t i = 0; !r && i < c->w->model.n_ops; i++)
                if (report_is_nested(c->w->model.ops[i]))
                        r = add_rest(c, c->w->model.ops[i], n_told);
        to->typical = json_object();
        for (size_t i = 0; !r && i < c->w->model.n_ops; i++)
                if (report_is_nested(c->w->model.ops[i]))
                        r = add_typical(to->typical, c, c->w->model.ops[i], unit);
        if (!r)
                r = take(to, c, unit);
        free(c->at);
        return r;
}

int diff_rows_load(struct diff_run *run, struct work *w, char **ret_why)
{
        struct report_shapes shapes = {0};
        int r = report_shapes_load(&shapes, &w->model, w->rf, ret_why);
        double threads = 0;

        if (!r)
                r = load(&run->rows[DIFF_BY_RUN], &(struct cut){.w = w, .shapes = &shapes}, 1);
        if (!r && w->ledger.tokens)
                r = load(&run->rows[DIFF_BY_TOKEN],
                         &(struct cut){.w = w, .shapes = &shapes, .decode = true},
                         (double)w->ledger.tokens);
        report_shapes_done(&shapes);
        if (r)
                return r;
        for (size_t i = 0; i < w->model.n_threads; i++)
                threads += (double)report_thread_lifetime(&w->model, &w->model.threads[i]);
        run->rows[DIFF_BY_RUN].whole_ns = threads > 0 ? threads : NAN;
        run->rows[DIFF_BY_TOKEN].whole_ns =
                w->ledger.tokens ? (double)w->ledger.all_ns / (double)w->ledger.tokens : NAN;
        run->has_ops = run->rows[DIFF_BY_RUN].n > 0;
        return 0;
}

void diff_rows_done(struct diff_rows *rows)
{
        for (size_t i = 0; i < rows->n; i++) {
                free(rows->at[i].key);
                free(rows->at[i].op);
                free(rows->at[i].shape);
        }
        free(rows->at);
        json_decref(rows->typical);
}
