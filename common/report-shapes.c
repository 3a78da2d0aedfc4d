/* SPDX-License-Identifier: MIT */
/*
 * What ops were done on, and what work that was.
 *
 *   flops, bytes  of a call: by formula from its shape (flops.c). Where several threads do one op
 *                 together each has a call of its own, and its part of the work
 *   gflops        flops / time, gbps bytes / time, where time is the threads' time divided by how
 *                 many did it together: as if each took part from beginning to end
 *   intensity     flops / bytes
 *
 * What has no formula, or no shape, is not known: sums are of the calls that are, and say of how
 * many.
 */
#include "common/report-shapes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/flops.h"
#include "common/report-private.h"
#include "common/runfile-private.h"

/* ---- loading ------------------------------------------------------------------- */

struct loader {
        struct report_shapes *to;
        const struct model *m;
        const struct runfile *rf;
        char **why;
};

static int load_shape(const struct runfile_shape *row, void *userdata)
{
        struct loader *l = userdata;
        const struct model_op *op = model_op(l->m, row->process, row->op);
        struct report_shape *s;

        if (!op)
                return model_dangling(l->rf, "shape", "op", row->process, row->op, l->why);
        s = GROW(&l->to->at, &l->to->n, &l->to->room);
        if (!s)
                return -ENOMEM;
        s->process = row->process;
        s->number = row->shape;
        s->op = op->index;
        s->parts = row->parts ? row->parts : 1;
        for (int p = 0; p < IFP_N_PHASES; p++)
                s->op_total_ns[p] = op->phase[p].total_ns;
        snprintf(s->is.op, sizeof(s->is.op), "%s", op->name);
        return 0;
}

static int compare_key(const void *a, const void *b)
{
        const struct report_shape *p = a, *q = b;

        if (p->process != q->process)
                return p->process < q->process ? -1 : 1;
        return p->number < q->number ? -1 : p->number > q->number;
}

static struct report_shape *find(struct report_shapes *s, uint32_t process, uint32_t number)
{
        struct report_shape *key = &(struct report_shape){.process = process, .number = number};

        return s->n ? bsearch(key, s->at, s->n, sizeof(*key), compare_key) : NULL;
}

static int load_operand(const struct runfile_operand *row, void *userdata)
{
        struct loader *l = userdata;
        struct report_shape *s = find(l->to, row->process, row->shape);
        struct shape_operand *o;

        if (!s || row->position >= SHAPE_MAX)
                return model_dangling(l->rf, "operand", "shape", row->process, row->shape, l->why);
        o = &s->is.at[row->position];
        if (row->position >= s->is.n)
                s->is.n = row->position + 1;
        snprintf(o->type, sizeof(o->type), "%s", row->type ? row->type : "");
        o->block = row->block;
        o->block_bytes = row->block_bytes;
        o->ne[0] = row->ne0;
        o->ne[1] = row->ne1;
        o->ne[2] = row->ne2;
        o->ne[3] = row->ne3;
        return 0;
}

static int load_phase(const struct runfile_shape_phase *row, void *userdata)
{
        struct loader *l = userdata;
        struct report_shape *s = find(l->to, row->process, row->shape);

        if (!s)
                return model_dangling(l->rf, "shape_phase", "shape", row->process, row->shape,
                                      l->why);
        s->phase[row->phase] = (struct shape_calls){row->calls, row->total_ns, row->child_ns};
        return 0;
}

static int compare_text(const void *a, const void *b)
{
        const struct report_shape *p = a, *q = b;

        if (p->op != q->op)
                return p->op < q->op ? -1 : 1;
        return strcmp(p->text, q->text);
}

int report_shapes_load(struct report_shapes *ret, const struct model *m, struct runfile *rf,
                       char **ret_why)
{
        char *why = NULL;
        struct loader l = {.to = ret, .m = m, .rf = rf, .why = &why};
        int r;

        *ret = (struct report_shapes){0};
        r = runfile_each_shape(rf, load_shape, &l); /* in the order of keys */
        if (!r)
                r = runfile_each_operand(rf, load_operand, &l);
        if (!r)
                r = runfile_each_shape_phase(rf, load_phase, &l);
        if (r)
                runfile_explain(ret_why, r, "%s", why ? why : runfile_why(rf));
        free(why);
        for (size_t i = 0; !r && i < ret->n; i++)
                shape_text(ret->at[i].text, sizeof(ret->at[i].text), &ret->at[i].is);
        if (!r && ret->n)
                qsort(ret->at, ret->n, sizeof(*ret->at), compare_text);
        return r;
}

void report_shapes_done(struct report_shapes *s)
{
        free(s->at);
        *s = (struct report_shapes){0};
}

/* ---- what it amounts to ---------------------------------------------------------- */

static uint64_t times_over(uint64_t v, uint64_t by, uint64_t over, bool *saturated)
{
        unsigned __int128 p = ((unsigned __int128)v * by + over / 2) / over;

        *saturated |= p > INT64_MAX;
        return p > INT64_MAX ? INT64_MAX : (uint64_t)p;
}

void report_work_add(struct work_sum *to, const struct report_shapes *shapes,
                     const struct report_shape *s, int phase, const struct work_amount *each)
{
        const struct shape_calls *c = &s->phase[phase];
        double wall = (double)c->total_ns / s->parts;

        to->calls = sum_u64(to->calls, c->calls);
        to->total_ns = sum_u64(to->total_ns, c->total_ns);
        to->child_ns = sum_u64(to->child_ns, c->child_ns);
        to->wall_ns += wall;
        to->saturated |= each->saturated;
        if (each->flops_known) {
                to->flops = sum_u64(to->flops,
                                    times_over(each->flops, c->calls, s->parts, &to->saturated));
                to->flops_calls = sum_u64(to->flops_calls, c->calls);
                to->flops_wall_ns += wall;
        }
        if (each->bytes_known) {
                to->bytes = sum_u64(to->bytes,
                                    times_over(each->bytes, c->calls, s->parts, &to->saturated));
                to->bytes_calls = sum_u64(to->bytes_calls, c->calls);
                to->bytes_wall_ns += wall;
                to->at_most |= each->bytes_at_most;
        }
        to->saturated |= to->flops == INT64_MAX || to->bytes == INT64_MAX;
        if (shapes->roof)
                report_roof_add(&to->roof, shapes->roof, s, phase, each);
}

void report_work_put(json_t *o, const struct work_sum *w)
{
        bool both = w->flops_calls && w->flops_calls == w->bytes_calls;

        report_set(o, "flops", report_integer_or_null(w->flops_calls, w->flops));
        report_set(o, "bytes", report_integer_or_null(w->bytes_calls, w->bytes));
        report_set(o, "gflops",
                   report_fraction(w->flops_calls && w->flops_wall_ns > 0 && !w->saturated
                                           ? (double)w->flops / w->flops_wall_ns
                                           : NAN));
        report_set(o, "gbps",
                   report_fraction(w->bytes_calls && w->bytes_wall_ns > 0 && !w->saturated
                                           ? (double)w->bytes / w->bytes_wall_ns
                                           : NAN));
        report_set(o, "intensity",
                   report_fraction(both && w->bytes && !w->saturated
                                           ? (double)w->flops / (double)w->bytes
                                           : NAN));
        if (w->saturated)
                report_set(o, "saturated", json_true());
        if (w->at_most)
                report_set(o, "bytes_at_most", json_true());
        report_roof_put(o, &w->roof);
}

static json_t *build_shape(const char *text, const struct work_sum *all,
                           const struct work_sum *phases)
{
        json_t *o = json_object(), *by_phase = json_object();

        report_set(o, "shape", json_string(text));
        report_set(o, "calls", report_integer(all->calls));
        report_set(o, "total_ns", report_integer(all->total_ns));
        report_set(o, "self_ns",
                   report_integer_or_null(all->child_ns <= all->total_ns,
                                          all->total_ns - all->child_ns));
        report_work_put(o, all);
        for (int p = 0; p < IFP_N_PHASES; p++) {
                json_t *phase;

                if (!phases[p].calls)
                        continue;
                phase = json_object();
                report_set(phase, "calls", report_integer(phases[p].calls));
                report_set(phase, "total_ns", report_integer(phases[p].total_ns));
                report_work_put(phase, &phases[p]);
                report_set(by_phase, report_phase_names[p], phase);
        }
        report_set(o, "phases", by_phase);
        return o;
}

static int compare_total(const void *a, const void *b)
{
        int64_t x = report_get_integer(*(json_t *const *)a, "total_ns");
        int64_t y = report_get_integer(*(json_t *const *)b, "total_ns");

        return x > y ? -1 : x < y;
}

int report_shapes_put(json_t *o, const struct report_shapes *s, const struct model_op *op)
{
        _cleanup_(freep) json_t **items = calloc(s->n + 1, sizeof(*items));
        struct work_sum whole = {0};
        size_t n = 0, next;

        if (!items)
                return -ENOMEM;
        for (size_t i = 0; i < s->n; i = next) {
                struct work_sum all = {0}, phases[IFP_N_PHASES] = {0};

                next = i + 1;
                if (s->at[i].op != op->index)
                        continue;
                for (next = i; next < s->n && !compare_text(&s->at[i], &s->at[next]); next++) {
                        struct work_amount each = flops_of(&s->at[next].is);

                        for (int p = 0; p < IFP_N_PHASES; p++) {
                                report_work_add(&phases[p], s, &s->at[next], p, &each);
                                report_work_add(&all, s, &s->at[next], p, &each);
                                report_work_add(&whole, s, &s->at[next], p, &each);
                        }
                }
                if (all.calls)
                        items[n++] = build_shape(s->at[i].text, &all, phases);
        }
        report_work_put(o, &whole);
        report_set(o, "shaped_calls", report_integer(whole.calls));
        report_set(o, "shapes", report_sorted(items, n, compare_total));
        return 0;
}
