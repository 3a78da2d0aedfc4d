/* SPDX-License-Identifier: MIT */
/*
 * A run that never was: a small language model on two threads, told through
 * runfile_put_*. Every figure follows from spans that the fixture makes up one by one, always
 * the same, so the file is consistent in itself and a report of it never changes.
 */
#pragma once

#include <stdint.h>

struct fixture_truth {
        uint64_t spans; /* all but token and ttft */
        uint64_t in_ops_ns;
        uint64_t mul_mat_calls, mul_mat_total_ns, mul_mat_min_ns, mul_mat_max_ns;
        double mul_mat_stddev_ns;
        uint64_t mul_mat_p50_ns, mul_mat_p95_ns, mul_mat_p99_ns; /* of the durations themselves */
        uint64_t alloc_calls, alloc_bytes, usable_bytes, free_calls, freed_bytes;
        uint64_t generated, token_ns;
};

/* Writes the run to `path`, which must not exist; 0, or what the run file answered. */
int fixture_write(const char *path, struct fixture_truth *ret);
