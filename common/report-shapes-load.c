/* SPDX-License-Identifier: MIT */
/*
 * Shapes of a run file, with what users declared of their ops: each declaration is read once. One
 * that cannot be read says nothing of its ops, and why is kept.
 */
#include "common/report-shapes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/report-private.h"
#include "common/runfile-private.h"

struct loader {
        struct report_shapes *to;
        const struct model *m;
        const struct runfile *rf;
        char **why;
};

/* The declaration of that text, read once. */
static int formula_of(struct report_shapes *s, const char *text, const struct report_formula **ret)
{
        struct report_formula *f, **place;
        int r;

        for (size_t i = 0; i < s->n_formulas; i++)
                if (!strcmp(s->formulas[i]->text, text)) {
                        *ret = s->formulas[i];
                        return 0;
                }
        place = GROW(&s->formulas, &s->n_formulas, &s->formulas_room);
        f = place ? calloc(1, sizeof(*f)) : NULL;
        if (place)
                *place = f;
        if (!f || !(f->text = strdup(text)))
                return -ENOMEM;
        r = op_declaration_parse(&f->is, text, &f->why);
        *ret = f;
        return r < 0 ? r : 0;
}

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
        s->op_kind = op->kind;
        for (int p = 0; p < IFP_N_PHASES; p++)
                s->op_total_ns[p] = op->phase[p].total_ns;
        if (row->formula && strchr(row->formula, ':'))
                return formula_of(l->to, row->formula, &s->formula);
        snprintf(s->is.op, sizeof(s->is.op), "%s", row->formula ? row->formula : op->name);
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

/* Does each element follow the one before, with nothing in between? */
static bool is_contiguous(const struct runfile_operand *o)
{
        const uint64_t ne[4] = {o->ne0, o->ne1, o->ne2, o->ne3};
        const uint64_t nb[4] = {o->nb0, o->nb1, o->nb2, o->nb3};
        unsigned __int128 next = o->block_bytes;

        for (int i = 0; i < 4; i++) {
                if (ne[i] > (i ? 1 : o->block) && nb[i] != next)
                        return false;
                next *= i ? ne[i] : ne[i] / o->block;
                if (next > INT64_MAX)
                        return false;
        }
        return true;
}

static struct report_memory memory_of(const struct runfile_operand *o)
{
        struct report_memory m = {
                MEMORY_UNKNOWN, o->align, {o->nb0, o->nb1, o->nb2, o->nb3}, false};

        if (o->block && o->block_bytes)
                m.is = is_contiguous(o) ? MEMORY_CONTIGUOUS : MEMORY_SCATTERED;
        return m;
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
        s->memory[row->position] = memory_of(row);
        return 0;
}

static int load_param(const struct runfile_shape_param *row, void *userdata)
{
        struct loader *l = userdata;
        struct report_shape *s = find(l->to, row->process, row->shape);

        if (!s || row->position >= SHAPE_PARAMS)
                return model_dangling(l->rf, "shape_param", "shape", row->process, row->shape,
                                      l->why);
        s->is.params[row->position] = row->value;
        if (row->position >= s->is.n_params)
                s->is.n_params = row->position + 1;
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

int report_shapes_compare(const void *a, const void *b)
{
        const struct report_shape *p = a, *q = b;

        if (p->op != q->op)
                return p->op < q->op ? -1 : 1;
        return strcmp(p->text, q->text);
}

/* "m=288 n=768": what it was called with, by the names that the user gave. */
static void declared_text(char *buf, size_t size, const struct report_shape *s)
{
        const struct op_declaration *d = s->formula->is;
        uint32_t k = 0;
        size_t n = 0;

        buf[0] = '\0';
        for (size_t i = 0; d && i < d->n_args && k < s->is.n_params && n < size; i++)
                if (d->args[i].name[0])
                        n += (size_t)snprintf(buf + n, size - n, "%s%s=%" PRId64, n ? " " : "",
                                              d->args[i].name, s->is.params[k++]);
        if (!n)
                snprintf(buf, size, "()");
}

static void set_text(struct report_shape *s)
{
        if (s->formula)
                declared_text(s->text, sizeof(s->text), s);
        else
                shape_text(s->text, sizeof(s->text), &s->is);
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
                r = runfile_each_shape_param(rf, load_param, &l);
        if (!r)
                r = runfile_each_shape_phase(rf, load_phase, &l);
        if (r)
                runfile_explain(ret_why, r, "%s", why ? why : runfile_why(rf));
        free(why);
        for (size_t i = 0; !r && i < ret->n; i++)
                set_text(&ret->at[i]);
        if (!r && ret->n)
                qsort(ret->at, ret->n, sizeof(*ret->at), report_shapes_compare);
        return r;
}

void report_shapes_done(struct report_shapes *s)
{
        for (size_t i = 0; i < s->n_formulas; i++)
                if (s->formulas[i]) {
                        free(s->formulas[i]->text);
                        free(s->formulas[i]->why);
                        op_declaration_free(s->formulas[i]->is);
                        free(s->formulas[i]);
                }
        free(s->formulas);
        free(s->at);
        *s = (struct report_shapes){0};
}
