/* SPDX-License-Identifier: MIT */
#include "cli/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

bool screen_shows(const struct view *v, unsigned detail)
{
        return !v->screen || v->screen->detail >= detail;
}

void screen_leave(const struct view *v, size_t n, const char *what)
{
        struct screen *s = v->screen;
        size_t i = 0;

        if (!s)
                return;
        while (i < s->n_left && strcmp(s->left[i].what, what) != 0)
                i++;
        if (i == sizeof(s->left) / sizeof(s->left[0]))
                return;
        if (i == s->n_left)
                s->left[s->n_left++].what = what;
        s->left[i].n += n;
}

bool screen_table(const struct view *v, struct table *t)
{
        return table_print_counted(t, v->f, v->width, v->screen ? &v->screen->columns : NULL);
}

void screen_say_more(const struct view *v, size_t rows, size_t n, const char *what)
{
        if (!v->screen)
                view_say_more(v, rows, n);
        else if (n > view_shown(rows, n))
                screen_leave(v, n - view_shown(rows, n), what);
}

/* In one line: "(more with -n 0: 5 ops, spawns; in a wider terminal: 9 columns)". */
static void say_left(const struct view *v)
{
        const struct screen *s = v->screen;
        char text[256] = "", count[FMT_SIZE], columns[64] = "";
        size_t used = 0;

        for (size_t i = 0; i < s->n_left && used < sizeof(text); i++) {
                size_t n = s->left[i].n;

                used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%s%s%s",
                                         i ? ", " : "", n ? fmt_count(count, n) : "", n ? " " : "",
                                         s->left[i].what, n > 1 ? "s" : "");
        }
        if (s->columns)
                snprintf(columns, sizeof(columns), "%sin a wider terminal: %u column%s",
                         s->n_left ? "; " : "", s->columns, s->columns == 1 ? "" : "s");
        if (!s->n_left && !s->columns)
                return;
        if (v->width && strlen(text) + 18 > v->width)
                strcpy(text, "all of it");
        if (v->width && s->n_left && s->columns && strlen(text) + strlen(columns) + 18 > v->width)
                snprintf(columns, sizeof(columns), "; wider: %u column%s", s->columns,
                         s->columns == 1 ? "" : "s");
        if (v->width && s->n_left && s->columns && strlen(text) + strlen(columns) + 18 > v->width)
                strcpy(text, "all of it");
        fprintf(v->f, "(%s%s%s)\n", s->n_left ? "more with -n 0: " : "", s->n_left ? text : "",
                columns);
}

static size_t count_lines(const char *text)
{
        size_t n = 0;

        while ((text = strchr(text, '\n'))) {
                text++;
                n++;
        }
        return n;
}

/* False: no memory. */
static bool render(const struct view *v, size_t rows, unsigned detail, screen_print_t print,
                   const void *userdata, char **ret_text)
{
        struct screen screen = {.detail = detail, .rows = rows};
        struct view into = {.width = v->width, .screen = &screen};
        _cleanup_(freep) char *text = NULL;
        size_t bytes;
        bool ok;

        into.f = open_memstream(&text, &bytes);
        if (!into.f)
                return false;
        ok = print(&into, rows, userdata);
        say_left(&into);
        if (fclose(into.f) == EOF || !ok)
                return false;
        *ret_text = steal_ptr(text);
        return true;
}

bool screen_print(const struct view *v, size_t rows, size_t least, screen_print_t print,
                  const void *userdata)
{
        unsigned lines = table_output_lines();

        if (rows != SCREEN_FIT)
                return print(v, rows, userdata);
        for (unsigned detail = SCREEN_ALL;; detail--) {
                size_t fewest = detail == SCREEN_ALL ? 2 * least : detail ? least : 1;

                for (rows = lines;; rows--) {
                        bool last = rows <= fewest;
                        _cleanup_(freep) char *text = NULL;

                        if (!render(v, rows, detail, print, userdata, &text))
                                return false;
                        if (count_lines(text) <= lines || (last && !detail)) {
                                fputs(text, v->f);
                                return true;
                        }
                        if (last)
                                break;
                }
        }
}
