/* SPDX-License-Identifier: MIT */
/*
 * A machine and a run that never were, with round figures, so that a test can work out by hand what
 * follows from them.
 */
#pragma once

#include <jansson.h>

#define ROOF_FINGERPRINT "0123456789abcdef"

enum roof_fixture {
        ROOF_WHOLE,      /* the machine's ceilings are in the file */
        ROOF_UNMEASURED, /* the machine is, its ceilings are not */
        ROOF_NOWHERE,    /* nothing is said of the machine */
        ROOF_DAMAGED,    /* the machine's document cannot be used */
        ROOF_FOREIGN,    /* it is that of another machine than the row says */
        ROOF_CROWDED,    /* as the first, and the process may use one CPU */
        N_ROOF_FIXTURES,
};

extern const char *const roof_fixture_names[N_ROOF_FIXTURES];

/*
 *   threads         1     2     4
 *   f32           100   200   300  GFLOP/s, and slower by another ISA
 *   int8          400   800
 *   L1           1000  2000        GB/s: reading; copying is slower
 *   L2            500  1000
 *   L3            100   200
 *   memory         10    16
 *
 * Two CPUs with 16 KiB of L1 and 1 MiB of L2 each, 16 MiB of L3 together; 16 registers of 16 bytes.
 * infprof.machine/1; NULL: no memory.
 */
json_t *roof_fixture_machine(void);

/* Writes the run to `path`, which must not exist; 0, or what the run file answered. */
int roof_fixture_write(const char *path, enum roof_fixture which);
