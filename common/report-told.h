/* SPDX-License-Identifier: MIT */
/* What engines told of themselves (infprof.h), for infprof.report/1. Private to common/report*.c.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include <infprof/marker.h>

#include "common/report-model.h"
#include "common/report-roof.h"
#include "common/runfile.h"

struct told_marker {
        char *name;
        struct runfile_marker sum; /* of the ops of that name in all processes */
};

struct told_counter {
        char *name;
        uint64_t counted, calls;
};

struct told_instant {
        struct runfile_instant row;
        char *text;
};

struct report_told {
        const struct model *model;
        const struct runfile *rf;
        char **why;
        struct runfile_told sum; /* of all processes */
        struct told_marker *markers;
        size_t n_markers, room_markers;
        struct told_counter *counters;
        size_t n_counters, room_counters;
        struct runfile_tile tiles[IFP_N_TILE_LEVELS];
        struct told_instant *instants;
        size_t n_instants, room_instants;
};

/* 0, -ENOMEM or RUNFILE_E_*; to be done also on failure. */
int report_told_load(struct report_told *ret, const struct model *m, struct runfile *rf,
                     char **ret_why);
void report_told_done(struct report_told *t);

/* Sets markers, counters, requests, tiles, instants. */
void report_told_put(json_t *o, const struct report_told *t, const struct report_roof *roof);
void report_told_notes(json_t *notes, const struct report_told *t);
