/* SPDX-License-Identifier: MIT */
/*
 * What binds a phase: of the ops whose roof is known, that bound under which most time was spent.
 * By infprof.roofline/1, whose rows have wall times of ops.
 */
#include <math.h>
#include <string.h>

#include "common/report-private.h"
#include "common/report-tokens-private.h"

static const char *const bounds[] = {"compute", "memory", "L3", "L2", "L1", "overhead", "waiting"};
#define N_BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

static double number(const json_t *o, const char *name)
{
        return json_number_value(json_object_get(o, name)); /* 0 where it is null */
}

static size_t index_of(const char *bound)
{
        size_t i = 0;

        while (i < N_BOUNDS && strcmp(bounds[i], bound) != 0)
                i++;
        return i;
}

json_t *tokens_build_bound(const json_t *roofline, const char *phase)
{
        double wall[N_BOUNDS] = {0}, at_roof[N_BOUNDS] = {0}, all = 0;
        size_t i, most = 0;
        const json_t *row;
        json_t *o;

        json_array_foreach(json_object_get(roofline, "rows"), i, row)
        {
                const char *in = json_string_value(json_object_get(row, "phase")),
                           *bound = json_string_value(json_object_get(row, "bound"));
                size_t b = bound ? index_of(bound) : N_BOUNDS;

                if (!in || strcmp(in, phase) != 0)
                        continue;
                all += number(row, "wall_ns");
                if (b == N_BOUNDS)
                        continue;
                wall[b] += number(row, "wall_ns");
                at_roof[b] += number(row, "at_roof_ns");
        }
        for (size_t b = 1; b < N_BOUNDS; b++)
                if (wall[b] > wall[most])
                        most = b;
        if (!(wall[most] > 0))
                return json_null();
        o = json_object();
        report_set(o, "by", json_string(bounds[most]));
        report_set(o, "share", report_fraction(fmin(wall[most] / all, 1)));
        report_set(o, "roof_share", report_fraction(at_roof[most] / wall[most]));
        return o;
}
