/* SPDX-License-Identifier: MIT */
/*
 * How the frame of a stack (a member of "frames" in infprof.memory/1) is called, and how a name
 * that is too long for its place is shortened.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

/*
 * "function", or "lib.so+0x1234", "0x7f12..." where it is not known which, "lib.so" or "?" where
 * not that either: one line without control characters, valid UTF-8; to be freed. NULL: no memory.
 */
char *flame_name(const json_t *frame);

/* `s` as one line without control characters, valid UTF-8; to be freed; NULL: no memory. */
char *flame_one_line(const char *s);

/* "[op NAME]": the leaf-most logical frame of a stack; to be freed. */
char *flame_op_name(const char *op);
char *flame_op_of_name(const char *name); /* the other way */

/* What stands at the base of a stack (a member of "stacks") for frames that it does not have; NULL:
 * none is missing. */
const char *flame_missing(const json_t *stack);

/*
 * `name` without what is in its outermost brackets: "f<…>(…)" for "f<int>(char)". To be freed;
 * NULL: no memory. Where the brackets do not match, a copy.
 */
char *flame_short_name(const char *name);

/* Columns of a fixed-width font that UTF-8 text takes. */
size_t flame_columns(const char *text);

/* `text`, cut off with "…" where it takes more columns than that; to be freed; NULL: no memory. */
char *flame_cut(const char *text, size_t columns);

/*
 * `name` as well as it can be told in so many columns: whole, else `brief` (what is short for it),
 * else that without the scopes around it, else cut off; "" where even that makes no sense. To be
 * freed; NULL: no memory.
 */
char *flame_label(const char *name, const char *brief, size_t columns);
