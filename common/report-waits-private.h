/* SPDX-License-Identifier: MIT */
/* What the files of the waits' document share. */
#pragma once

#include "common/report-work-private.h"

json_t *waits_build_now(uint64_t waits, uint64_t ns); /* in progress at the last look */
int waits_build_objects(struct work *w, json_t **ret);
int waits_build_sites(struct work *w, json_t **ret);

/* The entries of a barrier, in a list of those of all barriers. */
struct waits_range {
        size_t first, n;
};

/* What threads work between meetings, and how evenly: of all barriers, each with its entries. */
int waits_find_busy(const struct work *w, struct barriers *barriers, struct work_wait **entries,
                    const struct waits_range *ranges);
