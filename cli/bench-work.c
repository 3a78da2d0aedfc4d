/* SPDX-License-Identifier: MIT */
/*
 * What was done in a run: as the user declared it; else as the run counted it, where it was under
 * the profiler; else not known, but that a run without other word is one request.
 */
#include "cli/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "common/cleanup.h"
#include "common/report.h"

static double counter(const json_t *report, const char *name)
{
        const json_t *c;
        size_t i;

        json_array_foreach(json_object_get(report, "counters"), i, c)
        {
                if (!strcmp(text_string(c, "name", ""), name))
                        return text_number(c, "total");
        }
        return NAN;
}

static void learn(double *work, double counted)
{
        if (isnan(*work) && counted > 0)
                *work = counted;
}

void bench_read_run(struct bench *b, const char *file)
{
        _cleanup_(json_decrefp) json_t *report = NULL;
        _cleanup_(freep) char *why = NULL;
        struct bench_run *run = &b->runs[b->n - 1];
        const json_t *requests;

        if (report_build_file(file, &report, &why) != 0) {
                if (!b->trouble)
                        b->trouble = steal_ptr(why);
                return;
        }
        requests = json_object_get(report, "requests");
        run->requests_ok = text_number(requests, "succeeded");
        learn(&run->work[BENCH_REQUESTS], text_number(requests, "total"));
        learn(&run->work[BENCH_TOKENS],
              text_number(json_object_get(report, "tokens"), "generated"));
        learn(&run->work[BENCH_CHARACTERS], counter(report, "characters"));
        learn(&run->work[BENCH_BATCHES], counter(report, "batches"));
}
