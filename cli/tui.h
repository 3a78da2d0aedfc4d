/* SPDX-License-Identifier: MIT */
/*
 * The terminal of infprof top: taken and given back, keys and signals as
 * events, lines with a style. What is drawn is elsewhere.
 */
#pragma once

#include <stdbool.h>

enum tui_style {
        TUI_PLAIN,
        TUI_STRONG,
        TUI_DIM,
        TUI_HEADING, /* of a table */
        TUI_SORTED,  /* the heading that is sorted by */
        TUI_SELECTED,
        TUI_TAB, /* the tab that is shown */
        TUI_ALERT,
        TUI_LOAD, /* phases */
        TUI_PREFILL,
        TUI_DECODE,
};

/* Keys; others are the character itself. */
enum {
        TUI_KEY_UP = 0x110000,
        TUI_KEY_DOWN,
        TUI_KEY_LEFT,
        TUI_KEY_RIGHT,
        TUI_KEY_PAGE_UP,
        TUI_KEY_PAGE_DOWN,
        TUI_KEY_HOME,
        TUI_KEY_END,
        TUI_KEY_BACKSPACE,
        TUI_KEY_ENTER,
        TUI_KEY_ESCAPE,
        TUI_KEY_BACK_TAB,
        TUI_KEY_F1,
        TUI_KEY_F10,
        TUI_KEY_OTHER,
};

/* Takes the terminal over; 0, or a negative errno with a line in `ret_why`, to be freed. */
int tui_open(char **ret_why);
/* Gives it back as it was. */
void tui_close(void);

/* Descriptors to sleep on: keys, and signals. */
int tui_key_fd(void);
int tui_signal_fd(void);

/* The next key, or 0: none is waiting; -1: the terminal has gone. */
int tui_key(void);
/* The next signal, or 0. SIGWINCH has been seen to already. */
int tui_signal(void);

int tui_width(void);
int tui_height(void);

void tui_begin(void); /* an empty screen */
void tui_end(void);   /* shows it */

/* Text at a place, cut at the right edge. Answers the column behind it. */
int tui_put(int y, int x, enum tui_style style, const char *text);
/* Gives a whole line the style. */
void tui_paint(int y, enum tui_style style);
/* Where the cursor is to be seen; (-1, -1): nowhere. */
void tui_cursor(int y, int x);
void tui_redraw(void); /* everything, also what seems unchanged */
