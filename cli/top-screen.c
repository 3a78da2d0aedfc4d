/* SPDX-License-Identifier: MIT */
/*
 * The live screen. One loop sleeps on keys, signals and the daemon's answer;
 * each changes the state below, and the whole screen is drawn anew from it. So
 * a daemon that is slow, gone or stopped never keeps a key waiting.
 *
 *     command, pid, phase                     header
 *     tokens, threads, memory, cost
 *     1 ops 23  2 threads 5  3 spawns 12      tabs, order, filter
 *     OP       CALLS/S TOTAL% ...             heading
 *     ...                                     rows, the selected one painted
 *     q quit  h help ...                      keys, or a prompt, or trouble
 */
#include "cli/top-screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "cli/cmd.h"
#include "cli/text.h"
#include "cli/tui.h"

#define TICK_MS   1000
#define MIN_DELAY 0.1
#define MAX_DELAY 3600.0

enum prompt {
        PROMPT_NONE,
        PROMPT_FILTER,
        PROMPT_DELAY,
};

struct screen {
        struct top_source *source;
        struct top_view *view;
        json_t *held; /* newest document while frozen, or NULL */
        bool frozen;
        bool help;
        enum prompt prompt;
        char input[64];
        char alert[256]; /* "" = none */
        bool waiting;    /* nothing was ever there to show */
        bool alert_stays;
        size_t selected, first; /* rows */
        bool moved;             /* the user has chosen a row: it is kept in sight */
        char *kept;             /* its name */
        double kept_tid;
        unsigned widths[TOP_MAX_COLUMNS];
        int table_rows; /* that fit */
        bool quit;
        int signal;
};

static void set_alert(struct screen *s, const char *text)
{
        snprintf(s->alert, sizeof(s->alert), "%s", text);
}

/* ---- the selected row ---- */

static const char *row_name(const struct top_row *r)
{
        return text_string(r->op ? r->op : r->item, "name", text_string(r->item, "function", ""));
}

static double row_tid(const struct top_row *r)
{
        double tid = text_number(r->item, "tid");

        return tid > 0 ? tid : 0;
}

static void keep_selected(struct screen *s)
{
        const struct top_row *r;

        free(s->kept);
        s->kept = NULL;
        if (s->selected >= s->view->n_rows)
                return;
        r = &s->view->rows[s->selected];
        s->kept = strdup(row_name(r));
        s->kept_tid = row_tid(r);
}

/* Rows have changed: finds the kept one again. */
static void refresh_rows(struct screen *s)
{
        struct top_view *v = s->view;

        top_view_update(v);
        for (size_t i = 0; s->moved && s->kept && i < v->n_rows; i++)
                if (row_tid(&v->rows[i]) == s->kept_tid &&
                    !strcmp(row_name(&v->rows[i]), s->kept)) {
                        s->selected = i;
                        break;
                }
        if (s->selected >= v->n_rows)
                s->selected = v->n_rows ? v->n_rows - 1 : 0;
        keep_selected(s);
}

static void move_selected(struct screen *s, long by)
{
        long n = (long)s->view->n_rows, to = (long)s->selected + by;

        to = to >= n ? n - 1 : to;
        s->selected = to < 0 ? 0 : (size_t)to;
        s->moved = s->selected > 0;
        keep_selected(s);
}

/* ---- drawing ---- */

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

static void draw_tabs(const struct screen *s, int y)
{
        const struct top_view *v = s->view;
        char buf[192];
        size_t n;
        int x = 0;

        for (unsigned t = 0; t < TOP_N_TABS; t++) {
                snprintf(buf, sizeof(buf), "%u %s %zu", t + 1, top_tab_name(t), top_tab_size(v, t));
                x = tui_put(y, x, t == v->tab ? TUI_TAB : TUI_PLAIN, buf) + 2;
        }
        snprintf(buf, sizeof(buf), "by %s%s", top_columns(v->tab, &n)[v->sort[v->tab]].title,
                 v->reverse[v->tab] ? ", reversed" : "");
        x = tui_put(y, x + 2, TUI_DIM, buf) + 2;
        if (v->filter[0]) {
                snprintf(buf, sizeof(buf), "filter: %s", v->filter);
                tui_put(y, x, TUI_STRONG, buf);
        }
}

static void draw_row(const struct screen *s, int y, const struct top_row *row)
{
        size_t n;
        const struct top_column *columns = top_columns(s->view->tab, &n);
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
                style = row                                ? TUI_PLAIN
                        : i == s->view->sort[s->view->tab] ? TUI_SORTED
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
                tui_put(y, 0, TUI_DIM, v->filter[0] ? "nothing matches the filter" : "nothing yet");
}

static void draw_footer(const struct screen *s, int y)
{
        char buf[192];

        if (s->prompt == PROMPT_NONE) {
                if (s->alert[0])
                        tui_put(y, 0, TUI_ALERT, s->alert);
                else
                        tui_put(y, 0, TUI_DIM,
                                tui_width() >= 72
                                        ? "q quit  h help  Tab next  s sort  r reverse  / filter  "
                                          "space freeze  t threads"
                                        : "q quit  h help  Tab  s sort  / filter");
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
                "Tab, 1 2 3                      ops, threads, spawns",
                "s or >, S or <                  sort by the next, the previous column",
                "r or I                          reverse the order",
                "/ or \\                          filter by name (Esc clears)",
                "t or Enter                      split the selected op by thread",
                "space or f                      freeze the screen; collecting goes on",
                "d                               seconds between updates",
                "n                               the next engine, where there are several",
                "Ctrl-L                          draw anew",
                "h ? F1                          this help",
                "q F10                           quit",
                "",
                "TOTAL%  share of the threads' time with the ops called from it",
                "SELF%   without them",
                "P50 P95 P99  half, 95 %, 99 % of the calls took no longer",
                "LAST MIN     calls in each of the last seconds, newest to the right",
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

static void draw(struct screen *s)
{
        int height = tui_height(), y, footer = height >= 5, tabs = height >= 7;

        tui_begin();
        if (s->help)
                draw_help();
        else if (!s->view->document)
                draw_waiting(s);
        else {
                y = draw_header(s, height >= 14 ? 3 : height >= 10 ? 2 : 1);
                if (tabs)
                        draw_tabs(s, y++);
                draw_table(s, y, height - y - footer);
                if (footer)
                        draw_footer(s, height - 1);
        }
        tui_end();
}

/* ---- keys ---- */

static void set_tab(struct screen *s, enum top_tab tab)
{
        s->view->tab = tab;
        s->selected = s->first = 0;
        s->moved = false;
        refresh_rows(s);
}

/* The next column that is on the screen. */
static void set_sort(struct screen *s, int step)
{
        enum top_tab tab = s->view->tab;
        size_t n, i = s->view->sort[tab];

        top_columns(tab, &n);
        do
                i = (i + n + (size_t)step) % n;
        while (!s->widths[i] && i != s->view->sort[tab]);
        s->view->sort[tab] = (unsigned)i;
        refresh_rows(s);
}

static void set_frozen(struct screen *s, bool frozen)
{
        s->frozen = frozen;
        if (!frozen && s->held) {
                top_view_set(s->view, s->held);
                s->held = NULL;
                refresh_rows(s);
        }
}

static void split_selected(struct screen *s)
{
        const struct top_row *r;

        if (s->view->tab != TOP_OPS || s->selected >= s->view->n_rows)
                return;
        r = &s->view->rows[s->selected];
        if (r->op) { /* on a thread: back to its op */
                free(s->kept);
                s->kept = strdup(row_name(r));
                s->kept_tid = 0;
        }
        top_view_toggle_split(s->view, row_name(r));
        s->moved = true;
        refresh_rows(s);
}

static void next_run(struct screen *s)
{
        set_frozen(s, false);
        s->alert[0] = '\0';
        s->selected = s->first = 0;
        s->moved = false;
        source_next_run(s->source);
}

static void edit(char *text, size_t n, int key)
{
        mbstate_t state = {0};
        char bytes[16];
        size_t len = strlen(text), more;

        if (key == TUI_KEY_BACKSPACE) {
                while (len && ((unsigned char)text[len - 1] & 0xc0) == 0x80)
                        len--;
                text[len ? len - 1 : 0] = '\0';
        } else if (key == ('u' & 0x1f))
                text[0] = '\0';
        else if (key >= 0x20 && key < TUI_KEY_UP) {
                more = wcrtomb(bytes, (wchar_t)key, &state);
                if (more != (size_t)-1 && len + more < n) {
                        memcpy(text + len, bytes, more);
                        text[len + more] = '\0';
                }
        }
}

static void prompt_key(struct screen *s, int key)
{
        bool is_filter = s->prompt == PROMPT_FILTER;
        double delay;
        char *end;

        if (key == TUI_KEY_ESCAPE || key == TUI_KEY_ENTER) {
                s->prompt = PROMPT_NONE;
                if (is_filter && key == TUI_KEY_ESCAPE) {
                        s->view->filter[0] = '\0';
                        refresh_rows(s);
                }
                if (is_filter || key == TUI_KEY_ESCAPE || !s->input[0])
                        return;
                delay = strtod(s->input, &end);
                if (*end || !(delay >= MIN_DELAY && delay <= MAX_DELAY))
                        set_alert(s, "seconds are a number from 0.1 to 3600");
                else
                        source_set_delay(s->source, delay);
                return;
        }
        if (key >= TUI_KEY_UP && key <= TUI_KEY_END && is_filter) {
                s->prompt = PROMPT_NONE;
                return;
        }
        edit(is_filter ? s->view->filter : s->input,
             is_filter ? sizeof(s->view->filter) : sizeof(s->input), key);
        if (is_filter)
                refresh_rows(s);
}

static bool move_key(struct screen *s, int key)
{
        switch (key) {
        case TUI_KEY_UP:
        case 'k':
                move_selected(s, -1);
                return true;
        case TUI_KEY_DOWN:
        case 'j':
                move_selected(s, 1);
                return true;
        case TUI_KEY_PAGE_UP:
                move_selected(s, -s->table_rows);
                return true;
        case TUI_KEY_PAGE_DOWN:
                move_selected(s, s->table_rows);
                return true;
        case TUI_KEY_HOME:
        case 'g':
                move_selected(s, -(long)s->view->n_rows);
                return true;
        case TUI_KEY_END:
        case 'G':
                move_selected(s, (long)s->view->n_rows);
                return true;
        default:
                return false;
        }
}

static void command_key(struct screen *s, int key)
{
        switch (key) {
        case 'q':
        case 'Q':
        case TUI_KEY_F10:
                s->quit = true;
                break;
        case 'h':
        case '?':
        case TUI_KEY_F1:
                s->help = true;
                break;
        case '\t':
        case TUI_KEY_RIGHT:
                set_tab(s, (s->view->tab + 1) % TOP_N_TABS);
                break;
        case TUI_KEY_BACK_TAB:
        case TUI_KEY_LEFT:
                set_tab(s, (s->view->tab + TOP_N_TABS - 1) % TOP_N_TABS);
                break;
        case '1':
        case '2':
        case '3':
                set_tab(s, (enum top_tab)(key - '1'));
                break;
        case 's':
        case '>':
        case '.':
                set_sort(s, 1);
                break;
        case 'S':
        case '<':
        case ',':
                set_sort(s, -1);
                break;
        case 'r':
        case 'I':
                s->view->reverse[s->view->tab] = !s->view->reverse[s->view->tab];
                refresh_rows(s);
                break;
        case '/':
        case '\\':
                s->prompt = PROMPT_FILTER;
                break;
        case 'd':
                s->prompt = PROMPT_DELAY;
                s->input[0] = '\0';
                break;
        case ' ':
        case 'f':
                set_frozen(s, !s->frozen);
                break;
        case 't':
        case TUI_KEY_ENTER:
                split_selected(s);
                break;
        case 'n':
                next_run(s);
                break;
        case TUI_KEY_ESCAPE:
                s->view->filter[0] = '\0';
                refresh_rows(s);
                break;
        case 'l' & 0x1f:
                tui_redraw();
                break;
        }
}

static void on_key(struct screen *s, int key)
{
        if (!s->alert_stays && s->view->document)
                s->alert[0] = '\0';
        if (s->help)
                s->help = false;
        else if (s->prompt != PROMPT_NONE)
                prompt_key(s, key);
        else if (!move_key(s, key))
                command_key(s, key);
}

/* ---- events ---- */

static void on_event(struct screen *s, enum source_event event, json_t *document, char *why)
{
        s->alert_stays = event > SOURCE_DOCUMENT;
        s->waiting = event == SOURCE_NO_ENGINE;
        switch (event) {
        case SOURCE_NOTHING:
                break;
        case SOURCE_DOCUMENT:
                s->alert[0] = '\0';
                if (s->frozen) {
                        json_decref(s->held);
                        s->held = document;
                        break;
                }
                top_view_set(s->view, document);
                refresh_rows(s);
                break;
        case SOURCE_NO_ENGINE:
                set_alert(s, "No engine is being profiled; waiting for one.");
                break;
        case SOURCE_NO_RUN:
                set_alert(s, why ? why : "infprofd does not know this run any more");
                break;
        case SOURCE_STOPPED:
                set_alert(s, "infprofd has ended; waiting for another (the engine goes on)");
                break;
        case SOURCE_CRASHED:
                set_alert(s, why ? why
                                 : "infprofd has crashed; starting another (the engine goes on)");
                break;
        case SOURCE_TROUBLE:
                set_alert(s, why ? why : "infprofd does not answer as it should");
                break;
        }
        free(why);
}

static void loop(struct screen *s)
{
        bool changed = true;

        while (!s->quit) {
                struct pollfd fds[2] = {{.fd = tui_key_fd(), .events = POLLIN},
                                        {.fd = tui_signal_fd(), .events = POLLIN}};
                enum source_event event;
                json_t *document = NULL;
                char *why = NULL;
                int key, sig;

                if (changed)
                        draw(s);
                changed = false;
                event = source_wait(s->source, fds, 2, TICK_MS, &document, &why);
                if (event != SOURCE_NOTHING) {
                        on_event(s, event, document, why);
                        changed = true;
                }
                while ((sig = tui_signal()) != 0) {
                        s->signal = sig;
                        s->quit = true;
                }
                changed |= fds[1].revents != 0;
                while (!s->quit && (key = tui_key()) != 0) {
                        if (key < 0) {
                                s->quit = true;
                                break;
                        }
                        on_key(s, key);
                        changed = true;
                }
        }
}

int top_screen(struct top_source *source, struct top_view *view)
{
        struct screen s = {.source = source, .view = view};
        char *why = NULL;

        if (tui_open(&why) < 0) {
                cmd_error("top", "%s", why ? why : "cannot take the terminal over");
                free(why);
                return CMD_NOTHING;
        }
        loop(&s);
        tui_close();
        json_decref(s.held);
        free(s.kept);
        if (s.signal && s.signal != SIGINT) {
                signal(s.signal, SIG_DFL);
                raise(s.signal);
        }
        return CMD_DONE;
}
