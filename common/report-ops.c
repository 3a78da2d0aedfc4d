/* SPDX-License-Identifier: MIT */
/*
 * `ops` of the document: each op with its figures, all together and by phase.
 */
#include "common/report-private.h"

#include <errno.h>
#include <stdlib.h>

#include "common/cleanup.h"

static bool has_alloc(const struct runfile_alloc *a)
{
        return a->calls || a->frees || a->failed;
}

static int build_figures(const struct report *r, json_t *o, const struct figures *parts, size_t n,
                         bool hot, uint64_t threads)
{
        struct summary s;
        int e = summary_init(&s, parts, n, hot);

        if (!e) {
                report_put_times(o, r, &s);
                report_put_distribution(o, &s);
                report_set(o, "left", report_integer(s.sum.left));
                report_set(o, "folded", report_integer(s.sum.folded));
                report_set(o, "threads", report_integer(threads));
                report_put_alloc(o, &s.sum.alloc);
        }
        summary_done(&s);
        return e;
}

/* NULL in *ret: an op that did nothing */
static int build_op(const struct report *r, const struct model_op *op, json_t **ret)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        json_t *phases;
        int e;

        for (int p = 0; p < IFP_N_PHASES; p++) {
                const struct figures *f = &op->phase[p];
                json_t *figures;

                if (!f->timed && !f->untimed && !f->left && !has_alloc(&f->alloc))
                        continue;
                if (!o) {
                        o = json_object();
                        report_put_name(o, op);
                        report_set(o, "phases", json_object());
                }
                phases = json_object_get(o, "phases");
                figures = json_object();
                report_set(phases, report_phase_names[p], figures);
                e = build_figures(r, figures, f, 1, op->hot, f->threads);
                if (e)
                        return e;
        }
        if (o) {
                e = build_figures(r, o, op->phase, IFP_N_PHASES, op->hot, op->threads);
                if (!e)
                        e = report_shapes_put(o, &r->shapes, op);
                if (e)
                        return e;
                /* last, for who reads it */
                phases = json_incref(json_object_get(o, "phases"));
                json_object_del(o, "phases");
                report_set(o, "phases", phases);
        }
        *ret = steal_ptr(o);
        return 0;
}

int report_build_ops(const struct report *r, json_t **ret)
{
        const struct model *m = &r->model;
        _cleanup_(freep) json_t **items = calloc(m->n_ops + 1, sizeof(*items));
        size_t n = 0;
        int e = items ? 0 : -ENOMEM;

        for (size_t i = 0; i < m->n_ops && !e; i++) {
                if (!report_is_nested(m->ops[i]))
                        continue;
                e = build_op(r, m->ops[i], &items[n]);
                n += !e && items[n];
        }
        if (!e)
                *ret = report_sorted(items, n, report_compare_ops);
        else
                for (size_t i = 0; i < n; i++)
                        json_decref(items[i]);
        return e;
}
