/* SPDX-License-Identifier: MIT */
/*
 * The state of the live screen. Events and keys change it, top-draw.c shows it.
 */
#pragma once

#include "cli/top-source.h"
#include "cli/top-view.h"

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
        char *kept;             /* what it is: see row_key() */
        unsigned widths[TOP_MAX_COLUMNS];
        int table_rows; /* that fit */
        bool quit;
        int signal;
};

/* top-screen.c. Rows have changed: brings them up to date, and finds the selected one again. */
void screen_refresh(struct screen *s);
void screen_select(struct screen *s, size_t row);
void screen_keep(struct screen *s, const struct top_row *row);
const char *screen_row_name(const struct top_row *row);
__attribute__((format(printf, 2, 3))) void screen_alert(struct screen *s, const char *format, ...);

/* top-keys.c */
void screen_key(struct screen *s, int key);

/* top-draw.c */
void screen_draw(struct screen *s);
