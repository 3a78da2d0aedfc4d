/* SPDX-License-Identifier: MIT */
/*
 * Are two runs of different engines, so that ops of the one are not those of the other? A program
 * may go by two names, and an engine be built into two programs: it is the same one by its name,
 * by its build-id, or by most of its ops. Commands without ops are no engines.
 */
#include "common/report-diff-measure.h"

#include <string.h>

#include "common/cleanup.h"

/* {op: true}; of a run that has none, an empty one. */
static json_t *ops_of(const struct diff_run *run)
{
        const struct diff_rows *rows = &run->rows[DIFF_BY_RUN];
        json_t *ops = json_object();

        for (size_t i = 0; i < rows->n; i++)
                json_object_set_new(ops, rows->at[i].op, json_true());
        return ops;
}

/* More than half of what the one with fewer has. */
static bool shares_ops(const struct diff_run *p, const struct diff_run *q)
{
        _cleanup_(json_decrefp) json_t *a = ops_of(p), *b = ops_of(q);
        size_t n_a = json_object_size(a), n_b = json_object_size(b), shared = 0;
        json_t *unused;
        const char *op;

        json_object_foreach(a, op, unused)
        {
                shared += json_object_get(b, op) != NULL;
        }
        return 2 * shared > (n_a < n_b ? n_a : n_b);
}

static const char *build_id_of(const struct diff_run *run)
{
        return json_string_value(json_object_get(run->surroundings, DIFF_BUILD_ID));
}

bool diff_other_engine(const struct diff_run *p, const struct diff_run *q)
{
        const char *a = build_id_of(p), *b = build_id_of(q);

        if (!p->engine || !q->engine || !strcmp(p->engine, q->engine) || (a && b && !strcmp(a, b)))
                return false;
        return (p->has_ops || q->has_ops) && !shares_ops(p, q);
}

bool diff_other_engines(const struct diff_set *a, const struct diff_set *b)
{
        const struct diff_run *first = NULL;

        for (size_t i = 0; i < a->n + b->n; i++) {
                const struct diff_run *it = i < a->n ? a->at[i] : b->at[i - a->n];

                if (first && diff_other_engine(first, it))
                        return true;
                if (!first && it->engine)
                        first = it;
        }
        return false;
}
