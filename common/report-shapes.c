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
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/flops.h"
#include "common/report-private.h"

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

struct work_amount report_shape_work(const struct report_shape *s)
{
        if (!s->formula)
                return flops_of(&s->is);
        if (!s->formula->is)
                return (struct work_amount){0};
        return op_declaration_work(s->formula->is, s->is.params, s->is.n_params);
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

/* Of several that read the same: what is said holds for each. */
static struct report_memory both(struct report_memory a, struct report_memory b)
{
        if (b.is == MEMORY_SCATTERED || (b.is == MEMORY_UNKNOWN && a.is == MEMORY_CONTIGUOUS))
                a.is = b.is;
        if (b.align < a.align)
                a.align = b.align;
        a.differ |= b.differ || memcmp(a.strides, b.strides, sizeof(a.strides)) != 0;
        return a;
}

static json_t *build_integers(const uint64_t *v, size_t n)
{
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
                json_array_append_new(list, report_integer(v[i]));
        return list;
}

/* null: rows [s, end) differ in them */
static json_t *build_params(const struct report_shape *s, const struct report_shape *end)
{
        json_t *list;

        for (const struct report_shape *more = s + 1; more < end; more++)
                if (more->is.n_params != s->is.n_params ||
                    memcmp(more->is.params, s->is.params, sizeof(s->is.params)) != 0)
                        return json_null();
        list = json_array();
        for (uint32_t i = 0; i < s->is.n_params && i < SHAPE_PARAMS; i++)
                json_array_append_new(list, json_integer(s->is.params[i]));
        return list;
}

/* Those that are there, of the rows [s, end). */
static json_t *build_operands(const struct report_shape *s, const struct report_shape *end)
{
        json_t *list = json_array();

        for (uint32_t i = 0; i < s->is.n; i++) {
                const struct shape_operand *o = shape_at(&s->is, i);
                struct report_memory m = s->memory[i];
                json_t *item;

                if (!o)
                        continue;
                for (const struct report_shape *more = s + 1; more < end; more++)
                        m = both(m, more->memory[i]);
                item = json_object();
                report_set(item, "role", json_string(i ? "source" : "result"));
                report_set(item, "type", report_text(o->type[0] ? o->type : NULL));
                report_set(item, "extents", build_integers(o->ne, 4));
                report_set(item, "strides", m.differ ? json_null() : build_integers(m.strides, 4));
                report_set(item, "contiguous",
                           m.is == MEMORY_UNKNOWN ? json_null()
                                                  : json_boolean(m.is == MEMORY_CONTIGUOUS));
                report_set(item, "alignment", report_integer_or_null(m.align, m.align));
                json_array_append_new(list, item);
        }
        return list;
}

static json_t *build_shape(const struct report_shape *s, const struct report_shape *end,
                           const struct work_sum *all, const struct work_sum *phases)
{
        json_t *o = json_object(), *by_phase = json_object();

        report_set(o, "shape", json_string(s->text));
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
        report_set(o, "operands", build_operands(s, end));
        report_set(o, "params", build_params(s, end));
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
                for (next = i; next < s->n && !report_shapes_compare(&s->at[i], &s->at[next]);
                     next++) {
                        struct work_amount each = report_shape_work(&s->at[next]);

                        for (int p = 0; p < IFP_N_PHASES; p++) {
                                report_work_add(&phases[p], s, &s->at[next], p, &each);
                                report_work_add(&all, s, &s->at[next], p, &each);
                                report_work_add(&whole, s, &s->at[next], p, &each);
                        }
                }
                if (all.calls)
                        items[n++] = build_shape(&s->at[i], &s->at[next], &all, phases);
        }
        report_work_put(o, &whole);
        report_set(o, "shaped_calls", report_integer(whole.calls));
        report_set(o, "shapes", report_sorted(items, n, compare_total));
        return 0;
}

/* A call of what was declared, of which neither expression has a value; NULL: there is none. */
static const struct report_shape *without_value(const struct report_shapes *s,
                                                const struct report_formula *f)
{
        for (size_t i = 0; i < s->n; i++) {
                struct work_amount each;

                if (s->at[i].formula != f)
                        continue;
                each = report_shape_work(&s->at[i]);
                if (!each.flops_known && !each.bytes_known)
                        return &s->at[i];
        }
        return NULL;
}

void report_shapes_notes(json_t *notes, const struct report_shapes *s, const json_t *ops)
{
        const json_t *op;
        size_t i;

        for (i = 0; i < s->n_formulas; i++) {
                const struct report_shape *at =
                        s->formulas[i]->is ? without_value(s, s->formulas[i]) : NULL;

                if (at)
                        report_note(notes,
                                    "what was declared has no value for a call with %s (a division "
                                    "by zero, or less than nothing): %s",
                                    at->text, s->formulas[i]->text);
        }

        for (i = 0; i < s->n_formulas; i++)
                if (!s->formulas[i]->is)
                        report_note(notes,
                                    "what was declared of an op cannot be read, so its FLOPs and "
                                    "bytes are not known: %s (%s)",
                                    s->formulas[i]->text, s->formulas[i]->why);
        json_array_foreach(ops, i, op) if (json_is_true(json_object_get(op, "saturated")))
                report_note(notes,
                            "FLOPs or bytes of %s are more than can be told: where they "
                            "are, %" PRId64 " stands for them",
                            json_string_value(json_object_get(op, "name")), INT64_MAX);
}
