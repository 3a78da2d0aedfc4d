/* SPDX-License-Identifier: MIT */
/*
 * What a user says of a kernel of his own:
 *
 *     libfoo.so:my_gemm(_, _, m:i32, n:i32, k:i32) flops=2*m*n*k bytes=4*(m*k+k*n+m*n)
 *
 * Object and symbol are globs; the object is the name of a file, without its folder. An argument is
 * a name and a type (i32 u32 i64 u64 f32 f64 ptr; "*" behind one: its address, as in Fortran), "_"
 * and a type where it has no name, or "_" alone, which is passed as a ptr is. What has a name is an
 * integer: no other is read. The expressions know + - * / ( ), whole and decimal numbers, and the
 * names of arguments; one of the two may be missing. They are worked out exactly and rounded down
 * at the end: 5/2*2 is 5.
 *
 * The shim reads the same text (preload/declared.c), but for the expressions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/flops.h"

#define OP_DECLARATION_ARGS  16
#define OP_DECLARATION_NAMES 6    /* arguments that have one */
#define OP_DECLARATION_BYTES 2047 /* of its text: no name in the segment is longer */

enum { OP_DECLARATION_E_MALFORMED = 1 };

enum op_type { OP_PTR, OP_I32, OP_U32, OP_I64, OP_U64, OP_F32, OP_F64 };

struct op_argument {
        char name[32]; /* "": it has none */
        enum op_type type;
        bool by_address;
};

struct op_expression;

struct op_declaration {
        char *object, *symbol;
        struct op_argument args[OP_DECLARATION_ARGS];
        size_t n_args, n_names;
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

/*
 * The work of a call whose arguments with names had these values, in the order of the declaration;
 * of i32 and u32 the low 32 bits count. Not known: a division by zero, less than nothing, an
 * argument beyond n.
 */
struct work_amount op_declaration_work(const struct op_declaration *d, const int64_t *values,
                                       size_t n);
