/* SPDX-License-Identifier: MIT */
/* Where a run is put: CPUs, and nodes of memory, as values of parameters say. */
#pragma once

#include <sched.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/sweep-grid.h"

struct sweep_place {
        cpu_set_t cpus;
        bool has_cpus;
        int policy; /* MPOL_*; -1: none is asked for */
        uint64_t nodes;
};

/* What the parameters say of a point. 0; -EINVAL with one line in *ret_why: it is not understood,
 * or this machine cannot do it; -ENOMEM. */
int sweep_place(struct sweep_place *ret, const struct sweep_grid *g, size_t point, char **ret_why);

/* CPUs of a value of --cpus; 0: it is none. */
size_t sweep_cpus_count(const char *value);
