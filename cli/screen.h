/* SPDX-License-Identifier: MIT */
/*
 * A view that is to be read without scrolling: it is printed with less and less, until it has no
 * more lines than there are. What it left out is said in a last line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/view.h"

#define SCREEN_ALL 3u /* the detail at which only rows are left out */

struct screen {
        unsigned detail;  /* 0: no more than is essential, to SCREEN_ALL */
        size_t rows;      /* of each table; at least 1 */
        unsigned columns; /* of tables, that found no room */
        struct {
                const char *what;
                size_t n; /* 0: it cannot be counted */
        } left[8];
        size_t n_left;
};

/* Prints to `v`. */
typedef bool (*screen_print_t)(const struct view *v, size_t rows, const void *userdata);

/*
 * `rows` as they were asked for (0: all), or SCREEN_FIT: as many as find room. Then parts are left
 * out before tables have less than `least` rows, and what is worded at length before they have less
 * than twice as many. False: no memory.
 */
#define SCREEN_FIT ((size_t)-1)
bool screen_print(const struct view *v, size_t rows, size_t least, screen_print_t print,
                  const void *userdata);

/* Is what belongs to that detail shown? */
bool screen_shows(const struct view *v, unsigned detail);

/* Notes that so many of what (a static string, of one) are left out; 0: that it is, as it is
 * called. Nothing where nothing has to fit. */
void screen_leave(const struct view *v, size_t n, const char *what);

struct table;

/* Prints it; columns that find no room are counted, where all has to fit. False: no memory. */
bool screen_table(const struct view *v, struct table *t);

/* Where of `n` not all are shown: says so, or notes it; `what` is one of them. */
void screen_say_more(const struct view *v, size_t rows, size_t n, const char *what);
