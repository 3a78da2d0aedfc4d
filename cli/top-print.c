/* SPDX-License-Identifier: MIT */
/*
 * The plain form of top, for scripts and pipes: the same pieces and tables as
 * on the screen, whole names, no control sequences.
 */
#include "cli/top-view.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/text.h"

#define SPARK_WIDTH 20
#define LINE_WIDTH  100

static void print_pieces(const struct top_view *v)
{
        char *pieces[TOP_MAX_PIECES], *clean;
        size_t n = top_pieces(v, pieces);
        unsigned used = 0, w;

        for (size_t i = 0; i < n; i++) {
                clean = text_clean(pieces[i], 100000);
                w = clean ? text_width(clean) : 0;
                if (i && used + 3 + w > LINE_WIDTH) {
                        putchar('\n');
                        used = 0;
                }
                used += (unsigned)printf("%s%s", used ? "   " : "", clean ? clean : "");
                free(clean);
                free(pieces[i]);
        }
        putchar('\n');
        if ((clean = top_course(v, LINE_WIDTH)))
                puts(clean);
        free(clean);
        putchar('\n');
}

/* One line; blanks at its end are left out. */
static void print_line(const struct top_view *v, const unsigned *widths, const struct top_row *row)
{
        const struct top_column *columns = top_kind(v)->columns;
        size_t n = top_kind(v)->n_columns;
        unsigned blanks = 0;

        for (size_t i = 0; i < n; i++) {
                char *cell, *end;

                if (!widths[i])
                        continue;
                cell = row ? top_cell_text(row, &columns[i], widths[i])
                           : top_heading_text(&columns[i], widths[i]);
                if (!cell)
                        continue;
                for (char *p = cell; *p; p = end) {
                        for (end = p; *end == ' '; end++)
                                blanks++;
                        if (end > p || !*end)
                                continue;
                        while (*end && *end != ' ')
                                end++;
                        printf("%*s%.*s", (int)blanks, "", (int)(end - p), p);
                        blanks = 0;
                }
                free(cell);
                blanks++;
        }
        putchar('\n');
}

static void print_table(const struct top_view *v)
{
        unsigned widths[TOP_MAX_COLUMNS];
        const struct top_table_kind *k = top_kind(v);

        top_layout(v, UINT_MAX, widths);
        for (size_t i = 0; i < k->n_columns; i++)
                if (k->columns[i].cell == TOP_CELL_SPARK)
                        widths[i] = SPARK_WIDTH;
        print_line(v, widths, NULL);
        for (size_t i = 0; i < v->n_rows; i++)
                print_line(v, widths, &v->rows[i]);
        if (!v->n_rows)
                printf("(%s)\n", v->filter[0] && top_table_size(v, top_table(v))
                                         ? "nothing matches the filter"
                                         : k->empty);
}

void top_print(struct top_view *v)
{
        const struct top_tab_kind *tab = &top_tabs[v->tab];

        print_pieces(v);
        for (unsigned t = 0; t < tab->n; t++) {
                v->tables[v->tab] = tab->first + t;
                if (top_view_update(v) < 0)
                        return;
                if (t)
                        putchar('\n');
                print_table(v);
        }
}
