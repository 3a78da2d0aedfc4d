/* SPDX-License-Identifier: MIT */
/* What a run file has of memory. */
#pragma once

#include <infprof/segment.h>

#include "common/runfile.h"
#include "fake-process.h"

struct heap_rows {
        struct runfile_size_class classes[IFP_SIZE_CLASSES];
        struct runfile_stack stacks[64];
        char frames[64][256];
        struct runfile_memory memory;
        struct runfile_arena arenas[IFP_MAX_ARENAS];
        struct runfile_token_alloc tokens;
        struct runfile_token_point points[64];
        struct runfile_mark marks[16];
        char names[16][128];
        struct runfile_mark_op mark_ops[64];
        struct runfile_mark_stack mark_stacks[64];
        struct runfile_mark_class mark_classes[64];
        struct runfile_process process;
        struct runfile_op_phase op_phase;
        uint32_t n_classes, n_stacks, n_memory, n_arenas, n_tokens, n_points, n_marks, n_mark_ops,
                n_mark_stacks, n_mark_classes, n_frames;
        uint32_t least_frame, last_frame;
};

/* All of them, until the next call. */
struct heap_rows *heap_rows(const struct world *w);

/* What an allocator says of itself. */
void tell_allocator(struct world *w);
