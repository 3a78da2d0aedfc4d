/* SPDX-License-Identifier: MIT */
/*
 * An op in the hierarchy of memories, as a blocked product is tiled (Goto and van de Geijn 2008,
 * doi:10.1145/1356052.1356053): a tile of registers is fed from L1 (micro), one of L1 from L2
 * (midi), one of L2 from L3 or memory (macro). For each, the least that has to be moved, and the
 * roof that follows.
 */
#pragma once

#include "common/ceilings.h"
#include "common/roof.h"

enum roof_tier { ROOF_MICRO, ROOF_MIDI, ROOF_MACRO, ROOF_N_TIERS };

extern const char *const roof_tiers[ROOF_N_TIERS];

struct roof_at_tier {
        bool known;
        enum ceiling_level level; /* that it is fed from */
        double bytes;             /* moved from there at least, in one time the op is done */
        double intensity;         /* at most */
        double roof_gflops;       /* at that intensity, with that level's bandwidth */
};

/* Of an op whose amount is known; `w->pass_bytes` and `wall_ns` are not looked at. `from`: where
 * the macro tile is fed from, L3 or memory. */
void roof_tiers_of(struct roof_at_tier ret[ROOF_N_TIERS], const struct ceilings *c,
                   const struct roof_work *w, enum ceiling_level from);

/* The tier that a level of memory belongs to. */
enum roof_tier roof_tier_of(enum ceiling_level level);
