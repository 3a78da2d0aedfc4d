/* SPDX-License-Identifier: MIT */
/*
 * Figures and names for narrow columns: at most six cells each, so that a
 * table fits an 80-column terminal.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_CELL 24 /* bytes that hold any of these, with the NUL */

/* Each writes into buf[TEXT_CELL] and returns it. NaN is not known: "-". */
const char *text_duration(char *buf,
                          double ns);        /* "999ns" "12.3µs" "1.00ms" "12.5s" "3.2m" "26h" */
const char *text_count(char *buf, double n); /* "0" "0.25" "999" "12.3k" "1.23M" */
const char *text_exact(char *buf, double n); /* "9,184": for where there is more room */
const char *text_bytes(char *buf, double bytes); /* "0" "512" "1.5K" "23.4M" (powers of 1024) */
const char *text_share(char *buf, double share); /* of 0..1: "12.3" percent */

/* A member that is a number; NaN where it is null, absent or of another type. */
double text_number(const json_t *object, const char *name);

/* A member that is a string; `otherwise` where it is not. */
const char *text_string(const json_t *object, const char *name, const char *otherwise);

/* "exit code 0", "killed by SIGSEGV", or NULL where `exit` is neither; in buf[TEXT_END]. */
#define TEXT_END 48
const char *text_exit(char *buf, const json_t *exit);

/* A copy of at most `cells` columns (cut with "…" or "~") without control characters; to be freed.
 */
char *text_clean(const char *s, unsigned cells);

/* The same, cut in its middle. */
char *text_middle(const char *s, unsigned cells);

/* Terminal columns that a UTF-8 string takes. */
unsigned text_width(const char *s);

/* True when the locale's characters are UTF-8. Call text_init() once before. */
bool text_is_utf8(void);
void text_init(void);
