/* SPDX-License-Identifier: MIT */
/* Between reading declarations and their expressions. */
#pragma once

#include "common/op-declaration.h"

struct op_parser {
        const char *name; /* of the file; NULL: there is none */
        size_t number;    /* of the line */
        const char *line, *end, *at;
        const struct op_declaration *d;
        char **ret_why;
};

/* Says where, and what was expected there. Returns OP_DECLARATION_E_MALFORMED. */
__attribute__((format(printf, 3, 4))) int op_wrong(struct op_parser *p, const char *at,
                                                   const char *text, ...);
void op_skip_blanks(struct op_parser *p);
size_t op_word(const struct op_parser *p); /* the length of the name that is here, or 0 */

int op_expression_parse(struct op_expression **ret, struct op_parser *p);
struct op_expression *op_expression_free(struct op_expression *e);

/* An amount (common/amount.h). */
uint64_t op_expression_value(const struct op_expression *e, const struct op_declaration *d,
                             const int64_t *values, size_t n);
