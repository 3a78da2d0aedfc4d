/* SPDX-License-Identifier: MIT */
/* Shapes in the run file: what each is, once, and its calls and times. */
#include "daemon/flush-private.h"

static bool is_new(const struct shape *s)
{
        for (uint32_t k = 0; k < IFP_N_PHASES; k++)
                if (s->written[k])
                        return false;
        return true;
}

static bool has_moved(const struct process *p, const struct shape *s, uint32_t phase)
{
        uint64_t calls = s->phase[phase].calls;

        return s->known && calls && (calls + 1 != s->written[phase] || p->write_all);
}

/* All of one that is not there is 0. */
static bool is_there(const struct ifp_operand *o)
{
        uint64_t any = o->type;

        for (int i = 0; i < 4; i++)
                any |= o->ne[i] | o->nb[i];
        return any;
}

static int put_operands(struct run *run, const struct process *p, uint32_t i)
{
        const struct ifp_shape *s = &p->shapes.list[i].is;
        int r = 0;

        for (uint32_t k = 0; !r && k < s->n_operands; k++) {
                const struct ifp_operand *o = &s->at[k];
                const struct ifp_type *t = &p->shapes.type[o->type];
                struct runfile_operand operand = {
                        .process = p->index,
                        .shape = i,
                        .position = k,
                        .type = p->shapes.types[o->type],
                        .block = o->type ? t->block : 0,
                        .block_bytes = o->type ? t->block_bytes : 0,
                        .ne0 = flush_sane(o->ne[0]),
                        .ne1 = flush_sane(o->ne[1]),
                        .ne2 = flush_sane(o->ne[2]),
                        .ne3 = flush_sane(o->ne[3]),
                        .nb0 = flush_sane(o->nb[0]),
                        .nb1 = flush_sane(o->nb[1]),
                        .nb2 = flush_sane(o->nb[2]),
                        .nb3 = flush_sane(o->nb[3]),
                        .align = o->align ? 1u << (o->align - 1) : 0,
                };

                if (is_there(o))
                        r = runfile_put_operand(run->file, &operand);
        }
        return r;
}

static int put_shape(struct run *run, const struct process *p, uint32_t i)
{
        const struct ifp_shape *s = &p->shapes.list[i].is;
        struct runfile_shape row = {.process = p->index,
                                    .shape = i,
                                    .op = s->op,
                                    .parts = s->parts,
                                    .formula = p->shapes.list[i].formula};
        int r = runfile_put_shape(run->file, &row);

        for (uint32_t k = 0; !r && k < s->n_params; k++) {
                struct runfile_shape_param param = {
                        .process = p->index, .shape = i, .position = k, .value = s->params[k]};

                r = runfile_put_shape_param(run->file, &param);
        }
        return r ? r : put_operands(run, p, i);
}

static int put_phase(struct run *run, const struct process *p, uint32_t i, uint32_t phase)
{
        const struct shape_sums *s = &p->shapes.list[i].phase[phase];
        struct runfile_shape_phase row = {
                .process = p->index,
                .shape = i,
                .phase = phase,
                .calls = flush_sane(s->calls),
                .total_ns = clock_ns(&p->clock, s->total),
                .child_ns = clock_ns(&p->clock, s->child),
        };

        return runfile_put_shape_phase(run->file, &row);
}

int flush_shapes(struct run *run, const struct process *p)
{
        int r = 0;

        for (uint32_t i = 1; !r && i < p->shapes.n; i++) {
                const struct shape *s = &p->shapes.list[i];
                bool put = false;

                for (uint32_t k = 0; !r && k < IFP_N_PHASES; k++) {
                        if (!has_moved(p, s, k))
                                continue;
                        if (!put && (is_new(s) || p->write_all))
                                r = put_shape(run, p, i);
                        put = true;
                        if (!r)
                                r = put_phase(run, p, i, k);
                }
        }
        return r;
}

void flush_shapes_written(struct process *p)
{
        for (uint32_t i = 1; i < p->shapes.n; i++)
                for (uint32_t k = 0; k < IFP_N_PHASES; k++)
                        if (p->shapes.list[i].known && p->shapes.list[i].phase[k].calls)
                                p->shapes.list[i].written[k] = p->shapes.list[i].phase[k].calls + 1;
}
