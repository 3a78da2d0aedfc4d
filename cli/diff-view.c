/* SPDX-License-Identifier: MIT */
/*
 * What must be known first, the verdict, the sides and what is different around them; then where
 * the difference comes from, and what else differs.
 */
#include "cli/diff-view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/screen.h"
#include "cli/text.h"
#include "common/cleanup.h"

static void print_first(const struct view *v, const json_t *document)
{
        const json_t *line;
        size_t i;

        json_array_foreach(json_object_get(document, "first"), i, line)
        {
                view_say(v, "beware", "%s", json_string_value(line));
        }
}

static void print_side(const struct view *v, const char *label, const json_t *side)
{
        const json_t *runs = json_object_get(side, "runs"), *run = json_array_get(runs, 0);
        size_t n = json_array_size(runs);

        if (n == 1)
                view_say_briefly(v, label, "%s: %s", text_string(run, "id", "?"),
                                 text_string(run, "command", "?"));
        else
                view_say_briefly(v, label, "%zu runs: %s", n, text_string(run, "command", "?"));
}

/* "x, y" of an array of texts; to be freed. */
static char *joined(const json_t *texts)
{
        const json_t *text;
        char *s = NULL;
        size_t bytes, i;
        FILE *f = open_memstream(&s, &bytes);

        if (!f)
                return NULL;
        if (!json_array_size(texts))
                fputs("(none)", f);
        json_array_foreach(texts, i, text)
        {
                fprintf(f, "%s%s", i ? ", " : "", json_string_value(text));
        }
        return fclose(f) ? free(s), NULL : s;
}

static bool print_surroundings(const struct view *v, const json_t *document)
{
        const json_t *list = json_object_get(document, "surroundings"), *o;
        size_t i, n = json_array_size(list);

        if (!n)
                return true;
        if (!screen_shows(v, 1)) {
                screen_leave(v, n, "difference of surroundings");
                return true;
        }
        view_heading(v, "what is different around them");
        json_array_foreach(list, i, o)
        {
                _cleanup_(freep) char *a = joined(json_object_get(o, "a"));
                _cleanup_(freep) char *b = joined(json_object_get(o, "b"));
                char label[64];

                if (!a || !b)
                        return false;
                snprintf(label, sizeof(label), "  %s: ", text_string(o, "what", "?"));
                if (!strcmp(a, b))
                        fprintf(v->f, "%sit varies within both sides\n", label);
                else
                        fprintf(v->f, "%s%s | %s\n", label, a, b);
        }
        return true;
}

bool diff_print(const struct view *v, size_t rows, const json_t *document)
{
        print_first(v, document);
        view_say(v, "verdict", "%s: %s", text_string(document, "verdict", "?"),
                 text_string(document, "because", "?"));
        print_side(v, "A", json_object_get(document, "a"));
        print_side(v, "B", json_object_get(document, "b"));
        if (!diff_print_rows(v, rows, document) || !diff_print_figures(v, rows, document) ||
            !print_surroundings(v, document))
                return false;
        view_notes(v, document);
        return true;
}
