/* SPDX-License-Identifier: MIT */
/*
 * A run that never was, of an engine and its worker, with all that a run file can hold of memory.
 * Its figures are few and round, so that a test can work out by hand what follows from them.
 *
 *   seconds     0    1      2      3        4       5    6
 *   engine      |----warm----------steady---warm---------|   pid 5001
 *   worker                  |------steady---warm----|        pid 5002
 *
 * Sampled at 512 KiB. Both are on glibc; in the second run, which is the first one improved, both
 * are on jemalloc, and the graph's allocations are a tenth.
 */
#pragma once

enum memory_fixture {
        MEMORY_FIXTURE,
        MEMORY_FIXTURE_IMPROVED,
};

/* Writes the run to `path`, which must not exist; 0, or what the run file answered. */
int memory_fixture_write(const char *path, enum memory_fixture which);
