/* SPDX-License-Identifier: MIT */
/*
 * The stacks of a document merged into one tree, outermost frames first: what a flame graph draws.
 * Stacks are those of infprof.memory/1, or the places of waits in infprof.waits/1, or the like.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum flame_kind {
        FLAME_ROOT,
        FLAME_PHASE,
        FLAME_FRAME,
        FLAME_INLINED,
        FLAME_OP,   /* the op that was open: leaf-most */
        FLAME_WAIT, /* what was waited for: above the op */
        FLAME_NOTE, /* says what is missing there */
};

struct flame_node {
        char *name;
        char *library; /* file name of the object; NULL: not known, or none */
        enum flame_kind kind;
        unsigned depth; /* the root has 0 */
        double value;   /* of all stacks through here; at least the sum of the children */
        double self;    /* of those that end here */
        double before, before_self;   /* the same in what it is held against */
        struct flame_node **children; /* by name */
        size_t n_children;
};

struct flame_options {
        const char *list;  /* the document's array of stacks; NULL: "stacks" */
        const char *value; /* member of a stack: "inuse_bytes", "alloc_objects", ... */
        const char *phase; /* of this phase alone; NULL: of all */
        bool by_phase;     /* a level of phases upon the root */
        const char *wait;  /* member of a stack: what was waited for; NULL: nothing */
        const char *only;  /* of these waits alone; NULL: of all */
};

struct flame_sum {
        size_t stacks;   /* that are in the tree */
        double left_out; /* sum of the stacks whose value is negative: between two marks more can be
                            freed than is allocated. They are not in the tree */
};

/* 0 or -ENOMEM. A root with the value 0 has no children. */
int flame_tree_new(struct flame_node **ret, struct flame_sum *ret_sum, const json_t *document,
                   const struct flame_options *options);

/* Puts in what it is held against, by other stacks: nodes that only those have are 0 wide. */
int flame_tree_add_before(struct flame_node *root, const json_t *document,
                          const struct flame_options *options);

struct flame_step {
        const char *name;
        enum flame_kind kind;
};

/* One stack more, given by its names from the root on. Both values are 0 or more. */
int flame_tree_put(struct flame_node *root, const struct flame_step *steps, size_t n, double value,
                   double before);
struct flame_node *flame_tree_root(void); /* one without children; NULL: no memory */

struct flame_node *flame_tree_free(struct flame_node *node);

/* `fn` for each node, parents first, siblings by name; `from` is where it begins on the scale of
 * values. A value other than 0 stops the walk and is forwarded. */
typedef int (*flame_fn)(const struct flame_node *node, double from, void *userdata);
int flame_tree_each(const struct flame_node *root, flame_fn fn, void *userdata);
