/* SPDX-License-Identifier: MIT */
/* The ceilings of the machine that a run was on, and its ops held against them. Private to
 * common/report*.c. */
#pragma once

#include <jansson.h>

#include "common/ceilings.h"
#include "common/report-model.h"
#include "common/roof.h"
#include "common/runfile.h"

struct report_shape;
struct report_shapes;
struct work_amount;

enum report_roof_from {
        ROOF_FROM_NOTHING,
        ROOF_FROM_RUN,  /* they are in the run's file */
        ROOF_FROM_KEPT, /* of that very machine, kept here */
};

struct report_roof {
        json_t *machine; /* infprof.machine/1; NULL: it is not known what machine it was */
        enum report_roof_from from;
        char *why; /* there are no ceilings; NULL: there are */
        struct ceilings ceilings;
        double pass_bytes[IFP_N_PHASES]; /* that all ops move in one pass; 0: not known */
        uint64_t *waits_ns;              /* [op][phase]: in its calls, of all threads */
        size_t n_ops;
        uint64_t token_ns, tokens;  /* decoded, and how long that took */
        uint32_t crowd, crowd_cpus; /* so many threads did an op together on so many CPUs, which are
                                       fewer; 0: nobody saw that */
};

/* 0, -ENOMEM or RUNFILE_E_*; to be done also on failure. */
int report_roof_load(struct report_roof *ret, const struct model *m, const struct report_shapes *s,
                     struct runfile *rf, char **ret_why);
void report_roof_done(struct report_roof *r);

/* What the file says of its machine, or what is kept of that machine. Sets machine, from, why and
 * ceilings. */
int report_roof_machine(struct report_roof *r, struct runfile *rf, char **ret_why);

/* A sum of calls held against their roofs. */
struct roof_sum {
        const struct report_roof *of;       /* NULL: none was added */
        double wall_ns, least_ns;           /* of the calls of which both are known */
        double flops, bytes;                /* of these */
        double bound_ns[ROOF_N_BOUNDS];     /* wall time by what binds */
        double decode_wall_ns, can_save_ns; /* of these in decode; by which they could be shorter */
};

/* False: nothing can be said of a shape's calls in a phase. */
bool report_roof_judge(const struct report_roof *r, const struct report_shape *s, int phase,
                       const struct work_amount *each, struct roof *ret);
void report_roof_add(struct roof_sum *to, const struct report_roof *r, const struct report_shape *s,
                     int phase, const struct work_amount *each);

/* Sets bound, roof_gflops, roof_gbps, roof_share, tokens_per_second_at_roof; and over_roof. */
void report_roof_put(json_t *o, const struct roof_sum *sum);
