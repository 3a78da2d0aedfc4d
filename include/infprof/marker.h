/* SPDX-License-Identifier: MIT */
/*
 * What the engine says of itself (<infprof/infprof.h>), as it lies in the segment. Rows are of one
 * thread (lane), written by it alone. Threads of the crowd have counters only, added to atomically.
 */
#pragma once

#include <stdint.h>

#define IFP_MAX_MARKERS   1024u /* distinct names; what comes later is "(other markers)" */
#define IFP_MAX_COUNTERS  256u
#define IFP_MAX_INSTANTS  1024u /* power of two */
#define IFP_INSTANT_BYTES 96u   /* of its text, with the NUL */

/*
 * The process's live bytes around the calls of a marker. What other threads have not told yet is
 * missing: up to 64 KiB each.
 */
struct ifp_marker_row {
        uint64_t n;                        /* calls that ended, those closed as left included */
        int64_t begin_bytes, change_bytes; /* summed over them */
        int64_t first_bytes, last_bytes;   /* at the beginning of the first, the end of the last */
        int64_t least_change, most_change; /* of one call; 0 where n is 0 */
        int64_t highest; /* seen in any, also where the process's peak rose within; 0 where n is 0
                          */
        int64_t peak_before; /* the process's peak as the call began. Shim's own */
        uint64_t reserved[7];
};
_Static_assert(sizeof(struct ifp_marker_row) == 128, "ABI");

/* Tiles of one level (INFPROF_TILE_*). */
struct ifp_tile_row {
        uint64_t n;
        uint64_t ticks;
        uint64_t elements, flops;               /* as told at their end */
        uint64_t least_elements, most_elements; /* of one; 0 where n is 0 */
        uint64_t slowest;                       /* ticks of the slowest one, which was: */
        uint32_t slowest_row, slowest_col;
        uint32_t rows, cols; /* greatest row and column + 1 */
        uint64_t unended;    /* begun, and begun again (or left) before their end */
        /* the one under way. Shim's own */
        uint64_t since; /* ticks; 0: none */
        uint32_t row, col;
        uint64_t reserved[4];
};
_Static_assert(sizeof(struct ifp_tile_row) == 128, "ABI");
#define IFP_N_TILE_LEVELS 3u

enum ifp_instant_kind {
        IFP_INSTANT_MARK = 0,
        IFP_INSTANT_TEXT = 1, /* what its thread is about from then on */
        IFP_N_INSTANT_KINDS = 2,
};

/* Number n of them lies at n % IFP_MAX_INSTANTS, until another takes its place. */
struct ifp_instant {
        uint64_t number; /* n + 1; 0 while it is written; stored last, with release */
        uint64_t ticks;
        int32_t tid;
        uint32_t kind;                /* enum ifp_instant_kind */
        char text[IFP_INSTANT_BYTES]; /* NUL-terminated; cut where it is longer */
        uint64_t reserved;
};
_Static_assert(sizeof(struct ifp_instant) == 128, "ABI");
