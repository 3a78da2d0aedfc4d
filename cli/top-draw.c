/* SPDX-License-Identifier: MIT */
/*
 * Draws the live screen from its state: the whole of it each time; ncurses
 * finds out what has changed.
 *
 *     command, pid, phase                     header
 *     tokens, threads, memory, cost
 *     1 ops 23  2 threads 5  3 spawns 12      tabs, order, filter
 *       by op 3  by phase 2                   where the tab has several tables
 *     OP       CALLS/S TOTAL% ...             heading
 *     ...                                     rows, the selected one painted
 *     q quit  h help ...                      keys, or a prompt, or trouble
 */
#include "cli/top-screen-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "cli/tui.h"

static enum tui_style phase_style(const char *piece)
{
        if (strstr(piece, "decode"))
                return TUI_DECODE;
        if (strstr(piece, "prefill"))
                return TUI_PREFILL;
        if (strstr(piece, "load"))
                return TUI_LOAD;
        return strncmp(piece, "ended", 5) ? TUI_PLAIN : TUI_ALERT;
}

/* The command without the directory of its program: the name is what tells engines apart. */
static const char *without_directory(const char *command)
{
        size_t word = strcspn(command, " '");
        const char *slash = memrchr(command, '/', word);

        return slash && slash[1] && slash[1] != ' ' ? slash + 1 : command;
}

/* The command gets what pid and state leave of the first line. Answers the next free line. */
static int draw_header(const struct screen *s, int max_lines)
{
        char *pieces[TOP_MAX_PIECES], *command;
        size_t n = top_pieces(s->view, pieces);
        int y = 0, x, room = tui_width() - (s->frozen ? 9 : 0);

        for (size_t i = 1; i < 3 && i < n; i++)
                room -= (int)text_width(pieces[i]) + 3;
        command =
                n ? text_clean(without_directory(pieces[0]), room > 8 ? (unsigned)room : 8) : NULL;
        x = tui_put(0, 0, TUI_STRONG, command ? command : "");
        free(command);
        for (size_t i = 1; i < 3 && i < n; i++)
                x = tui_put(0, x + 3, i == 2 ? phase_style(pieces[i]) : TUI_PLAIN, pieces[i]);
        if (s->frozen)
                tui_put(0, x + 3, TUI_ALERT, "FROZEN");
        x = tui_width();
        for (size_t i = 3; i < n; i++) {
                if (x + (x ? 3 : 0) + (int)text_width(pieces[i]) > tui_width()) {
                        if (y == max_lines)
                                break;
                        y++;
                        x = 0;
                }
                x = tui_put(y, x ? x + 3 : 0, TUI_PLAIN, pieces[i]);
        }
        for (size_t i = 0; i < n; i++)
                free(pieces[i]);
        return y + 1;
}

/* Answers the next free line. */
static int draw_course(const struct screen *s, int y)
{
        char *course = top_course(s->view, (unsigned)tui_width());

        if (course)
                tui_put(y++, 0, TUI_PLAIN, course);
        free(course);
        return y;
}

/* "1 ops 23", with the number of rows where `counted`; in buf[size]. */
static const char *tab_text(char *buf, size_t size, const struct top_view *v, unsigned tab,
                            bool counted)
{
        if (top_tabs[tab].n > 1 || !counted)
                snprintf(buf, size, "%u %s", tab + 1, top_tabs[tab].name);
        else
                snprintf(buf, size, "%u %s %zu", tab + 1, top_tabs[tab].name,
                         top_table_size(v, top_tabs[tab].first));
        return buf;
}

/* Numbers of rows go first where there is no room for all of the line. */
static void draw_tabs(const struct screen *s, int y)
{
        const struct top_view *v = s->view;
        char buf[192], by[64], filter[160] = "";
        unsigned need = 0;
        int x = 0;

        snprintf(by, sizeof(by), "by %s%s", top_kind(v)->columns[v->sort[top_table(v)]].title,
                 v->reverse[top_table(v)] ? ", reversed" : "");
        if (v->filter[0])
                snprintf(filter, sizeof(filter), "filter: %s", v->filter);
        for (unsigned t = 0; t < TOP_N_TABS; t++)
                need += text_width(tab_text(buf, sizeof(buf), v, t, true)) + 2;
        need += text_width(by) + 4 + text_width(filter);
        for (unsigned t = 0; t < TOP_N_TABS; t++)
                x = tui_put(y, x, t == v->tab ? TUI_TAB : TUI_PLAIN,
                            tab_text(buf, sizeof(buf), v, t, need <= (unsigned)tui_width())) +
                    2;
        if (filter[0])
                x = tui_put(y, x, TUI_STRONG, filter);
        tui_put(y, x + 2, TUI_DIM, by);
}

/* The tables of a tab that has several. Answers the next free line. */
static int draw_tables(const struct screen *s, int y)
{
        const struct top_view *v = s->view;
        const struct top_tab_kind *tab = &top_tabs[v->tab];
        char buf[64];
        int x = 2;

        for (unsigned t = tab->first; t < tab->first + tab->n; t++) {
                snprintf(buf, sizeof(buf), "%s %zu", top_tables[t].name, top_table_size(v, t));
                x = tui_put(y, x, t == top_table(v) ? TUI_TAB : TUI_PLAIN, buf) + 2;
        }
        tui_put(y, x, TUI_DIM, "(v: next)");
        return y + 1;
}

static void draw_row(const struct screen *s, int y, const struct top_row *row)
{
        const struct top_column *columns = top_kind(s->view)->columns;
        size_t n = top_kind(s->view)->n_columns;
        enum tui_style style;
        char *cell;
        int x = 0;

        if (!row)
                tui_paint(y, TUI_HEADING);
        for (size_t i = 0; i < n; i++) {
                if (!s->widths[i])
                        continue;
                cell = row ? top_cell_text(row, &columns[i], s->widths[i])
                           : top_heading_text(&columns[i], s->widths[i]);
                style = row                                      ? TUI_PLAIN
                        : i == s->view->sort[top_table(s->view)] ? TUI_SORTED
                                                                 : TUI_HEADING;
                if (x)
                        tui_put(y, x - 1, row ? TUI_PLAIN : TUI_HEADING, " ");
                tui_put(y, x, style, cell ? cell : "");
                x += (int)s->widths[i] + 1;
                free(cell);
        }
}

static void draw_table(struct screen *s, int y, int rows)
{
        const struct top_view *v = s->view;

        top_layout(v, (unsigned)tui_width(), s->widths);
        draw_row(s, y, NULL);
        tui_paint(y, TUI_HEADING);
        draw_row(s, y++, NULL);
        s->table_rows = rows > 1 ? rows - 1 : 1;
        if (s->selected < s->first)
                s->first = s->selected;
        if (s->selected >= s->first + (size_t)s->table_rows)
                s->first = s->selected - (size_t)s->table_rows + 1;
        if (s->first + (size_t)s->table_rows > v->n_rows)
                s->first =
                        v->n_rows > (size_t)s->table_rows ? v->n_rows - (size_t)s->table_rows : 0;
        for (int i = 0; i < s->table_rows && s->first + (size_t)i < v->n_rows; i++) {
                draw_row(s, y + i, &v->rows[s->first + (size_t)i]);
                if (s->first + (size_t)i == s->selected)
                        tui_paint(y + i, TUI_SELECTED);
        }
        if (!v->n_rows)
                tui_put(y, 0, TUI_DIM,
                        v->filter[0] && top_table_size(v, top_table(v))
                                ? "nothing matches the filter"
                                : top_kind(v)->empty);
}

static void draw_keys(const struct screen *s, int y)
{
        const char *split_by = top_kind(s->view)->split_by;
        char buf[96];

        if (tui_width() < 72)
                snprintf(buf, sizeof(buf), "q quit  h help  Tab  s sort  / filter");
        else
                snprintf(buf, sizeof(buf),
                         "q quit  h help  Tab next  s sort  r reverse  / filter  space freeze%s%s",
                         split_by ? "  t " : "", split_by ? split_by : "");
        tui_put(y, 0, TUI_DIM, buf);
}

static void draw_footer(const struct screen *s, int y)
{
        char buf[192];

        if (s->prompt == PROMPT_NONE) {
                if (s->alert[0])
                        tui_put(y, 0, TUI_ALERT, s->alert);
                else
                        draw_keys(s, y);
                return;
        }
        if (s->prompt == PROMPT_FILTER)
                snprintf(buf, sizeof(buf), "filter: %s", s->view->filter);
        else
                snprintf(buf, sizeof(buf), "seconds between updates (now %g): %s",
                         source_delay(s->source), s->input);
        tui_cursor(y, tui_put(y, 0, TUI_STRONG, buf));
}

static void draw_help(void)
{
        static const char *const lines[] = {
                "infprof top: keys",
                "",
                "arrows, PgUp, PgDn, Home, End   move",
                "Tab, 1 2 3 4 5 6                ops, threads, spawns, memory, waits, ledger",
                "v                               the next table of a tab that has several",
                "s or >, S or <                  sort by the next, the previous column",
                "r or I                          reverse the order",
                "/ or \\                          filter by name (Esc clears)",
                "t or Enter                      split the selected op by thread, by phase",
                "space or f                      freeze the screen; collecting goes on",
                "d                               seconds between updates",
                "n                               the next engine, where there are several",
                "Ctrl-L                          draw anew",
                "h ? F1                          this help",
                "q F10                           quit",
                "",
                "TOTAL%  share of the threads' time with the ops called from it",
                "SELF%   without them; ~ marks an estimate (not every call is timed)",
                "P50 P95 P99  half, 95 %, 99 % of the calls took no longer",
                "LAST MIN     calls, or allocations, in each of the last seconds",
                "NET     allocated in it less freed in it; below 0 where others' blocks are freed",
                "RUNNABLE%    of the last second: could have run, but had no CPU",
                "WAIT%        of the last second: waited for others, asleep or spinning",
                "",
                "any key goes back",
        };
        int n = sizeof(lines) / sizeof(lines[0]);

        for (int i = 0; i < n && i < tui_height(); i++)
                tui_put(i, 0, i ? TUI_PLAIN : TUI_STRONG,
                        i == tui_height() - 1 && i < n - 1 ? lines[n - 1] : lines[i]);
}

static void draw_waiting(const struct screen *s)
{
        tui_put(0, 0, TUI_STRONG, "infprof top");
        tui_put(2, 0, TUI_PLAIN, s->alert[0] ? s->alert : "asking infprofd ...");
        if (s->waiting) {
                tui_put(4, 0, TUI_PLAIN, "To see one here, run in another terminal:");
                tui_put(6, 4, TUI_PLAIN, "infprof record ./engine ...");
        }
        tui_put(tui_height() - 1, 0, TUI_DIM, "q quit");
}

void screen_draw(struct screen *s)
{
        int height = tui_height(), y, footer = height >= 5, tabs = height >= 7;

        tui_begin();
        if (s->help)
                draw_help();
        else if (!s->view->document)
                draw_waiting(s);
        else {
                y = draw_header(s, height >= 20 ? 4 : height >= 14 ? 3 : height >= 10 ? 2 : 1);
                if (height >= 14)
                        y = draw_course(s, y);
                if (tabs)
                        draw_tabs(s, y++);
                if (tabs && top_tabs[s->view->tab].n > 1)
                        y = draw_tables(s, y);
                draw_table(s, y, height - y - footer);
                if (footer)
                        draw_footer(s, height - 1);
        }
        tui_end();
}
