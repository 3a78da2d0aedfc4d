/* SPDX-License-Identifier: MIT */
/*
 * Ops held against the ceilings of the machine that the run was on (roof.c), and what it would
 * bring if they were met.
 *
 *   roof_gflops  flops / the time that they take at the roof; roof_gbps: bytes / that time
 *   roof_share   the time at the roof / the time that it took
 *   tokens_per_second_at_roof  if this op took no longer than at its roof and all else as long as
 * it did (Amdahl 1967): tokens / (time - what it could save)
 *
 * A sum is of the calls of which a roof is known; it is bound by what binds most of their time.
 */
#include "common/report-roof.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "common/report-private.h"
#include "common/runfile-private.h"

/* ---- passes, waits, tokens --------------------------------------------------------- */

/* How often the model was gone through in each phase: as often as its graph was computed, or else
 * as it was called. */
static void count_passes(const struct model *m, uint64_t ret[IFP_N_PHASES])
{
        static const enum ifp_kind signs[] = {IFP_KIND_GRAPH, IFP_KIND_CALL};

        for (int p = 0; p < IFP_N_PHASES; p++)
                for (size_t k = 0; k < 2 && !ret[p]; k++)
                        for (size_t i = 0; i < m->n_ops; i++) {
                                const struct figures *f = &m->ops[i]->phase[p];
                                uint64_t n = sum_u64(f->timed, f->untimed);

                                if (m->ops[i]->kind == signs[k] && n > ret[p])
                                        ret[p] = n;
                        }
}

/* Where there are no passes: as if each shape was there once between two times of another. */
static void find_pass_bytes(struct report_roof *r, const struct model *m,
                            const struct report_shapes *s)
{
        uint64_t passes[IFP_N_PHASES] = {0};

        count_passes(m, passes);
        for (size_t i = 0; i < s->n; i++) {
                struct work_amount each = report_shape_work(&s->at[i]);

                for (int p = 0; p < IFP_N_PHASES && each.bytes_known && !each.saturated; p++) {
                        double times = (double)s->at[i].phase[p].calls / s->at[i].parts;

                        if (times > 0)
                                r->pass_bytes[p] += (double)each.bytes *
                                                    (passes[p] ? times / (double)passes[p] : 1);
                }
        }
}

struct loader {
        struct report_roof *to;
        const struct model *m;
        const struct report_shapes *shapes;
};

/* Those in the op's own time: not at the barrier behind it. */
static int add_wait(const struct runfile_wait *row, void *userdata)
{
        struct loader *l = userdata;
        const struct model_op *op = model_op(l->m, row->process, row->op);
        uint64_t *at;

        if (!op || row->behind || row->phase >= IFP_N_PHASES)
                return 0;
        at = &l->to->waits_ns[op->index * IFP_N_PHASES + row->phase];
        *at = sum_u64(*at, row->total_ns);
        return 0;
}

/* What a process may use is known of its first thread; others may be bound elsewhere, so roofs are
 * not lowered by it. */
static int look_for_crowd(const struct runfile_kernel *row, void *userdata)
{
        struct loader *l = userdata;
        const struct report_shapes *s = l->shapes;

        for (size_t i = 0; i < s->n; i++)
                if (s->at[i].process == row->process && row->cpus && s->at[i].parts > row->cpus &&
                    s->at[i].parts > l->to->crowd) {
                        l->to->crowd = s->at[i].parts;
                        l->to->crowd_cpus = (uint32_t)row->cpus;
                }
        return 0;
}

static void find_tokens(struct report_roof *r, const struct model *m)
{
        for (size_t i = 0; i < m->n_processes; i++)
                r->tokens = sum_u64(r->tokens, m->processes[i].generated_tokens);
        for (size_t i = 0; i < m->n_ops; i++) {
                const struct figures *f = &m->ops[i]->phase[IFP_PHASE_DECODE];

                if (m->ops[i]->kind == IFP_KIND_TOKEN && f->total_ns > f->child_ns)
                        r->token_ns = sum_u64(r->token_ns, f->total_ns - f->child_ns);
        }
}

int report_roof_load(struct report_roof *ret, const struct model *m, const struct report_shapes *s,
                     struct runfile *rf, char **ret_why)
{
        struct loader l = {.to = ret, .m = m, .shapes = s};
        int r;

        *ret = (struct report_roof){.n_ops = m->n_ops};
        ret->waits_ns = calloc(m->n_ops + 1, IFP_N_PHASES * sizeof(*ret->waits_ns));
        if (!ret->waits_ns)
                return -ENOMEM;
        r = report_roof_machine(ret, rf, ret_why);
        if (r)
                return r;
        r = runfile_each_wait(rf, add_wait, &l);
        if (!r)
                r = runfile_each_kernel(rf, look_for_crowd, &l);
        if (r)
                return runfile_explain(ret_why, r, "%s", runfile_why(rf));
        find_pass_bytes(ret, m, s);
        find_tokens(ret, m);
        return 0;
}

void report_roof_done(struct report_roof *r)
{
        json_decref(r->machine);
        free(r->why);
        free(r->waits_ns);
        *r = (struct report_roof){0};
}

/* ---- what it amounts to ------------------------------------------------------------- */

/* Most of the op's time in that phase, and of this shape's no less lies in ops called from it. */
static bool waits(const struct report_roof *r, const struct report_shape *s, int phase,
                  uint64_t op_total_ns)
{
        const struct shape_calls *c = &s->phase[phase];
        uint64_t waited = r->waits_ns[s->op * IFP_N_PHASES + (size_t)phase];

        return op_total_ns && (double)waited >= ROOF_WAITS_SHARE * (double)op_total_ns &&
               (double)c->child_ns >= ROOF_WAITS_SHARE * (double)c->total_ns;
}

/* A library may have threads of its own. How many took part in a call is not seen; where it was
 * faster than those that called it can be, as few as can. */
static bool more_threads(const struct report_roof *r, struct roof_work *work, struct roof *ret)
{
        const struct ceiling *c = ceilings_compute(&r->ceilings, ret->type);

        for (uint32_t i = 0; i < c->n && ret->over; i++)
                if (c->at[i].threads > work->threads) {
                        work->threads = (uint32_t)c->at[i].threads;
                        if (!roof_of(ret, &r->ceilings, work))
                                return false;
                }
        return true;
}

bool report_roof_judge(const struct report_roof *r, const struct report_shape *s, int phase,
                       const struct work_amount *each, struct roof *ret)
{
        const struct shape_calls *c = &s->phase[phase];
        struct roof_work work = {.shape = &s->is,
                                 .amount = *each,
                                 .threads = s->parts,
                                 .pass_bytes = r->pass_bytes[phase]};

        if (!r->ceilings.measured || !c->calls)
                return false;
        work.wall_ns = (double)c->total_ns / (double)c->calls;
        work.waits = s->op < r->n_ops && waits(r, s, phase, s->op_total_ns[phase]);
        return roof_of(ret, &r->ceilings, &work) &&
               (s->op_kind != IFP_KIND_KERNEL || more_threads(r, &work, ret));
}

void report_roof_add(struct roof_sum *to, const struct report_roof *r, const struct report_shape *s,
                     int phase, const struct work_amount *each)
{
        double times = (double)s->phase[phase].calls / s->parts;
        double wall = (double)s->phase[phase].total_ns / s->parts, least;
        struct roof roof;

        to->of = r;
        if (!report_roof_judge(r, s, phase, each, &roof))
                return;
        least = roof.least_ns * times;
        to->wall_ns += wall;
        to->least_ns += least;
        to->flops += (double)each->flops * times;
        to->bytes += (double)each->bytes * times;
        to->bound_ns[roof.bound] += wall;
        if (phase == IFP_PHASE_DECODE) {
                to->decode_wall_ns += wall;
                to->can_save_ns += fmax(0, wall - least);
        }
}

static const char *bound_of(const struct roof_sum *s)
{
        int most = 0;

        for (int b = 1; b < ROOF_N_BOUNDS; b++)
                if (s->bound_ns[b] > s->bound_ns[most])
                        most = b;
        return s->bound_ns[most] > 0 ? roof_bounds[most] : NULL;
}

static double tokens_per_second(const struct roof_sum *s)
{
        double left = s->of ? (double)s->of->token_ns - s->can_save_ns : 0;

        return s->decode_wall_ns > 0 && s->of->tokens && left > 0
                       ? (double)s->of->tokens * 1e9 / left
                       : NAN;
}

void report_roof_put(json_t *o, const struct roof_sum *s)
{
        double least = s->least_ns > 0 ? s->least_ns : NAN;

        report_set(o, "bound", report_text(bound_of(s)));
        report_set(o, "roof_gflops", report_fraction(s->flops / least));
        report_set(o, "roof_gbps", report_fraction(s->bytes / least));
        report_set(o, "roof_share", report_fraction(least / s->wall_ns));
        report_set(o, "tokens_per_second_at_roof", report_fraction(tokens_per_second(s)));
        if (s->least_ns > s->wall_ns)
                report_set(o, "over_roof", json_true());
}
