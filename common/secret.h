/* SPDX-License-Identifier: MIT */
/*
 * What may not be written down: passwords and tokens, as they are met in environments and command
 * lines. A guess by names and by forms: it is made where such a text is first read, so that run
 * files never hold what it finds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SECRET_HIDDEN "***" /* stands where one was */

/* The first `n` bytes are the name of a variable whose value nobody may see. */
bool secret_variable(const char *name, size_t n);

/* The value looks like one, whatever it goes by. */
bool secret_value(const char *value);

/*
 * An argument of a command line, `before` the one before it (NULL: none): what of it may be shown.
 * 0: all; else its first so many bytes less one, and SECRET_HIDDEN for the rest. The secret may be
 * the value of a header, a member of JSON, a parameter of a URL, a variable, an option.
 */
size_t secret_argument(const char *before, const char *argument);
