/* SPDX-License-Identifier: MIT */
#include "cli/memory-rows.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/text.h"
#include "common/categories.h"
#include "common/cleanup.h"
#include "common/report-memory.h"

const char *const memory_by_names[MEMORY_N_BY] = {"alloc", "inuse", "alloc-objects",
                                                  "inuse-objects"};
const char *const memory_by_members[MEMORY_N_BY] = {"alloc_bytes", "inuse_bytes", "alloc_objects",
                                                    "inuse_objects"};

bool memory_by_is_bytes(enum memory_by by)
{
        return by == MEMORY_BY_ALLOC || by == MEMORY_BY_INUSE;
}

bool memory_by_is_inuse(enum memory_by by)
{
        return by == MEMORY_BY_INUSE || by == MEMORY_BY_INUSE_OBJECTS;
}

bool memory_is_phase(const char *name)
{
        static const char *const names[] = {"load", "prefill", "decode", "idle", "unknown"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (!strcmp(name, names[i]))
                        return true;
        return false;
}

double memory_sum(const json_t *rows, const char *member)
{
        const json_t *row;
        double sum = 0;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                double v = text_number(row, member);

                sum += isnan(v) ? 0 : v;
        }
        return sum;
}

int memory_sort_stacks(json_t *document, enum memory_by by)
{
        json_t *stacks = rows_sorted(json_object_get(document, "stacks"), memory_by_members[by]);

        return json_object_set_new(document, "stacks", stacks) ? -ENOMEM : 0;
}

/* What the op did in the phase, as a row of its own; NULL: nothing. */
static json_t *op_in_phase(const json_t *op, const char *phase)
{
        static const char *const kept[] = {"name", "kind", "library"};
        json_t *figures = json_object_get(json_object_get(op, "phases"), phase), *row, *phases;

        if (!figures)
                return NULL;
        row = json_object();
        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
                json_object_set(row, kept[i], json_object_get(op, kept[i]));
        json_object_update(row, figures);
        phases = json_object();
        json_object_set(phases, phase, figures);
        json_object_set_new(row, "phases", phases);
        return row;
}

static int keep_ops(json_t *document, const char *phase)
{
        _cleanup_(json_decrefp) json_t *ops = json_array();
        const json_t *op;
        size_t i;

        json_array_foreach(json_object_get(document, "ops"), i, op)
        {
                json_t *row = op_in_phase(op, phase);

                if (row)
                        json_array_append_new(ops, row);
        }
        return json_object_set_new(document, "ops", rows_sorted(ops, "asked_bytes")) ? -ENOMEM : 0;
}

static int categorize(json_t *document, const struct categories *c)
{
        struct categories *builtin = NULL;
        int r = c ? 0 : categories_builtin(&builtin);

        if (!r)
                r = report_memory_categorize(document, c ? c : builtin);
        categories_free(builtin);
        return r;
}

int memory_keep_phase(json_t *document, const char *phase, const struct categories *c)
{
        json_t *stacks = json_array(), *stack;
        size_t i;
        int r;

        json_array_foreach(json_object_get(document, "stacks"), i, stack)
        {
                if (!strcmp(text_string(stack, "phase", ""), phase))
                        json_array_append(stacks, stack);
        }
        json_object_set_new(document, "stacks", stacks);
        r = keep_ops(document, phase);
        return r ? r : categorize(document, c);
}
