/* SPDX-License-Identifier: MIT */
/*
 * A sweep as bars in a terminal: a line for each configuration, a panel for each figure, all bars
 * of a panel to one scale from 0.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bar.h"
#include "cli/screen.h"
#include "cli/sweep-view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"

#define USUAL_WIDTH 80u
#define MOST_WIDTH  140u
#define LEAST_BAR   5u
#define LEAST_LABEL 4u
#define MOST_LABEL  24u
#define FIGURE      7u
#define N_PANELS    4u

struct panel {
        const char *member, *title;
        double most;
        bool shown;
};

static const char *figure(char *buf, unsigned panel, double v)
{
        switch (panel) {
        case 0:
                return text_count(buf, v);
        case 1:
                return text_duration(buf, v);
        case 2:
                return isnan(v) ? "-" : (snprintf(buf, TEXT_CELL, "%.0f%%", v * 100), buf);
        default:
                return isnan(v) ? "-" : (snprintf(buf, TEXT_CELL, "%.2fx", v), buf);
        }
}

static unsigned scale(struct panel *panels, const json_t *rows)
{
        unsigned n = 0;
        const json_t *row;
        size_t i;

        for (unsigned k = 0; k < N_PANELS; k++) {
                json_array_foreach(rows, i, row)
                {
                        double v = text_number(row, panels[k].member);

                        panels[k].most = isfinite(v) ? fmax(panels[k].most, v) : panels[k].most;
                }
                panels[k].shown = panels[k].most > 0;
                n += panels[k].shown;
        }
        return n;
}

static int widest(const json_t *parameter)
{
        const json_t *v;
        unsigned most = 0;
        size_t i;

        json_array_foreach(json_object_get(parameter, "values"), i, v)
        {
                unsigned n = text_width(json_string_value(v));

                most = n > most ? n : most;
        }
        return (int)most;
}

/* The values that differ, "2 fine"; to be freed. */
static char *label_of(const json_t *document, const json_t *row)
{
        _cleanup_(json_decrefp) json_t *parameters = sweep_ordered_parameters(document);
        const json_t *parameter, *values = json_object_get(row, "values");
        char *text = NULL;
        size_t bytes, i, n = 0;
        FILE *f = open_memstream(&text, &bytes);

        if (!f)
                return NULL;
        json_array_foreach(parameters, i, parameter)
        {
                const char *v = text_string(values, text_string(parameter, "name", ""), "?");

                if (json_array_size(json_object_get(parameter, "values")) > 1)
                        fprintf(f, "%s%*s", n++ ? " " : "",
                                i + 1 < json_array_size(parameters) ? widest(parameter) : 0, v);
        }
        if (fclose(f) != EOF)
                return text;
        free(text);
        return NULL;
}

/* ---- order ------------------------------------------------------------------------------- */

/* Which of the values of a parameter a row has. */
static size_t place(const json_t *parameter, const json_t *row)
{
        const char *name = text_string(parameter, "name", "");
        const char *wanted = text_string(json_object_get(row, "values"), name, ""), *v;
        const json_t *value;
        size_t i;

        json_array_foreach(json_object_get(parameter, "values"), i, value)
        {
                v = json_string_value(value);
                if (v && !strcmp(v, wanted))
                        return i;
        }
        return 0;
}

json_t *sweep_ordered_parameters(const json_t *document)
{
        const json_t *settings = json_object_get(document, "settings"), *p, *last = NULL;
        const char *compare = text_string(settings, "compare", "");
        json_t *list = json_array();
        size_t i;

        json_array_foreach(json_object_get(document, "parameters"), i, p)
        {
                if (!strcmp(text_string(p, "name", ""), compare))
                        last = p;
                else
                        json_array_append(list, (json_t *)p);
        }
        if (last)
                json_array_append(list, (json_t *)last);
        return list;
}

/* Where a row comes, the last of these parameters changing fastest. */
static size_t order_of(const json_t *parameters, const json_t *row)
{
        const json_t *p;
        size_t i, at = 0;

        json_array_foreach(parameters, i, p)
        {
                at = at * json_array_size(json_object_get(p, "values")) + place(p, row);
        }
        return at;
}

json_t *sweep_ordered(const json_t *document)
{
        const json_t *rows = json_object_get(document, "rows"), *row;
        size_t n = json_array_size(rows), i;
        _cleanup_(freep) const json_t **at = calloc(n + 1, sizeof(*at));
        _cleanup_(json_decrefp) json_t *parameters = sweep_ordered_parameters(document);
        json_t *list = json_array();

        if (!at || !list) {
                json_decref(list);
                return NULL;
        }
        json_array_foreach(rows, i, row)
        {
                size_t k = order_of(parameters, row);

                at[k < n ? k : i] = row;
        }
        for (i = 0; i < n; i++)
                if (at[i])
                        json_array_append(list, (json_t *)at[i]);
        return list;
}

/* ---- bars -------------------------------------------------------------------------------- */

static void put(FILE *f, const char *s, unsigned width, bool right)
{
        unsigned n = text_width(s);

        if (right)
                fprintf(f, "%*s", n < width ? (int)(width - n) : 0, "");
        fputs(s, f);
        if (!right)
                fprintf(f, "%*s", n < width ? (int)(width - n) : 0, "");
}

static bool put_row(const struct view *v, const struct panel *panels, const json_t *row,
                    unsigned bar, unsigned last)
{
        char text[TEXT_CELL];

        for (unsigned k = 0; k < N_PANELS; k++) {
                double value = text_number(row, panels[k].member);
                _cleanup_(freep) char *blocks = NULL;

                if (!panels[k].shown)
                        continue;
                blocks = bar_text(isnan(value) ? NAN : value / panels[k].most, bar);
                if (!blocks)
                        return false;
                fputs("  ", v->f);
                put(v->f, figure(text, k, value), FIGURE, true);
                if (k == last) /* no blanks at the end of a line */
                        for (size_t n = strlen(blocks); n && blocks[n - 1] == ' ';)
                                blocks[--n] = '\0';
                fprintf(v->f, "%s%s", *blocks ? " " : "", blocks);
        }
        fputc('\n', v->f);
        return true;
}

static unsigned label_width(const json_t *document, const json_t *rows, size_t shown)
{
        const json_t *row;
        unsigned most = LEAST_LABEL;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                _cleanup_(freep) char *text = label_of(document, row);

                if (text && i < shown && text_width(text) > most)
                        most = text_width(text);
        }
        return most < MOST_LABEL ? most : MOST_LABEL;
}

static void put_titles(FILE *f, const struct panel *panels, unsigned label, unsigned bar,
                       unsigned last)
{
        fprintf(f, "\n%*s", (int)label, "");
        for (unsigned k = 0; k < N_PANELS; k++)
                if (panels[k].shown) {
                        fputs("  ", f);
                        put(f, panels[k].title, k == last ? 0 : FIGURE + 1 + bar, false);
                }
        fputc('\n', f);
}

bool sweep_print_bars(const struct view *v, const json_t *document, size_t n_most)
{
        bool of_token = !strcmp(text_string(document, "latency_of", ""), "token");
        struct panel panels[N_PANELS] = {
                {"throughput", text_string(json_object_get(document, "metric"), "unit", ""), 0, 0},
                {"p50_ns", of_token ? "p50 of a token" : "p50 of a run", 0, 0},
                {"efficiency", "efficiency", 0, 0},
                {"overhead", "overhead", 0, 0}};
        _cleanup_(json_decrefp) json_t *rows = sweep_ordered(document);
        unsigned n = scale(panels, rows), label, width = v->width ? v->width : USUAL_WIDTH, bar;
        unsigned last = 0;
        const json_t *row;
        size_t i, shown = view_shown(n_most, json_array_size(rows));

        if (!rows || !n)
                return rows != NULL;
        width = width < MOST_WIDTH ? width : MOST_WIDTH;
        label = label_width(document, rows, shown);
        bar = width > label ? (width - label) / n : 0;
        bar = bar > FIGURE + 3 + LEAST_BAR ? bar - FIGURE - 3 : LEAST_BAR;
        for (unsigned k = 0; k < N_PANELS; k++)
                last = panels[k].shown ? k : last;
        put_titles(v->f, panels, label, bar, last);
        json_array_foreach(rows, i, row)
        {
                _cleanup_(freep) char *text = label_of(document, row);
                _cleanup_(freep) char *clean = text_clean(text ? text : "?", label);

                if (i == shown)
                        break;
                put(v->f, clean ? clean : "?", label, !sweep_is_compared(document));
                if (!put_row(v, panels, row, bar, last))
                        return false;
        }
        return true;
}
