/* SPDX-License-Identifier: MIT */
/* A look at this machine: what it is made of. Apart from common/machine.h, for it needs hwloc. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#define MACHINE_MAX_CPUS 1024

/* What measurements need to know of the machine. */
struct machine_places {
        int cpus[MACHINE_MAX_CPUS]; /* that this process may use: one of each core first */
        int n_cpus;
        uint64_t cache_bytes[3]; /* L1d, L2, L3; 0: there is none, or it is not known */
        int cache_cpus[3];       /* that share one */
};

/* {"model", "fingerprint", "topology", "layout", "isa"} into `o`; 0, or -errno. */
int machine_look(json_t *o, struct machine_places *ret);
