/* SPDX-License-Identifier: MIT */
/*
 * Which ceiling binds an op, and how near it came: the roofline model (Williams, Waterman and
 * Patterson 2009, doi:10.1145/1498765.1498785), with a roof for each level of memory (Ilic, Pratas
 * and Sousa 2014, doi:10.1109/L-CA.2013.6).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/ceilings.h"
#include "common/flops.h"
#include "common/shape.h"

/* The first four as enum ceiling_level has them. */
enum roof_bound {
        ROOF_L1,
        ROOF_L2,
        ROOF_L3,
        ROOF_MEMORY,
        ROOF_COMPUTE,
        ROOF_OVERHEAD, /* so little work that neither could be reached */
        ROOF_WAITING,  /* most of its time it waits for others */
        ROOF_N_BOUNDS,
};

extern const char *const roof_bounds[ROOF_N_BOUNDS];

/* So little that calling it, and coming together for it, takes as long: a node of ggml costs about
 * that, whatever it does. */
#define ROOF_SMALL_NS    1000.0
#define ROOF_SMALL_SHARE 0.5
#define ROOF_WAITS_SHARE 0.5

/* An op on a shape, carried out once by all its threads together. */
struct roof_work {
        const struct shape *shape;
        struct work_amount amount;
        uint32_t threads;
        double wall_ns;    /* it took so long */
        double pass_bytes; /* moved by all ops between two times that it is done; 0: not known */
        bool waits;        /* most of that time it waited */
};

struct roof {
        enum roof_bound bound;
        uint32_t threads;         /* that the ceilings are of */
        enum ceiling_type type;   /* of the multiply-adds it is held against */
        enum ceiling_level own;   /* the nearest that holds its operands */
        enum ceiling_level level; /* whose bandwidth it is held against */
        double gflops, gbps;      /* these ceilings, at its threads */
        double least_ns;          /* that it takes at its roof */
        double share;             /* least_ns / wall_ns */
        bool over;                /* more than 1, at the level nearest to the cores that can be */
};

/* False: not known, for one of all that is needed is not. */
bool roof_of(struct roof *ret, const struct ceilings *c, const struct roof_work *w);

/* Bytes that an op's operands take: no more than it moves, for of a table it may touch a part, and
 * no more than there are, for what it changes in place it moves twice. */
double roof_footprint(const struct shape *s, const struct work_amount *a);

/* Is the result of that routine of the BLAS one of its sources, which has it a second time? */
bool roof_is_in_place(const struct shape *s);

/* The type of multiply-adds an op is made of. */
enum ceiling_type roof_type(const struct shape *s);

/* Does it read what was not made or used just before: weights, a cache of keys and values, a table?
 */
bool roof_streams(const struct shape *s);
