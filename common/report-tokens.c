/* SPDX-License-Identifier: MIT */
/*
 * The document infprof.tokens/1: prefill against decode.
 *
 *   prefill  per_second: tokens taken in / time in the calls that took them in, what two threads
 *            have in common once
 *   decode   per_second: as in infprof.report/1; a token's time is from the end of the call before
 *            to the end of its own, so what the engine does between two calls is in it
 *   ops      shares of all self time of ops in that phase, over all threads
 */
#include "common/report-tokens.h"

#include <errno.h>
#include <math.h>

#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/report-private.h"
#include "common/report-roofline.h"
#include "common/report-tokens-private.h"

#define MAX_OPS 64 /* of a phase */

/* ---- spans of tokens, and times to the first ---- */

static int add_kind(const struct model *m, enum ifp_kind kind, int phase, struct spread *to,
                    uint64_t *ret_child_ns)
{
        int r = 0;

        spread_init(to);
        for (size_t i = 0; !r && i < m->n_ops; i++)
                for (int p = 0; !r && p < IFP_N_PHASES; p++) {
                        const struct figures *f = &m->ops[i]->phase[p];

                        if (m->ops[i]->kind != kind || (phase >= 0 && p != phase))
                                continue;
                        to->count = sum_u64(to->count, f->timed);
                        to->total_ns = sum_u64(to->total_ns, f->total_ns);
                        *ret_child_ns = sum_u64(*ret_child_ns, f->child_ns);
                        to->min_ns = f->min_ns < to->min_ns ? f->min_ns : to->min_ns;
                        to->max_ns = f->max_ns > to->max_ns ? f->max_ns : to->max_ns;
                        r = points_add(&to->points, &f->points);
                }
        spread_settle(to);
        return r;
}

static double per_second(uint64_t n, uint64_t ns)
{
        return n && ns ? (double)n * 1e9 / (double)ns : NAN;
}

static json_t *build_spread(const struct spread *s)
{
        return s->count ? spread_build(s) : json_null();
}

/* ---- ops ---- */

static int compare_self(const void *a, const void *b)
{
        const json_t *p = *(json_t *const *)a, *q = *(json_t *const *)b;
        int64_t x = report_get_integer(p, "self_ns"), y = report_get_integer(q, "self_ns");

        return x != y ? (x > y ? -1 : 1)
                      : strcmp(json_string_value(json_object_get(p, "name")),
                               json_string_value(json_object_get(q, "name")));
}

static int build_op(const struct model_op *op, uint32_t phase, json_t **ret, double *sum)
{
        struct summary s = {0};
        json_t *o = NULL;
        int r = summary_init(&s, &op->phase[phase], 1, op->hot);

        if (!r && s.calls) {
                uint64_t self = s.total_ns > s.child_ns ? s.total_ns - s.child_ns : 0;
                bool known = s.times_known && s.self_known;

                o = json_object();
                report_put_name(o, op);
                report_set(o, "calls", report_integer(s.calls));
                report_set(o, "estimated", json_boolean(s.estimated));
                report_set(o, "self_ns", report_integer_or_null(known, self));
                *sum += known ? (double)self : 0;
        }
        summary_done(&s);
        *ret = o;
        return r;
}

static int build_ops(const struct model *m, uint32_t phase, json_t **ret)
{
        _cleanup_(freep) json_t **items = calloc(m->n_ops + 1, sizeof(*items));
        double sum = 0;
        size_t n = 0;
        int r = items ? 0 : -ENOMEM;

        for (size_t i = 0; !r && i < m->n_ops; i++) {
                if (!report_is_nested(m->ops[i]))
                        continue;
                r = build_op(m->ops[i], phase, &items[n], &sum);
                n += items[n] != NULL;
        }
        for (size_t i = 0; i < n; i++) {
                int64_t self = report_get_integer(items[i], "self_ns");

                report_set(items[i], "share",
                           report_fraction(self >= 0 && sum > 0 ? (double)self / sum : NAN));
        }
        *ret = items ? report_sorted(items, n, compare_self) : NULL;
        while (json_array_size(*ret) > MAX_OPS)
                json_array_remove(*ret, json_array_size(*ret) - 1);
        return r;
}

/* ---- the phases ---- */

static int build_prefill(const struct tokens *t, const json_t *roofline, json_t **ret)
{
        _cleanup_(json_decrefp) json_t *o = json_object(), *ops = NULL;
        uint64_t calls = 0, tokens = 0, ns = 0, unused = 0;
        bool known = true;
        struct spread first;
        int r = add_kind(&t->w->model, IFP_KIND_TTFT, -1, &first, &unused);

        for (size_t i = 0; i < t->w->model.n_processes; i++) {
                const struct tokens_process *p = &t->processes[i];

                calls = sum_u64(calls, p->row.prefills);
                tokens = sum_u64(tokens, p->row.prompt_tokens);
                ns = sum_u64(ns, p->row.prefill_ns);
                known &= !p->row.no_prompt;
        }
        if (!r)
                r = build_ops(&t->w->model, IFP_PHASE_PREFILL, &ops);
        report_set(o, "calls", report_integer(calls));
        report_set(o, "tokens", report_integer_or_null(known && calls, tokens));
        report_set(o, "time_ns", report_integer_or_null(calls, ns));
        report_set(o, "per_second", report_fraction(known ? per_second(tokens, ns) : NAN));
        report_set(o, "first_token", r ? json_null() : build_spread(&first));
        report_set(o, "bound", tokens_build_bound(roofline, "prefill"));
        report_set(o, "ops", json_incref(ops));
        spread_done(&first);
        if (!r)
                *ret = steal_ptr(o);
        return r;
}

static int build_decode(const struct tokens *t, const json_t *roofline, json_t **ret)
{
        _cleanup_(json_decrefp) json_t *o = json_object(), *ops = NULL;
        const struct model *m = &t->w->model;
        uint64_t tokens = 0, common = 0, ns;
        struct spread token;
        int r = add_kind(m, IFP_KIND_TOKEN, IFP_PHASE_DECODE, &token, &common);

        for (size_t i = 0; i < m->n_processes; i++)
                tokens = sum_u64(tokens, m->processes[i].generated_tokens);
        /* what several threads decode side by side takes its time once */
        ns = token.total_ns > common ? token.total_ns - common : 0;
        if (!r)
                r = build_ops(m, IFP_PHASE_DECODE, &ops);
        report_set(o, "tokens", report_integer(tokens));
        report_set(o, "time_ns", report_integer_or_null(token.count, ns));
        report_set(o, "per_second", report_fraction(per_second(tokens, ns)));
        report_set(o, "token", r ? json_null() : build_spread(&token));
        report_set(o, "bound", tokens_build_bound(roofline, "decode"));
        report_set(o, "ops", json_incref(ops));
        spread_done(&token);
        if (!r)
                *ret = steal_ptr(o);
        return r;
}

static void note_ceilings(json_t *notes, const json_t *roofline)
{
        const json_t *machine = json_object_get(roofline, "machine");

        if (json_array_size(json_object_get(roofline, "rows")) &&
            !json_is_string(json_object_get(machine, "ceilings_from")))
                report_note(notes, "bounds are not known without ceilings: measure them with "
                                   "`infprof machine`, where the run was");
}

static int build(struct work *w, json_t **ret)
{
        _cleanup_(json_decrefp) json_t *o = work_head(w, TOKENS_SCHEMA), *notes = work_notes(w);
        json_t *prefill = NULL, *decode = NULL, *kv = NULL, *roofline = NULL;
        struct tokens t;
        int r = tokens_load(&t, w);

        if (!r)
                r = report_roofline_new(&roofline, w->rf, &w->why);
        if (!r)
                note_ceilings(notes, roofline);
        if (!r)
                r = build_prefill(&t, roofline, &prefill);
        if (!r)
                r = build_decode(&t, roofline, &decode);
        if (!r)
                r = tokens_build_kv(&t, notes, &kv);
        if (!r) {
                report_set(o, "prefill", prefill);
                report_set(o, "decode", decode);
                report_set(o, "course", tokens_build_course(&t));
                report_set(o, "kv", kv);
                report_set(o, "notes", json_incref(notes));
                *ret = steal_ptr(o);
        } else {
                json_decref(prefill);
                json_decref(decode);
        }
        tokens_done(&t);
        json_decref(roofline);
        return r;
}

int report_tokens_new(json_t **ret, struct runfile *rf, char **ret_why)
{
        return work_document(ret, rf, build, ret_why);
}

int report_tokens_file(json_t **ret, const char *path, char **ret_why)
{
        return work_document_file(ret, path, build, ret_why);
}
