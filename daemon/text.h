/* SPDX-License-Identifier: MIT */
/* Text that somebody else wrote, made fit to be shown, stored and sent as JSON. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Replaces, in place, what is not printable UTF-8 by '?'. */
void text_clean(char *s);

/* A copy of at most `n` bytes up to the first NUL, cleaned; to be freed. NULL: no memory. */
char *text_copy(const char *s, size_t n);

/* May it be a run's id, and so the name of a file? */
bool text_is_id(const char *s);

/* One line about something, to be freed; NULL when there is no memory. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Words as a shell would want them, from NUL-separated ones (/proc/PID/cmdline), without secrets;
 * to be freed. */
char *text_shell_words(const char *words, size_t n);
