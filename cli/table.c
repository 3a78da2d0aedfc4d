/* SPDX-License-Identifier: MIT */
#include "cli/table.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/text.h"

#define GAP         2u
#define NARROW_CELL 24u /* a flexible column gets this much before others are left out */
#define LEAST_CELL  8u
#define USUAL_LINES 40u /* where nobody says how many there are */

struct table {
        const struct table_column *columns;
        size_t n_columns;
        char **cells; /* row by row, the titles first */
        size_t n_rows, room;
        bool failed;
};

struct table *table_new(const struct table_column *columns, size_t n_columns)
{
        struct table *t = calloc(1, sizeof(*t));
        const char **titles;

        if (!t)
                return NULL;
        t->columns = columns;
        t->n_columns = n_columns;
        titles = calloc(n_columns, sizeof(*titles));
        if (!titles)
                return table_free(t);
        for (size_t i = 0; i < n_columns; i++)
                titles[i] = columns[i].title;
        table_add(t, titles);
        free(titles);
        return t;
}

struct table *table_free(struct table *t)
{
        if (!t)
                return NULL;
        for (size_t i = 0; i < t->n_rows * t->n_columns; i++)
                free(t->cells[i]);
        free(t->cells);
        free(t);
        return NULL;
}

void table_add(struct table *t, const char *const *cells)
{
        char **row;

        if (t->n_rows == t->room) {
                size_t room = t->room ? t->room * 2 : 32;
                char **grown = reallocarray(t->cells, room * t->n_columns, sizeof(*grown));

                if (!grown) {
                        t->failed = true;
                        return;
                }
                t->cells = grown;
                t->room = room;
        }
        row = &t->cells[t->n_rows++ * t->n_columns];
        for (size_t i = 0; i < t->n_columns; i++) {
                row[i] = text_clean(cells[i] ? cells[i] : "", 1u << 20);
                t->failed |= !row[i];
        }
}

static unsigned line_width(const struct table *t, const unsigned *widths)
{
        unsigned sum = 0;

        for (size_t i = 0; i < t->n_columns; i++)
                if (widths[i])
                        sum += widths[i] + (sum ? GAP : 0);
        return sum;
}

static size_t most_expendable(const struct table *t, const unsigned *widths)
{
        size_t worst = t->n_columns;

        for (size_t i = 0; i < t->n_columns; i++)
                if (widths[i] && t->columns[i].expend &&
                    (worst == t->n_columns || t->columns[i].expend > t->columns[worst].expend))
                        worst = i;
        return worst;
}

/* Widths of the columns, 0 for those left out. */
static void lay_out(const struct table *t, unsigned width, unsigned *widths)
{
        size_t flexible = t->n_columns, victim;
        unsigned natural = 0, used;

        for (size_t i = 0; i < t->n_columns; i++) {
                widths[i] = 1;
                for (size_t row = 0; row < t->n_rows; row++) {
                        const char *cell = t->cells[row * t->n_columns + i];
                        unsigned w = cell ? text_width(cell) : 0;

                        if (w > widths[i])
                                widths[i] = w;
                }
                if (t->columns[i].flexible)
                        flexible = i;
        }
        if (!width || line_width(t, widths) <= width)
                return;
        if (flexible < t->n_columns) {
                unsigned narrow =
                        t->columns[flexible].narrow ? t->columns[flexible].narrow : NARROW_CELL;

                natural = widths[flexible];
                if (natural > narrow)
                        widths[flexible] = narrow;
        }
        while (line_width(t, widths) > width &&
               (victim = most_expendable(t, widths)) < t->n_columns)
                widths[victim] = 0;
        if (flexible == t->n_columns || !widths[flexible])
                return;
        used = line_width(t, widths);
        if (used > width)
                widths[flexible] -= used - width < widths[flexible] - LEAST_CELL
                                            ? used - width
                                            : widths[flexible] - LEAST_CELL;
        else
                widths[flexible] = widths[flexible] + width - used < natural
                                           ? widths[flexible] + width - used
                                           : natural;
}

static void print_blanks(FILE *f, unsigned n)
{
        fprintf(f, "%*s", (int)n, "");
}

static void print_row(const struct table *t, size_t row, const unsigned *widths, FILE *f)
{
        unsigned owed = 0;

        for (size_t i = 0; i < t->n_columns; i++) {
                char *cell;
                unsigned w, pad;

                if (!widths[i])
                        continue;
                cell = t->columns[i].cut && row
                               ? t->columns[i].cut(t->cells[row * t->n_columns + i], widths[i])
                               : text_clean(t->cells[row * t->n_columns + i], widths[i]);
                w = cell ? text_width(cell) : 0;
                pad = widths[i] - w;
                if (w) {
                        print_blanks(f, owed + (t->columns[i].right ? pad : 0));
                        fputs(cell, f);
                        owed = t->columns[i].right ? 0 : pad;
                } else {
                        owed += pad;
                }
                owed += GAP; /* blanks at the end of a line are never paid */
                free(cell);
        }
        fputc('\n', f);
}

static void print_left_out(const struct table *t, const unsigned *widths, unsigned width, FILE *f)
{
        char *names = NULL;
        size_t size;
        FILE *m = open_memstream(&names, &size);

        if (!m)
                return;
        for (size_t i = 0; i < t->n_columns; i++)
                if (!widths[i])
                        fprintf(m, "%s%s", ftell(m) ? ", " : "no room for ", t->columns[i].title);
        if (ftell(m))
                fputs(": use a wider terminal or a pipe)", m);
        if (!fclose(m) && size)
                table_wrap(f, "(", names, width);
        free(names);
}

bool table_print(struct table *t, FILE *f, unsigned width)
{
        return table_print_counted(t, f, width, NULL);
}

bool table_print_counted(struct table *t, FILE *f, unsigned width, unsigned *n_left_out)
{
        unsigned *widths = calloc(t->n_columns, sizeof(*widths));

        if (!widths || t->failed) {
                free(widths);
                return false;
        }
        lay_out(t, width, widths);
        for (size_t row = 0; row < t->n_rows; row++)
                print_row(t, row, widths, f);
        for (size_t i = 0; n_left_out && i < t->n_columns; i++)
                *n_left_out += !widths[i];
        if (!n_left_out)
                print_left_out(t, widths, width, f);
        free(widths);
        return true;
}

void table_wrap(FILE *f, const char *label, const char *text, unsigned width)
{
        char *clean = text_clean(text, 1u << 20), *word, *rest = clean;
        unsigned indent = text_width(label), at = indent;
        bool first = true;

        fputs(label, f);
        while (rest && (word = strsep(&rest, " "))) {
                unsigned w = text_width(word);

                if (!first && width && at + 1 + w > width) {
                        fputc('\n', f);
                        print_blanks(f, indent);
                        at = indent;
                        first = true;
                }
                fprintf(f, "%s%s", first ? "" : " ", word);
                at += w + !first;
                first = false;
        }
        fputc('\n', f);
        free(clean);
}

unsigned table_output_width(void)
{
        struct winsize size;

        if (!isatty(STDOUT_FILENO)) {
                if (!text_is_utf8())
                        setlocale(LC_CTYPE, "C.UTF-8");
                return 0;
        }
        return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col >= 20 ? size.ws_col : 80;
}

unsigned table_output_lines(void)
{
        struct winsize size;

        if (!isatty(STDOUT_FILENO))
                return USUAL_LINES;
        return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row > 1 ? size.ws_row - 1u : 23;
}
