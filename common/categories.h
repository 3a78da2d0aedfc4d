/* SPDX-License-Identifier: MIT */
/*
 * Categories: rules that give each stack of allocations one name, "KV cache" or
 * "tokenisation". A rule file is text, one rule a line; the first rule that matches wins:
 *
 *     # a comment
 *     tokenisation = llama_tokenize* libllama*:*llm_tokenizer*
 *     compute      = op:MUL_MAT phase:decode
 *     include builtin
 *
 * NAME = PATTERN [PATTERN...]: NAME is all before the "=", and may hold blanks. A rule matches when
 * one of its patterns does. A pattern is one of
 *
 *     FUNCTION           a function on the stack, wherever: by the name in full, without its
 *                        parameters, or without its return type too
 *     LIBRARY:FUNCTION   the same, in a library: by the name of its file, or by its path where
 *                        LIBRARY holds a "/"
 *     op:NAME            the op that was open; "op:-" is none
 *     phase:NAME         what the engine was doing
 *
 * In each, "*" stands for any text and "?" for one byte; upper and lower case differ. What holds a
 * blank, a "#" or a ":" that separates nothing stands in double quotes ("::" needs none).
 * "include builtin" puts the rules that infprof comes with there. CRLF is as good as LF.
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
        const char *op;    /* NULL: none was open */
        const char *phase; /* "decode" */
        const struct categories_frame *frames;
        size_t n_frames;
};

/* The rules infprof comes with (data/categories/builtin.rules). */
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
