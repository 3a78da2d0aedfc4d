/* SPDX-License-Identifier: MIT */
/* Shapes of a run's ops, and what work they were. Private to common/report*.c. */
#pragma once

#include <jansson.h>

#include "common/op-declaration.h"
#include "common/report-model.h"
#include "common/report-roof.h"
#include "common/runfile.h"
#include "common/shape.h"

struct shape_calls {
        uint64_t calls, total_ns, child_ns;
};

/* What a user declared of an op. */
struct report_formula {
        char *text;
        struct op_declaration *is; /* NULL: it cannot be read: */
        char *why;
};

/* How an operand lies in memory. */
struct report_memory {
        enum { MEMORY_UNKNOWN, MEMORY_CONTIGUOUS, MEMORY_SCATTERED } is;
        uint32_t align;      /* 0: not known */
        uint64_t strides[4]; /* bytes */
        bool differ;         /* these, among shapes that read the same */
};

/* One row of table shape. */
struct report_shape {
        uint32_t process, number;
        uint32_t op; /* index into the model's */
        uint32_t parts;
        struct shape is;
        struct report_memory memory[SHAPE_MAX]; /* of its operands */
        char text[SHAPE_TEXT_SIZE];
        const struct report_formula *formula; /* of a user; NULL: by op */
        struct shape_calls phase[IFP_N_PHASES];
        uint64_t op_total_ns[IFP_N_PHASES]; /* of the whole op, with and without shapes */
        enum ifp_kind op_kind;
};

struct report_shapes {
        struct report_shape *at;
        size_t n, room;
        struct report_formula **formulas;
        size_t n_formulas, formulas_room;
        const struct report_roof *roof; /* that they are held against */
};

/* The work of one call, by its op or by what its user declared. */
struct work_amount report_shape_work(const struct report_shape *s);

/* Calls added up, and what work they were. */
struct work_sum {
        uint64_t calls, total_ns, child_ns;
        double wall_ns;                      /* of all calls */
        uint64_t flops, bytes;               /* of those that they are known of: */
        uint64_t flops_calls, bytes_calls;   /* so many */
        double flops_wall_ns, bytes_wall_ns; /* that took so long */
        bool saturated, at_most;
        struct roof_sum roof;
};

void report_work_add(struct work_sum *to, const struct report_shapes *shapes,
                     const struct report_shape *s, int phase, const struct work_amount *each);
/* Sets flops, bytes, and what follows from them. */
void report_work_put(json_t *o, const struct work_sum *w);

/* 0, -ENOMEM or RUNFILE_E_*; to be done also on failure. */
int report_shapes_load(struct report_shapes *ret, const struct model *m, struct runfile *rf,
                       char **ret_why);
void report_shapes_done(struct report_shapes *s);

/* By op, then by text. */
int report_shapes_compare(const void *a, const void *b);

/* Sets flops, bytes, what follows from them, and shapes. */
int report_shapes_put(json_t *o, const struct report_shapes *s, const struct model_op *op);

/* What a reader must know of them. */
void report_shapes_notes(json_t *notes, const struct report_shapes *s, const json_t *ops);
