/* SPDX-License-Identifier: MIT */
/*
 * The line-oriented form of a flame graph: `outermost;...;innermost COUNT`, one stack a line, as
 * the tools of that trade read it; of a difference with two counts, before and now.
 */
#include "cli/flame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

struct folded {
        FILE *out;
        const struct flame_node **nodes;
        size_t room;
        bool differs; /* two counts a line, before and now */
};

static void print_name(FILE *out, const struct flame_node *node)
{
        for (const char *c = node->name; *c; c++)
                putc(*c == ';' ? ':' : *c, out);
        if (node->kind == FLAME_INLINED)
                fputs("_[i]", out);
}

static int print_node(const struct flame_node *node, double from, void *userdata)
{
        struct folded *f = userdata;
        long long count = llround(node->self), before = llround(node->before_self);

        if (node->depth >= f->room) {
                size_t room = 2 * (size_t)node->depth + 64;
                const struct flame_node **nodes = reallocarray(f->nodes, room, sizeof(*f->nodes));

                if (!nodes)
                        return -1;
                f->nodes = nodes;
                f->room = room;
        }
        f->nodes[node->depth] = node;
        if (count <= 0 && !(f->differs && before > 0))
                return 0;
        for (unsigned d = 1; d <= node->depth; d++) {
                if (d > 1)
                        putc(';', f->out);
                print_name(f->out, f->nodes[d]);
        }
        fputs(node->depth ? "" : "[unknown]", f->out);
        if (f->differs)
                fprintf(f->out, " %lld", before);
        fprintf(f->out, " %lld\n", count);
        return 0;
}

int flame_folded(FILE *out, const struct flame_node *root, bool differs)
{
        struct folded f = {.out = out, .differs = differs};
        int r = flame_tree_each(root, print_node, &f);

        free(f.nodes);
        return r;
}
