/* SPDX-License-Identifier: MIT */
/*
 * Calls in time, as a run file has them of those ops that were asked for (infprof record --series).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <infprof/event.h>

struct report_call {
        double start_ns; /* since the run's start */
        double duration_ns;
        uint32_t phase;
};

struct report_series {
        struct report_call *calls; /* of all processes, as they began */
        size_t n, room;
        uint64_t made[IFP_N_PHASES]; /* calls of these ops that there were, whether told or not */
};

/* Errors are those of common/runfile.h. To be done in any case. */
int report_series_file(struct report_series *ret, const char *path, char **ret_why);
void report_series_done(struct report_series *s);
