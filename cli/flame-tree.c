/* SPDX-License-Identifier: MIT */
/*
 * Merging of stacks. Two frames are one node when the nodes below them are one and name, object
 * and kind are equal; lines and offsets do not tell them apart. Stacks have some hundred
 * frames at most, so what walks the tree may recurse.
 */
#include "cli/flame-tree.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flame-name.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/function-name.h"

DEFINE_CLEANUP(struct flame_node *, flame_tree_free, flame_tree_freep);

struct flame_node *flame_tree_free(struct flame_node *node)
{
        if (!node)
                return NULL;
        for (size_t i = 0; i < node->n_children; i++)
                flame_tree_free(node->children[i]);
        free(node->children);
        free(node->library);
        free(node->name);
        free(node);
        return NULL;
}

static struct flame_node *node_new(const char *name, const char *library, enum flame_kind kind,
                                   unsigned depth)
{
        _cleanup_(flame_tree_freep) struct flame_node *node = calloc(1, sizeof(*node));

        if (!node)
                return NULL;
        node->name = strdup(name);
        node->library = library ? strdup(library) : NULL;
        if (!node->name || (library && !node->library))
                return NULL;
        node->kind = kind;
        node->depth = depth;
        return steal_ptr(node);
}

static int compare(const struct flame_node *node, const char *name, const char *library,
                   enum flame_kind kind)
{
        int c = strcmp(node->name, name);

        if (!c)
                c = (int)node->kind - (int)kind;
        return c ? c : strcmp(node->library ? node->library : "", library ? library : "");
}

/* The child of that name, made where there is none. */
static struct flame_node *descend(struct flame_node *node, const char *name, const char *library,
                                  enum flame_kind kind)
{
        struct flame_node **children, *child;
        size_t low = 0, high = node->n_children;

        while (low < high) {
                size_t middle = (low + high) / 2;
                int c = compare(node->children[middle], name, library, kind);

                if (!c)
                        return node->children[middle];
                if (c < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        children = reallocarray(node->children, node->n_children + 1, sizeof(*children));
        if (!children)
                return NULL;
        node->children = children;
        child = node_new(name, library, kind, node->depth + 1);
        if (!child)
                return NULL;
        memmove(children + low + 1, children + low, (node->n_children - low) * sizeof(*children));
        children[low] = child;
        node->n_children++;
        return child;
}

/* What a stack adds to its nodes. */
struct amount {
        double value, before;
};

static void add_amount(struct flame_node *node, struct amount a)
{
        node->value += a.value;
        node->before += a.before;
}

/* One step up from *node, of a stack with this value. */
static int step(struct flame_node **node, struct amount value, const char *name,
                const char *library, enum flame_kind kind)
{
        struct flame_node *next = name ? descend(*node, name, library, kind) : NULL;

        if (!next)
                return -ENOMEM;
        add_amount(next, value);
        *node = next;
        return 0;
}

static int step_frame(struct flame_node **node, struct amount value, const json_t *frame)
{
        bool inlined = json_is_true(json_object_get(frame, "inlined"));
        _cleanup_(freep) char *name = flame_name(frame);

        return step(node, value, name, function_library(text_string(frame, "library", NULL)),
                    inlined ? FLAME_INLINED : FLAME_FRAME);
}

static int step_op(struct flame_node **node, struct amount value, const char *op)
{
        _cleanup_(freep) char *name = flame_op_name(op);

        return step(node, value, name, NULL, FLAME_OP);
}

/* A place where waits were, of which nothing is known but that. */
static const char *missing(const json_t *stack, const struct flame_options *options)
{
        const char *note = flame_missing(stack);

        if (!note && options->wait && !json_array_size(json_object_get(stack, "frames")))
                return "[stack not known]";
        return note;
}

static int step_wait(struct flame_node **node, struct amount value, const char *wait)
{
        _cleanup_(freep) char *line = flame_one_line(wait), *name = NULL;

        if (!line || asprintf(&name, "[%s]", line) < 0)
                return -ENOMEM;
        return step(node, value, name, NULL, FLAME_WAIT);
}

static int add_stack(struct flame_node *node, const json_t *stack, struct amount value,
                     const struct flame_options *options)
{
        const json_t *frames = json_object_get(stack, "frames");
        const char *op = text_string(stack, "op", NULL), *note = missing(stack, options);
        int r = 0;

        add_amount(node, value);
        if (options->by_phase)
                r = step(&node, value, text_string(stack, "phase", "unknown"), NULL, FLAME_PHASE);
        if (!r && note)
                r = step(&node, value, note, NULL, FLAME_NOTE);
        for (size_t i = json_array_size(frames); !r && i-- > 0;)
                r = step_frame(&node, value, json_array_get(frames, i));
        if (!r && op)
                r = step_op(&node, value, op);
        if (!r && options->wait)
                r = step_wait(&node, value, text_string(stack, options->wait, "?"));
        if (!r) {
                node->self += value.value;
                node->before_self += value.before;
        }
        return r;
}

int flame_tree_put(struct flame_node *root, const struct flame_step *steps, size_t n, double value,
                   double before)
{
        const struct amount amount = {value, before};
        struct flame_node *node = root;
        int r = 0;

        add_amount(node, amount);
        for (size_t i = 0; !r && i < n; i++) {
                _cleanup_(freep) char *name = flame_one_line(steps[i].name);

                r = step(&node, amount, name, NULL, steps[i].kind);
        }
        node->self += r ? 0 : value;
        node->before_self += r ? 0 : before;
        return r;
}

struct flame_node *flame_tree_root(void)
{
        return node_new("all", NULL, FLAME_ROOT, 0);
}

/* The stacks of a document, as those that are drawn or those that they are held against. */
static int add_all(struct flame_node *root, struct flame_sum *sum, const json_t *document,
                   const struct flame_options *options, bool before)
{
        const json_t *stack;
        size_t i;

        json_array_foreach(json_object_get(document, options->list ? options->list : "stacks"), i,
                           stack)
        {
                double value = text_number(stack, options->value);
                struct amount amount = {before ? 0 : value, before ? value : 0};

                if (options->phase && strcmp(options->phase, text_string(stack, "phase", "")) != 0)
                        continue;
                if (options->only &&
                    strcmp(options->only, text_string(stack, options->wait, "")) != 0)
                        continue;
                if (value > 0 && isfinite(value)) {
                        if (add_stack(root, stack, amount, options))
                                return -ENOMEM;
                        sum->stacks++;
                } else if (value < 0) {
                        sum->left_out += value;
                }
        }
        return 0;
}

int flame_tree_new(struct flame_node **ret, struct flame_sum *ret_sum, const json_t *document,
                   const struct flame_options *options)
{
        _cleanup_(flame_tree_freep) struct flame_node *root = flame_tree_root();
        struct flame_sum sum = {0};

        if (!root || add_all(root, &sum, document, options, false))
                return -ENOMEM;
        *ret_sum = sum;
        *ret = steal_ptr(root);
        return 0;
}

int flame_tree_add_before(struct flame_node *root, const json_t *document,
                          const struct flame_options *options)
{
        struct flame_sum sum = {0};

        return add_all(root, &sum, document, options, true);
}

static int each(const struct flame_node *node, double from, flame_fn fn, void *userdata)
{
        int r = fn(node, from, userdata);

        for (size_t i = 0; !r && i < node->n_children; i++) {
                r = each(node->children[i], from, fn, userdata);
                from += node->children[i]->value;
        }
        return r;
}

int flame_tree_each(const struct flame_node *root, flame_fn fn, void *userdata)
{
        return each(root, 0, fn, userdata);
}
