/* SPDX-License-Identifier: MIT */
/*
 * Rows of a difference as a tree: op, layer, shape. A frame is as wide as its time in B; red where
 * that is more than in A, blue where less. What only A has is not there.
 */
#include "cli/diff-flame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/flame.h"
#include "cli/flame-name.h"
#include "cli/out-file.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

DEFINE_CLEANUP(struct flame_node *, flame_tree_free, flame_tree_freep);

static int put_row(struct flame_node *root, const json_t *row)
{
        const char *op = text_string(row, "op", NULL), *shape = text_string(row, "shape", NULL);
        const char *part = text_string(row, "part", NULL);
        double layer = text_number(row, "layer");
        const json_t *self = json_object_get(row, "self_ns");
        _cleanup_(freep) char *name = op ? flame_op_name(op) : NULL;
        struct flame_step steps[3];
        char place[64];
        size_t n = 0;

        if (op && !name)
                return -1;
        steps[n++] = (struct flame_step){op ? name : "in no op", op ? FLAME_OP : FLAME_NOTE};
        if (!isnan(layer))
                snprintf(place, sizeof(place), "layer %.0f%s%s", layer, part ? ", " : "",
                         part ? part : "");
        else
                snprintf(place, sizeof(place), "%s", part ? part : "");
        if (*place)
                steps[n++] = (struct flame_step){place, FLAME_PHASE};
        if (shape)
                steps[n++] = (struct flame_step){shape, FLAME_FRAME};
        return flame_tree_put(root, steps, n, fmax(text_number(self, "b"), 0),
                              fmax(text_number(self, "a"), 0));
}

/* "time of all threads, of a token: 12.3us in A, 13.4us in B · slower" */
static char *subtitle_of(const json_t *document)
{
        const json_t *whole = json_object_get(document, "whole");
        char a[FMT_SIZE], b[FMT_SIZE], *s;

        fmt_ns(a, (uint64_t)llround(text_number(whole, "a")));
        fmt_ns(b, (uint64_t)llround(text_number(whole, "b")));
        return asprintf(
                       &s,
                       "time of all threads, of a %s: %s in A, %s in B · as wide as in B · %s · A: "
                       "%s · B: %s",
                       text_string(whole, "of", "run"), a, b, text_string(document, "verdict", "?"),
                       text_string(json_object_get(document, "a"), "command", "?"),
                       text_string(json_object_get(document, "b"), "command", "?")) < 0
                       ? NULL
                       : s;
}

static int no_memory(const char *verb)
{
        cmd_error(verb, "out of memory");
        return CMD_NO;
}

int diff_flame(const char *verb, const json_t *document, const char *path)
{
        _cleanup_(flame_tree_freep) struct flame_node *root = flame_tree_root();
        _cleanup_(freep) char *subtitle = NULL, *text = NULL;
        const json_t *row;
        size_t bytes = 0, i;
        FILE *out;
        int r = 0;

        if (!root)
                return no_memory(verb);
        json_array_foreach(json_object_get(document, "rows"), i, row)
        {
                r = r ? r : put_row(root, row);
        }
        if (r)
                return no_memory(verb);
        if (llround(root->value) <= 0) {
                cmd_error(verb, "no op was seen in B: there is nothing to draw");
                return CMD_NOTHING;
        }
        subtitle = subtitle_of(document);
        out = subtitle ? open_memstream(&text, &bytes) : NULL;
        if (!out)
                return no_memory(verb);
        r = flame_svg(out, root,
                      &(struct flame_text){.title = "B beside A, by op",
                                           .subtitle = subtitle,
                                           .unit = "ns",
                                           .differs = true});
        if (fclose(out) == EOF || r)
                return no_memory(verb);
        return out_file_write(verb, path, text, bytes);
}
