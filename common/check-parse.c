/* SPDX-License-Identifier: MIT */
/*
 * Reading conditions. A condition is a tree; each part knows the column it began at, so that what
 * is wrong with it can be told where it is. Depth is bounded, so that any text may be read.
 */
#include "common/check-private.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define DEPTH_MAX 64 /* of brackets */

static struct check_part *part_free(struct check_part *p)
{
        if (!p)
                return NULL;
        part_free(p->a);
        part_free(p->b);
        for (size_t i = 0; i < p->name.n; i++)
                free(p->name.steps[i].name);
        free(p->name.function);
        free(p);
        return NULL;
}

static void part_freep(struct check_part **p)
{
        part_free(*p);
}

struct check *check_free(struct check *c)
{
        if (!c)
                return NULL;
        part_free(c->left);
        part_free(c->right);
        free(c);
        return NULL;
}

/* ---- reading ------------------------------------------------------------------------- */

struct reader {
        const char *text, *at;
        unsigned depth;
        char **ret_why;
};

int check_complain(char **ret_why, size_t column, const char *format, va_list ap)
{
        _cleanup_(freep) char *what = NULL;

        if (vasprintf(&what, format, ap) < 0) {
                what = NULL;
                return -ENOMEM;
        }
        return asprintf(ret_why, "column %zu: %s", column, what) < 0 ? -ENOMEM : CHECK_E_MALFORMED;
}

__attribute__((format(printf, 2, 3))) static int wrong(struct reader *r, const char *format, ...)
{
        va_list ap;
        int e;

        va_start(ap, format);
        e = check_complain(r->ret_why, (size_t)(r->at - r->text) + 1, format, ap);
        va_end(ap);
        return e;
}

static void skip(struct reader *r)
{
        while (isblank((unsigned char)*r->at))
                r->at++;
}

static bool take(struct reader *r, char c)
{
        skip(r);
        if (*r->at != c)
                return false;
        r->at++;
        return true;
}

static size_t word(const char *s)
{
        size_t n = 0;

        if (!isalpha((unsigned char)*s) && *s != '_')
                return 0;
        while (isalnum((unsigned char)s[n]) || s[n] == '_')
                n++;
        return n;
}

static struct check_part *new_part(struct reader *r, enum check_kind kind)
{
        struct check_part *p = calloc(1, sizeof(*p));

        if (p) {
                p->kind = kind;
                p->column = (size_t)(r->at - r->text) + 1;
        }
        return p;
}

/* "20ms", "3 %": a blank may stand before a unit. */
static int read_number(struct reader *r, struct check_part **ret)
{
        _cleanup_(part_freep) struct check_part *p = new_part(r, CHECK_NUMBER);
        const char *after;
        double factor = 1;
        char *end;
        size_t n;

        if (!p)
                return -ENOMEM;
        /* strtod would take "0x1p3", "inf" and "nan" */
        n = strspn(r->at, "0123456789.");
        p->number.number = strtod(r->at, &end);
        if (!isdigit((unsigned char)r->at[r->at[0] == '.']) ||
            (end > r->at + n && *(r->at + n) != 'e' && *(r->at + n) != 'E'))
                return wrong(r, "a number is expected");
        after = end;
        while (isblank((unsigned char)*after))
                after++;
        n = word(after);
        if (*after == '%') {
                factor = 0.01;
                end = (char *)after + 1;
        } else if (n && check_unit_find(after, n, &factor, &p->number.unit)) {
                end = (char *)after + n;
        } else if (n) {
                r->at = end;
                return wrong(r,
                             "'%.*s' is no unit: ns us ms s min, B KiB MiB GiB TiB kB MB GB TB, "
                             "%% are",
                             (int)n < check_shown(after) ? (int)n : check_shown(after), after);
        }
        p->number.number *= factor;
        if (isinf(p->number.number))
                return wrong(r, "the number is too large");
        r->at = end;
        *ret = steal_ptr(p);
        return 0;
}

/* 'RMS_NORM+MUL' or "..."; or a word, or a number. Where neither is here: NULL. */
static int read_string(struct reader *r, char **ret)
{
        size_t n;

        skip(r);
        if (*r->at == '\'' || *r->at == '"') {
                const char *end = strchr(r->at + 1, *r->at);

                if (!end)
                        return wrong(r, "the quote is not closed");
                *ret = strndup(r->at + 1, (size_t)(end - r->at - 1));
                r->at = end + 1;
                return *ret ? 0 : -ENOMEM;
        }
        n = word(r->at);
        if (!n)
                n = strspn(r->at, "0123456789");
        if (!n)
                return wrong(r, "a name is expected");
        *ret = strndup(r->at, n);
        r->at += n;
        return *ret ? 0 : -ENOMEM;
}

static int read_sum(struct reader *r, struct check_part **ret);

/* What is behind "baseline". */
static int read_baseline(struct reader *r, struct check_part *p)
{
        int e = 0;

        p->kind = CHECK_OTHER_SIDE;
        if (!take(r, '('))
                return 0;
        p->kind = CHECK_OF_BASELINE;
        e = read_sum(r, &p->a);
        if (!e && !take(r, ')'))
                e = wrong(r, "')' is expected");
        return e;
}

static int read_steps(struct reader *r, struct check_name *name)
{
        for (;;) {
                bool of_list = *r->at == '[';
                int e;

                if (*r->at != '.' && !of_list)
                        return 0;
                r->at++;
                if (name->n == CHECK_PATH_MAX)
                        return wrong(r, "a path has no more than %d steps", CHECK_PATH_MAX);
                e = read_string(r, &name->steps[name->n].name);
                if (e)
                        return e;
                name->steps[name->n++].of_list = of_list;
                if (of_list && !take(r, ']'))
                        return wrong(r, "']' is expected");
        }
}

static int read_name(struct reader *r, struct check_part **ret)
{
        _cleanup_(part_freep) struct check_part *p = new_part(r, CHECK_NAME);
        struct check_name *name;
        size_t n = word(r->at);
        int e;

        if (!p)
                return -ENOMEM;
        name = &p->name;
        if (n == strlen("baseline") && !strncmp(r->at, "baseline", n)) {
                r->at += n;
                e = read_baseline(r, p);
        } else if (r->at[n] == '(') {
                name->function = strndup(r->at, n);
                if (!name->function)
                        return -ENOMEM;
                r->at += n + 1;
                e = read_string(r, &name->steps[0].name);
                if (!e)
                        name->n = 1;
                if (!e && !take(r, ')'))
                        e = wrong(r, "')' is expected");
        } else {
                name->steps[0].name = strndup(r->at, n);
                if (!name->steps[0].name)
                        return -ENOMEM;
                name->n = 1;
                r->at += n;
                e = read_steps(r, name);
        }
        if (!e)
                *ret = steal_ptr(p);
        return e;
}

static int read_one(struct reader *r, struct check_part **ret)
{
        int e;

        skip(r);
        if (*r->at == '-') {
                _cleanup_(part_freep) struct check_part *p = new_part(r, CHECK_NEGATED);

                if (!p)
                        return -ENOMEM;
                if (r->depth++ == DEPTH_MAX)
                        return wrong(r, "this is nested too deeply");
                r->at++;
                e = read_one(r, &p->a);
                r->depth--;
                if (!e)
                        *ret = steal_ptr(p);
                return e;
        }
        if (*r->at == '(') {
                if (r->depth++ == DEPTH_MAX)
                        return wrong(r, "this is nested too deeply");
                r->at++;
                e = read_sum(r, ret);
                r->depth--;
                if (!e && !take(r, ')')) {
                        *ret = part_free(*ret);
                        e = wrong(r, "')' is expected");
                }
                return e;
        }
        if (word(r->at))
                return read_name(r, ret);
        if (isdigit((unsigned char)*r->at) || *r->at == '.')
                return read_number(r, ret);
        return wrong(r, "a quantity or a number is expected");
}

/* Operands with one of two operators between them, from the left. */
static int read_chain(struct reader *r, int (*operand)(struct reader *r, struct check_part **ret),
                      const char *operators, const enum check_kind kinds[2],
                      struct check_part **ret)
{
        _cleanup_(part_freep) struct check_part *p = NULL;
        int e = operand(r, &p);

        while (!e) {
                struct check_part *next;

                skip(r);
                if (*r->at != operators[0] && *r->at != operators[1])
                        break;
                next = new_part(r, kinds[*r->at == operators[1]]);
                if (!next)
                        return -ENOMEM;
                r->at++;
                next->a = p;
                p = next;
                e = operand(r, &next->b);
        }
        if (!e)
                *ret = steal_ptr(p);
        return e;
}

static int read_product(struct reader *r, struct check_part **ret)
{
        static const enum check_kind kinds[] = {CHECK_MULTIPLIED, CHECK_DIVIDED};

        return read_chain(r, read_one, "*/", kinds, ret);
}

static int read_sum(struct reader *r, struct check_part **ret)
{
        static const enum check_kind kinds[] = {CHECK_ADDED, CHECK_TAKEN};
        int e;

        if (r->depth++ == DEPTH_MAX)
                return wrong(r, "this is nested too deeply");
        e = read_chain(r, read_product, "+-", kinds, ret);
        r->depth--;
        return e;
}

bool check_asks_for_other_side(const struct check_part *p)
{
        return p && (p->kind == CHECK_OTHER_SIDE || check_asks_for_other_side(p->a) ||
                     check_asks_for_other_side(p->b));
}

int check_parse(struct check **ret, const char *text, char **ret_why)
{
        static const char *const comparisons[] = {"<=", ">=", "==", "!=", "<", ">"};
        struct reader r = {.text = text, .at = text, .ret_why = ret_why};
        struct check *c = calloc(1, sizeof(*c));
        int e;

        if (!c)
                return -ENOMEM;
        e = read_sum(&r, &c->left);
        if (!e) {
                skip(&r);
                for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++)
                        if (!c->comparison &&
                            !strncmp(r.at, comparisons[i], strlen(comparisons[i])))
                                c->comparison = comparisons[i];
                if (!c->comparison)
                        e = wrong(&r, "a comparison is expected: < <= > >= == !=");
                else
                        r.at += strlen(c->comparison);
        }
        if (!e)
                e = read_sum(&r, &c->right);
        skip(&r);
        if (!e && *r.at)
                e = wrong(&r, "the end is expected");
        if (!e && check_asks_for_other_side(c->left) && check_asks_for_other_side(c->right)) {
                r.at = text;
                e = wrong(&r, "baseline stands on both sides: of what?");
        }
        if (e) {
                check_free(c);
                return e;
        }
        *ret = c;
        return 0;
}
