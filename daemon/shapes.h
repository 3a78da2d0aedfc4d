/* SPDX-License-Identifier: MIT */
/* What ops were done on: the segment's shapes, and how often each came up. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <infprof/segment.h>

struct process;

/* Calls and ticks, of all threads. */
struct shape_sums {
        uint64_t calls, total, child;
};

struct shape {
        bool known; /* what follows, which never changes */
        struct ifp_shape is;
        char *formula; /* NULL: there is none */
        struct shape_sums phase[IFP_N_PHASES];
        uint64_t written[IFP_N_PHASES]; /* + 1; calls of the row in the file; 0: there is none */
};

struct shapes {
        struct shape *list; /* by number */
        uint32_t n, room;
        char *types[IFP_MAX_TYPES]; /* their names; [0] NULL */
        struct ifp_type type[IFP_MAX_TYPES];
        uint32_t n_types;
        uint32_t state;  /* enum ifp_shapes_state */
        char *blas_core; /* live.blas_core; NULL: not told */
        bool full;       /* some found no room */
};

typedef struct shape_sums *(*shape_sums_fn)(void *userdata, uint32_t number, uint32_t phase);

/* Adds a lane's rows, of the `n` entries of the table at that offset in it, to what sums_of says.
 */
void shapes_add_lane(struct process *p, uint32_t lane, size_t table, uint32_t n,
                     shape_sums_fn sums_of, void *userdata);

/* Brings those of a process up to date. 0, -ENOMEM or SEGMENT_E_BAD. */
int shapes_take(struct process *p, const char **ret_why);
/* What a reader must know of them, once the process has ended. */
void shapes_note(struct process *p);
void shapes_done(struct shapes *s);
