/* SPDX-License-Identifier: MIT */
/*
 * Experts of layers. Layers of the same number in several processes (workers with the same model)
 * are one; those of models that have other numbers of experts stay apart, and the document has the
 * one that most tokens went through.
 */
#include "common/report-experts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "common/fmt.h"
#include "common/report-private.h"
#include "common/report-work-private.h"
#include "common/runfile-private.h"

static int read_counts(const struct runfile_experts *row, uint64_t **ret)
{
        uint64_t *counts = calloc(row->n_experts + 1, sizeof(*counts));
        const char *p = row->counts;
        uint32_t n = 0;

        if (!counts)
                return -ENOMEM;
        for (; n < row->n_experts; n++) {
                uint64_t v = 0;

                if (n && *p++ != ',')
                        break;
                if (*p < '0' || *p > '9')
                        break;
                for (; *p >= '0' && *p <= '9' && v <= INT64_MAX / 10; p++)
                        v = v * 10 + (uint64_t)(*p - '0');
                if (v > INT64_MAX)
                        break;
                counts[n] = v;
        }
        if (!n || n < row->n_experts || *p) {
                free(counts);
                return RUNFILE_E_FOREIGN;
        }
        *ret = counts;
        return 0;
}

struct loader {
        struct expert_layers *to;
        struct work *w;
};

static int load(const struct runfile_experts *row, void *userdata)
{
        struct loader *l = userdata;
        struct expert_layer *e;
        uint64_t *counts;
        int r;

        if (work_process(l->w, "experts", row->process) == NONE)
                return RUNFILE_E_FOREIGN;
        r = read_counts(row, &counts);
        if (r == RUNFILE_E_FOREIGN)
                return runfile_explain(&l->w->why, r,
                                       "'%s' is damaged: table experts holds no list of counts in "
                                       "entry %u of process %u; it cannot be used",
                                       l->w->rf->path, row->entry, row->process);
        e = r ? NULL : GROW(&l->to->at, &l->to->n, &l->to->room);
        if (!e) {
                if (!r)
                        free(counts);
                return -ENOMEM;
        }
        *e = (struct expert_layer){
                .phase = row->phase,
                .layer = row->layer,
                .n_experts = row->n_experts,
                .steps = row->steps,
                .tokens = row->tokens,
                .choices = row->choices,
                .unknown = row->unknown,
                .steps_known = row->steps_known,
                .distinct = row->distinct,
                .all_tokens = row->all_tokens,
                .counts = counts,
        };
        return 0;
}

static int compare_layer(const struct expert_layer *a, const struct expert_layer *b)
{
        if (a->phase != b->phase)
                return a->phase < b->phase ? -1 : 1;
        return a->layer < b->layer ? -1 : a->layer > b->layer;
}

static int compare_same(const void *x, const void *y)
{
        const struct expert_layer *a = x, *b = y;
        int order = compare_layer(a, b);

        return order ? order : a->n_experts < b->n_experts ? -1 : a->n_experts > b->n_experts;
}

static int compare_most(const void *x, const void *y)
{
        const struct expert_layer *a = x, *b = y;
        int order = compare_layer(a, b);

        if (!order && a->tokens != b->tokens)
                return a->tokens > b->tokens ? -1 : 1;
        return order ? order : compare_same(a, b);
}

static void add(struct expert_layer *to, const struct expert_layer *e)
{
        to->steps = sum_u64(to->steps, e->steps);
        to->tokens = sum_u64(to->tokens, e->tokens);
        to->choices = sum_u64(to->choices, e->choices);
        to->unknown = sum_u64(to->unknown, e->unknown);
        to->steps_known = sum_u64(to->steps_known, e->steps_known);
        to->distinct = sum_u64(to->distinct, e->distinct);
        to->all_tokens = sum_u64(to->all_tokens, e->all_tokens);
        for (uint32_t i = 0; i < e->n_experts; i++)
                to->counts[i] = sum_u64(to->counts[i], e->counts[i]);
}

int expert_layers_load(struct expert_layers *e, struct work *w)
{
        struct loader l = {e, w};
        int r = runfile_each_experts(w->rf, load, &l);
        size_t n = 0;

        if (r || !e->n)
                return r;
        qsort(e->at, e->n, sizeof(*e->at), compare_same);
        for (size_t i = 1; i < e->n; i++) {
                if (compare_same(&e->at[n], &e->at[i])) {
                        e->at[++n] = e->at[i];
                        continue;
                }
                add(&e->at[n], &e->at[i]);
                free(e->at[i].counts);
        }
        e->n = n + 1;
        qsort(e->at, e->n, sizeof(*e->at), compare_most);
        return 0;
}

void expert_layers_done(struct expert_layers *e)
{
        for (size_t i = 0; i < e->n; i++)
                free(e->at[i].counts);
        free(e->at);
        *e = (struct expert_layers){0};
}

/* The one that is told of its layer. */
static bool is_told(const struct expert_layers *e, size_t i)
{
        return !i || compare_layer(&e->at[i - 1], &e->at[i]);
}

/* Experts that got any tokens; of all they got, and of the most that one did. */
static uint32_t count_used(const struct expert_layer *l, double *ret_sum, double *ret_most)
{
        uint32_t n = 0;

        *ret_sum = *ret_most = 0;
        for (uint32_t i = 0; i < l->n_experts; i++) {
                n += l->counts[i] > 0;
                *ret_sum += (double)l->counts[i];
                *ret_most = fmax(*ret_most, (double)l->counts[i]);
        }
        return n;
}

static double ratio(double a, double b)
{
        return b > 0 ? a / b : NAN;
}

json_t *expert_layers_build(const struct expert_layers *e, uint32_t phase, uint32_t layer)
{
        const struct expert_layer *l = NULL;
        json_t *o, *counts;
        double sum, most;
        uint32_t used;

        for (size_t i = 0; i < e->n && !l; i++)
                if (e->at[i].phase == phase && e->at[i].layer == layer)
                        l = &e->at[i];
        if (!l)
                return json_null();
        used = count_used(l, &sum, &most);
        o = json_object();
        counts = json_array();
        for (uint32_t i = 0; i < l->n_experts; i++)
                json_array_append_new(counts, report_integer(l->counts[i]));
        report_set(o, "n_experts", json_integer(l->n_experts));
        report_set(o, "n_used", json_integer(used));
        report_set(o, "used_per_token",
                   report_fraction(ratio((double)l->choices, (double)l->tokens)));
        report_set(o, "distinct_per_step",
                   report_fraction(ratio((double)l->distinct, (double)l->steps_known)));
        report_set(o, "max_over_mean", report_fraction(ratio(most * l->n_experts, sum)));
        report_set(o, "steps", report_integer(l->steps));
        report_set(o, "tokens", report_integer(l->tokens));
        report_set(o, "choices", report_integer(l->choices));
        report_set(o, "unknown", report_integer(l->unknown));
        report_set(o, "tokens_to_all", report_integer(l->all_tokens));
        report_set(o, "counts", counts);
        return o;
}

json_t *expert_layers_build_phase(const struct expert_layers *e, uint32_t phase)
{
        struct expert_layer all = {0};
        uint64_t layers = 0, n = 0, used = 0;
        double uneven = NAN;
        json_t *o;

        for (size_t i = 0; i < e->n; i++) {
                const struct expert_layer *l = &e->at[i];
                double sum, most;

                if (l->phase != phase || !is_told(e, i))
                        continue;
                layers++;
                n += l->n_experts;
                used += count_used(l, &sum, &most);
                uneven = fmax(uneven, ratio(most * l->n_experts, sum));
                all.tokens = sum_u64(all.tokens, l->tokens);
                all.choices = sum_u64(all.choices, l->choices);
                all.unknown = sum_u64(all.unknown, l->unknown);
                all.steps_known = sum_u64(all.steps_known, l->steps_known);
                all.distinct = sum_u64(all.distinct, l->distinct);
        }
        if (!layers)
                return json_null();
        o = json_object();
        report_set(o, "layers", report_integer(layers));
        report_set(o, "n_experts", report_integer(n));
        report_set(o, "n_used", report_integer(used));
        report_set(o, "used_per_token",
                   report_fraction(ratio((double)all.choices, (double)all.tokens)));
        report_set(o, "distinct_per_step",
                   report_fraction(ratio((double)all.distinct, (double)all.steps_known)));
        report_set(o, "max_over_mean", report_fraction(uneven));
        report_set(o, "unknown", report_integer(all.unknown));
        return o;
}

void expert_layers_notes(const struct expert_layers *e, bool unknown, json_t *notes)
{
        uint64_t choices = 0, to_all = 0;
        bool several = false;
        char n[FMT_SIZE];

        for (size_t i = 0; i < e->n; i++) {
                choices = sum_u64(choices, e->at[i].unknown);
                if (e->at[i].all_tokens > to_all)
                        to_all = e->at[i].all_tokens;
                several |= !is_told(e, i);
        }
        if (choices)
                report_note(notes,
                            "%s choices of experts are not known: they could not be read, or "
                            "named an expert that the layer does not have",
                            fmt_count(n, choices));
        if (to_all)
                report_note(notes,
                            "%s tokens went to all experts of their layers, as when llama.cpp "
                            "warms up: no choice, and in no count of experts",
                            fmt_count(n, to_all));
        if (several)
                report_note(notes, "layers of the same number have several numbers of experts: "
                                   "of each, those that most tokens went through are told");
        if (unknown)
                report_note(notes, "there are products of experts (MUL_MAT_ID) in layers of which "
                                   "it is not known which experts they were");
}
