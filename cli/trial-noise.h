/* SPDX-License-Identifier: MIT */
/*
 * What else the machine did: time of other processes and of the hypervisor, and throttling. Private
 * to cli/trial*.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct trial_noise {
        bool known;         /* of the next three */
        uint64_t busy_ns;   /* of all CPUs, by whomever */
        uint64_t stolen_ns; /* by the hypervisor */
        uint64_t own_ns;    /* ours, and of children that we waited for */
        uint64_t throttled, quota_stops;
};

void trial_noise_read(struct trial_noise *ret);
