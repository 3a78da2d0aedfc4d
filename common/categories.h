/* SPDX-License-Identifier: MIT */
/*
 * Categories: rules that give each stack of allocations one name, "KV cache" or
 * "tokenisation". A rule file is text, one rule a line, the first that matches wins:
 *
 *     # a comment
 *     tokenisation = llama_tokenize* libllama*:*llm_tokenizer*
 *     compute      = op:MUL_MAT phase:decode
 *     include builtin
 *
 * NAME = PATTERN [PATTERN...]: NAME ends at the "=", and may hold spaces. A pattern is one of
 *
 *     [LIBRARY:]FUNCTION   some frame's function; a C++ function also by its name without what is
 *                          in parentheses behind it. LIBRARY is held against the object's file
 *                          name, or its whole path where it holds a "/"
 *     op:NAME              the op that was open; "op:-": none
 *     phase:NAME           the phase of the engine
 *
 * Globs as in fnmatch(3), without escapes; upper and lower case differ. A pattern that holds
 * blanks, "#", '"' or a ":" that is no separator stands in double quotes. A rule matches when one
 * of its patterns does. "include builtin" puts the rules that infprof comes with there.
 *
 * The file is somebody else's: any bytes are answered with rules or with an error.
 */
#pragma once

#include <stddef.h>

struct categories;

enum {
        CATEGORIES_E_MALFORMED = 1, /* *ret_why is "FILE:LINE:COLUMN: what was expected" */
        CATEGORIES_E_ABSENT = 2,    /* no such file */
};

/* Function and library may be NULL: not known. */
struct categories_frame {
        const char *function, *library;
};

struct categories_stack {
        const char *op;                        /* NULL: none was open */
        const char *phase;                     /* "decode" */
        const struct categories_frame *frames; /* innermost first */
        size_t n_frames;
};

/* The rules infprof comes with. */
int categories_builtin(struct categories **ret);

/* The rules of a file. Errors as above or a negative errno; `ret_why`, one line, is to be freed. */
int categories_load(struct categories **ret, const char *path, char **ret_why);

/* Those of a text; `name` stands for FILE in errors. */
int categories_parse(struct categories **ret, const char *name, const char *text, size_t size,
                     char **ret_why);

/* The name of the first rule that matches; it lives as long as `c`. NULL: none does. */
const char *categories_match(const struct categories *c, const struct categories_stack *stack);

/* NULL, for assignment. */
struct categories *categories_free(struct categories *c);
