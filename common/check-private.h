/* SPDX-License-Identifier: MIT */
/* Between reading conditions, the names in them, and working them out. */
#pragma once

#include <stdarg.h>

#include "common/check.h"

enum { CHECK_PATH_MAX = 8 };

/* A step of a path: a member, or an element of a list by its name or number. */
struct check_step {
        char *name;
        bool of_list;
};

/* What a name stands for. */
struct check_name {
        struct check_step steps[CHECK_PATH_MAX];
        size_t n;
        char *function; /* with `steps[0].name` as its argument; NULL: it is a path */
};

enum check_kind {
        CHECK_NUMBER,
        CHECK_NAME,
        CHECK_OTHER_SIDE,
        CHECK_OF_BASELINE,
        CHECK_NEGATED,
        CHECK_ADDED,
        CHECK_TAKEN,
        CHECK_MULTIPLIED,
        CHECK_DIVIDED
};

struct check_part {
        enum check_kind kind;
        size_t column; /* of the condition, from 1 */
        struct check_value number;
        struct check_name name;
        struct check_part *a, *b;
};

struct check {
        struct check_part *left, *right;
        const char *comparison;
};

/* "baseline" alone is in it. */
bool check_asks_for_other_side(const struct check_part *p);

/* "column 5: ...". CHECK_E_MALFORMED, or -ENOMEM. */
__attribute__((format(printf, 3, 0))) int check_complain(char **ret_why, size_t column,
                                                         const char *format, va_list ap);

/* ---- values (check-value.c) ---------------------------------------------------------- */

/* How many bytes of a word somebody wrote are told; whole characters. */
int check_shown(const char *word);

enum check_unit check_unit_of_member(const char *member);

/* The factor and unit of "ms", `n` letters long. False: there is no such unit. */
bool check_unit_find(const char *name, size_t n, double *ret_factor, enum check_unit *ret_unit);

/* ADDED, TAKEN, MULTIPLIED or DIVIDED; units are looked at before. */
struct check_value check_value_pair(enum check_kind kind, struct check_value a,
                                    struct check_value b);
struct check_value check_value_negated(struct check_value v);

/* Both known. */
enum check_verdict check_value_compare(struct check_value a, const char *comparison,
                                       struct check_value b);

/* ---- names (check-names.c, check-path.c) --------------------------------------------- */

/* One name that is looked up. */
struct check_look {
        const struct check_name *name;
        const struct check_source *from;
        enum check_run run;
        const json_t *others; /* whose members may stand behind the first step too; or NULL */
        char *why;            /* of what is not known */
        size_t size;
        char **ret_why; /* of what there is not: the line behind the column */
};

/*
 * Its value in that run. CHECK_E_MALFORMED: there is no such. A figure that is null is not known,
 * and l->why says which.
 */
int check_look_up(struct check_value *ret, const struct check_look *l);

#define CHECK_NEAR_MOST 3 /* names that are offered */

struct check_near {
        const char *word;
        size_t far[CHECK_NEAR_MOST];
        const char *names[CHECK_NEAR_MOST];
        size_t n;
};

void check_offer(struct check_near *near, const char *name);

/* "there is no op 'X'; near: A, B". CHECK_E_MALFORMED or -ENOMEM. */
int check_no_such(const struct check_look *l, const char *what, const struct check_near *near);

/* "tokens.p99_ns" of what a name asks for, for people. To be freed. */
char *check_path_text(const struct check_name *name);

/* Not known: the run has no figure for `what`. */
struct check_value check_no_figure(const struct check_look *l, const char *member,
                                   const char *what);

/* A number, true, false or null; false: it is no quantity. */
bool check_take(struct check_value *ret, const struct check_look *l, const json_t *v,
                const char *member, const char *what);

/* By its name, else by its number. */
const json_t *check_element(const json_t *list, const char *word, struct check_near *near);

/* The steps from `first` on, in `document` and the schema it has (NULL: none is known). */
int check_walk(struct check_value *ret, const struct check_look *l, const json_t *document,
               const json_t *schema, size_t first);

/*
 * May a document of `schema` have the steps from `first` on? Where not, *ret_near is of the step
 * that it has not. The step `here` must be one of the members that are named there, where others
 * may be any of a map; SIZE_MAX: none.
 */
bool check_schema_has(const json_t *schema, const struct check_name *name, size_t first,
                      size_t here, struct check_near *ret_near);
