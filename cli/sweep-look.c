/* SPDX-License-Identifier: MIT */
/* The figures of a run that was recorded, from its file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep-go.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/report-memory.h"
#include "common/report-waits.h"
#include "common/report.h"

static double sum(const json_t *list, const char *member)
{
        const json_t *o;
        double n = 0;
        size_t i;

        if (!json_is_array(list))
                return NAN;
        json_array_foreach(list, i, o)
        {
                n += text_number(o, member);
        }
        return n;
}

/* What the program counted of tokens, where decoding is not seen. */
static void take_counters(struct sweep_run *run, const json_t *report)
{
        const json_t *counter;
        size_t i;

        run->requests = text_number(json_object_get(report, "requests"), "succeeded");
        json_array_foreach(json_object_get(report, "counters"), i, counter)
        {
                if (isnan(run->tokens_per_second) &&
                    !strcmp(text_string(counter, "name", ""), "tokens")) {
                        run->tokens = text_number(counter, "total");
                        run->tokens_per_second = text_number(counter, "per_second");
                }
        }
}

static void take_report(struct sweep_run *run, const json_t *report)
{
        const json_t *tokens = json_object_get(report, "tokens");

        run->tokens = text_number(tokens, "generated");
        run->tokens_per_second = text_number(tokens, "per_second");
        take_counters(run, report);
        run->p50_ns = text_number(tokens, "p50_ns");
        run->p95_ns = text_number(tokens, "p95_ns");
        run->spawns = text_number(json_object_get(report, "spawns"), "total");
        run->allocations = text_number(json_object_get(report, "memory"), "alloc_calls");
}

void sweep_look(struct sweep_run *run, const struct sweep *s, const char *file)
{
        _cleanup_(json_decrefp) json_t *report = NULL, *waits = NULL, *memory = NULL;
        _cleanup_(freep) char *why = NULL, *no_waits = NULL, *no_memory = NULL;
        double per_token = NAN, units;

        if (report_build_file(file, &report, &why))
                return;
        take_report(run, report);
        if (!report_waits_file(&waits, file, &no_waits))
                run->waits = sum(json_object_get(waits, "kinds"), "count");
        if (run->tokens > 0 &&
            !report_memory_file(&memory, file, &(struct memory_options){0}, &no_memory))
                per_token = text_number(
                        json_object_get(json_object_get(memory, "per_token"), "calls"), "mean");
        units = run->tokens > 0 ? run->tokens : sweep_units(s, run->point);
        run->spawns /= units;
        run->waits /= units;
        run->allocations = isnan(per_token) ? run->allocations / units : per_token;
}
