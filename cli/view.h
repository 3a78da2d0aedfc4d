/* SPDX-License-Identifier: MIT */
/*
 * What the views of documents have in common: the labelled lines of a head, and figures of a
 * document's members. Each figure goes into buf[FMT_SIZE] and is returned; "-" is not known.
 */
#pragma once

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct screen;

struct view {
        FILE *f;
        unsigned width;        /* columns; 0: no limit */
        struct screen *screen; /* that it has to fit; NULL: all is shown */
};

/* A label and a sentence, which is wrapped. */
__attribute__((format(printf, 3, 4))) void view_say(const struct view *v, const char *label,
                                                    const char *format, ...);

/* A figure that is as large as can be stands for all that are larger: puts ">" before it. Where the
 * figure goes is returned. */
char *view_mark_most(char *buf, const json_t *value);

const char *view_figure(char *buf, const json_t *o, const char *member,
                        const char *(*format)(char *, uint64_t));
const char *view_count(char *buf, const json_t *o, const char *member);
const char *view_bytes(char *buf, const json_t *o, const char *member);
const char *view_share(char *buf, const json_t *o, const char *member);

/* The phase of a row; NULL where it is not known. */
const char *view_phase(const json_t *row);

/* The same in one line, where it has to fit: its middle is cut out, or its end. */
__attribute__((format(printf, 3, 4))) void view_say_briefly(const struct view *v, const char *label,
                                                            const char *format, ...);

/* Lines on which run this is: id, command, when and how it ended. */
void view_run(const struct view *v, const json_t *run);

/* "exit code 0", "killed by SIGSEGV", "still running", "cut off" ... of a run or process, in
 * buf[TEXT_END]. */
const char *view_ending(char *buf, const json_t *run);

/* Does the run of a document go on? */
bool view_is_live(const json_t *document);

/* RFC 3339 UTC to local time "2026-11-20 19:45:00", in buf[32]. */
const char *view_local_time(char *buf, const json_t *run);

/* An empty line and a heading. */
__attribute__((format(printf, 2, 3))) void view_heading(const struct view *v, const char *format,
                                                        ...);
/* A line, wrapped. */
__attribute__((format(printf, 2, 3))) void view_line(const struct view *v, const char *format, ...);
void view_vline(const struct view *v, const char *format, va_list ap);

/* How many of `n` rows are shown where `rows` are asked for (0: all); and "(7 more; -n 0 shows
 * all)" where not all are. */
size_t view_shown(size_t rows, size_t n);
void view_say_more(const struct view *v, size_t rows, size_t n);

/* The document's notes, wrapped, after an empty line. */
void view_notes(const struct view *v, const json_t *document);

/* What stands between a figure and its error. */
const char *view_plus_minus(void);
