/* SPDX-License-Identifier: MIT */
/*
 * What a user says of a kernel of his own:
 *
 *     libfoo.so:my_gemm(_, _, m:i32, n:i32, k:i32) flops=2*m*n*k bytes=4*(m*k+k*n+m*n)
 *
 * Object and symbol are globs. An argument is a name and a type (i32 u32 i64 u64 f32 f64 ptr), "_"
 * and a type where it has no name, or "_" alone, which is passed as a ptr is. The expressions know
 * + - * / ( ), whole and decimal numbers, and the names of arguments that are not pointers; one of
 * the two may be missing. They are worked out exactly and rounded down at the end: 5/2*2 is 5.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/flops.h"

#define OP_DECLARATION_ARGS 16

enum { OP_DECLARATION_E_MALFORMED = 1 };

enum op_type { OP_PTR, OP_I32, OP_U32, OP_I64, OP_U64, OP_F32, OP_F64 };

struct op_argument {
        char name[32]; /* "": it has none */
        enum op_type type;
};

struct op_expression;

struct op_declaration {
        char *object, *symbol;
        struct op_argument args[OP_DECLARATION_ARGS];
        size_t n_args;
        struct op_expression *flops, *bytes; /* NULL: not known */
};

/*
 * One declaration. OP_DECLARATION_E_MALFORMED: *ret_why is one line that names the column and what
 * was expected there; it is to be freed. -ENOMEM.
 */
int op_declaration_parse(struct op_declaration **ret, const char *text, char **ret_why);
struct op_declaration *op_declaration_free(struct op_declaration *d);

/*
 * Those of a file: one a line, empty lines, and comments from "#" on. Errors as above, behind
 * "NAME:LINE:". On success *ret is an array of *ret_n, NULL if there are none.
 */
int op_declarations_parse(struct op_declaration ***ret, size_t *ret_n, const char *name,
                          const char *text, size_t size, char **ret_why);
struct op_declaration **op_declarations_free(struct op_declaration **d, size_t n);

/* A glob with a slash is held against the path, one without against the file's name. */
bool op_declaration_matches(const struct op_declaration *d, const char *path, const char *symbol);

/*
 * The work of a call whose arguments had these bits, in the order of the declaration, each in the
 * low bits of its own: 32 of them for i32, u32 and f32. Not known: a division by zero, less than
 * nothing, a NaN, an argument beyond n_bits.
 */
struct work_amount op_declaration_work(const struct op_declaration *d, const uint64_t *bits,
                                       size_t n_bits);
