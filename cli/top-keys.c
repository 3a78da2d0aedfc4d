/* SPDX-License-Identifier: MIT */
/*
 * What the keys of the live screen do. They only change its state, so no key
 * can fail, and none waits for the daemon.
 */
#include "cli/top-screen-private.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "cli/tui.h"

#define MIN_DELAY 0.1
#define MAX_DELAY 3600.0

static void move_selected(struct screen *s, long by)
{
        long n = (long)s->view->n_rows, to = (long)s->selected + by;

        to = to >= n ? n - 1 : to;
        screen_select(s, to < 0 ? 0 : (size_t)to);
        s->moved = s->selected > 0;
}

static void set_table(struct screen *s, enum top_tab tab, enum top_table table)
{
        s->view->tab = tab;
        s->view->tables[tab] = table;
        s->selected = s->first = 0;
        s->moved = false;
        screen_refresh(s);
}

static void set_tab(struct screen *s, enum top_tab tab)
{
        set_table(s, tab, s->view->tables[tab]);
}

static void next_table(struct screen *s)
{
        const struct top_tab_kind *tab = &top_tabs[s->view->tab];

        if (tab->n > 1)
                set_table(s, s->view->tab,
                          tab->first + (top_table(s->view) - tab->first + 1) % tab->n);
}

/* The next column that is on the screen. */
static void set_sort(struct screen *s, int step)
{
        enum top_table table = top_table(s->view);
        size_t n = top_tables[table].n_columns, i = s->view->sort[table];

        do
                i = (i + n + (size_t)step) % n;
        while (!s->widths[i] && i != s->view->sort[table]);
        s->view->sort[table] = (unsigned)i;
        screen_refresh(s);
}

static void set_frozen(struct screen *s, bool frozen)
{
        s->frozen = frozen;
        if (!frozen && s->held) {
                top_view_set(s->view, s->held);
                s->held = NULL;
                screen_refresh(s);
        }
}

static void split_selected(struct screen *s)
{
        const struct top_row *r;

        if (!top_kind(s->view)->split || s->selected >= s->view->n_rows)
                return;
        r = &s->view->rows[s->selected];
        if (r->whole) /* back to it */
                screen_keep(s, &(struct top_row){.item = r->whole});
        top_view_toggle_split(s->view, screen_row_name(r));
        s->moved = true;
        screen_refresh(s);
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
                        screen_refresh(s);
                }
                if (is_filter || key == TUI_KEY_ESCAPE || !s->input[0])
                        return;
                delay = strtod(s->input, &end);
                if (*end || !(delay >= MIN_DELAY && delay <= MAX_DELAY))
                        screen_alert(s, "seconds are a number from 0.1 to 3600");
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
                screen_refresh(s);
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
        case 'v':
                next_table(s);
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
                s->view->reverse[top_table(s->view)] = !s->view->reverse[top_table(s->view)];
                screen_refresh(s);
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
                screen_refresh(s);
                break;
        case 'l' & 0x1f:
                tui_redraw();
                break;
        }
}

void screen_key(struct screen *s, int key)
{
        if (!s->alert_stays && s->view->document)
                s->alert[0] = '\0';
        if (s->help)
                s->help = false;
        else if (s->prompt != PROMPT_NONE)
                prompt_key(s, key);
        else if (key >= '1' && key < '1' + TOP_N_TABS)
                set_tab(s, (enum top_tab)(key - '1'));
        else if (!move_key(s, key))
                command_key(s, key);
}
