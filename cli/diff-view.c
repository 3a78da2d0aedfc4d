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
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"

#define LONG 24 /* characters that two texts have in common, before these are cut out */

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

/* Where two long texts are of words: from the first word that differs to the last. To be freed. */
static char *cut_out(const char *s, const char *other)
{
        size_t n = strlen(s), m = strlen(other), from = 0, end = 0, word;
        char *cut;

        while (s[from] && s[from] == other[from])
                from++;
        while (from && s[from - 1] != ' ')
                from--;
        while (end + from < n && end + from < m && s[n - 1 - end] == other[m - 1 - end])
                end++;
        while (end && s[n - end] != ' ')
                end--;
        word = from > 1 ? from - 2 : 0; /* an option's name is in front of its value */
        while (word && s[word - 1] != ' ')
                word--;
        if (from && s[word] == '-')
                from = word;
        if (from + end < LONG)
                return strdup(s);
        return asprintf(&cut, "%s%.*s%s", from ? "... " : "", (int)(n - end - from), s + from,
                        end ? " ..." : "") < 0
                       ? NULL
                       : cut;
}

static bool print_two(const struct view *v, const char *label, const char *a, const char *b)
{
        _cleanup_(freep) char *p = cut_out(a, b), *q = cut_out(b, a), *both = NULL;

        if (!p || !q || asprintf(&both, "%s | %s", p, q) < 0)
                return false;
        table_wrap(v->f, label, both, v->width);
        return true;
}

static bool print_surroundings(const struct view *v, const json_t *document)
{
        const json_t *list = json_object_get(document, "surroundings"), *o;
        size_t i, n = json_array_size(list);
        bool ok = true;

        if (!n)
                return true;
        if (!screen_shows(v, 1)) {
                screen_leave(v, n, "surrounding difference");
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
                if (!ok)
                        return false;
                if (!strcmp(a, b))
                        fprintf(v->f, "%sit varies within both sides\n", label);
                else
                        ok = print_two(v, label, a, b);
        }
        return ok;
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
