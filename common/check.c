/* SPDX-License-Identifier: MIT */
/*
 * Conditions: reading them and working them out. A condition is a tree; each part knows the column
 * it began at, so that what is wrong with it can be told where it is.
 */
#include "common/check.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check-private.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define DEPTH_MAX 64 /* of brackets */

enum kind { NUMBER, NAME, OTHER_SIDE, OF_BASELINE, NEGATED, ADDED, TAKEN, MULTIPLIED, DIVIDED };

struct part {
        enum kind kind;
        size_t column;
        struct check_value number;
        struct check_name name;
        struct part *a, *b;
};

struct check {
        struct part *left, *right;
        const char *comparison;
};

static struct part *part_free(struct part *p)
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

static void part_freep(struct part **p)
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

/* "column 5: ...". CHECK_E_MALFORMED, or -ENOMEM. */
__attribute__((format(printf, 3, 0))) static int complain(char **ret_why, size_t column,
                                                          const char *format, va_list ap)
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
        e = complain(r->ret_why, (size_t)(r->at - r->text) + 1, format, ap);
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

static struct part *new_part(struct reader *r, enum kind kind)
{
        struct part *p = calloc(1, sizeof(*p));

        if (p) {
                p->kind = kind;
                p->column = (size_t)(r->at - r->text) + 1;
        }
        return p;
}

static const struct {
        const char *name;
        double factor;
        enum check_unit unit;
} units[] = {
        {"ns", 1, CHECK_NS},          {"us", 1e3, CHECK_NS},        {"ms", 1e6, CHECK_NS},
        {"s", 1e9, CHECK_NS},         {"min", 6e10, CHECK_NS},      {"B", 1, CHECK_BYTES},
        {"kB", 1e3, CHECK_BYTES},     {"MB", 1e6, CHECK_BYTES},     {"GB", 1e9, CHECK_BYTES},
        {"TB", 1e12, CHECK_BYTES},    {"KiB", 0x1p10, CHECK_BYTES}, {"MiB", 0x1p20, CHECK_BYTES},
        {"GiB", 0x1p30, CHECK_BYTES}, {"TiB", 0x1p40, CHECK_BYTES},
};

/* "20ms", "3 %": a blank may stand before a unit. */
static int read_number(struct reader *r, struct part **ret)
{
        _cleanup_(part_freep) struct part *p = new_part(r, NUMBER);
        const char *after;
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
        r->at = end;
        after = r->at;
        while (isblank((unsigned char)*after))
                after++;
        if (*after == '%') {
                p->number.number /= 100;
                r->at = after + 1;
        }
        n = word(after);
        for (size_t i = 0; n && i < sizeof(units) / sizeof(units[0]); i++)
                if (strlen(units[i].name) == n && !strncmp(units[i].name, after, n)) {
                        p->number.number *= units[i].factor;
                        p->number.unit = units[i].unit;
                        r->at = after + n;
                        n = 0;
                }
        if (n && after == r->at)
                return wrong(r,
                             "'%.*s' is no unit: ns us ms s min, B KiB MiB GiB TiB kB MB GB TB, "
                             "%% are",
                             (int)n, after);
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

static int read_sum(struct reader *r, struct part **ret);

/* What is behind "baseline". */
static int read_baseline(struct reader *r, struct part *p)
{
        int e = 0;

        p->kind = OTHER_SIDE;
        if (!take(r, '('))
                return 0;
        p->kind = OF_BASELINE;
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

static int read_name(struct reader *r, struct part **ret)
{
        _cleanup_(part_freep) struct part *p = new_part(r, NAME);
        struct check_name *name;
        size_t n = word(r->at);
        int e;

        if (!p)
                return -ENOMEM;
        name = &p->name;
        name->column = p->column;
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

static int read_one(struct reader *r, struct part **ret)
{
        int e;

        skip(r);
        if (*r->at == '-') {
                _cleanup_(part_freep) struct part *p = new_part(r, NEGATED);

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
static int read_chain(struct reader *r, int (*operand)(struct reader *r, struct part **ret),
                      const char *operators, const enum kind kinds[2], struct part **ret)
{
        _cleanup_(part_freep) struct part *p = NULL;
        int e = operand(r, &p);

        while (!e) {
                struct part *next;

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

static int read_product(struct reader *r, struct part **ret)
{
        static const enum kind kinds[] = {MULTIPLIED, DIVIDED};

        return read_chain(r, read_one, "*/", kinds, ret);
}

static int read_sum(struct reader *r, struct part **ret)
{
        static const enum kind kinds[] = {ADDED, TAKEN};
        int e;

        if (r->depth++ == DEPTH_MAX)
                return wrong(r, "this is nested too deeply");
        e = read_chain(r, read_product, "+-", kinds, ret);
        r->depth--;
        return e;
}

static bool asks_for_other_side(const struct part *p)
{
        return p &&
               (p->kind == OTHER_SIDE || asks_for_other_side(p->a) || asks_for_other_side(p->b));
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
        if (!e && asks_for_other_side(c->left) && asks_for_other_side(c->right)) {
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

/* ---- working out --------------------------------------------------------------------- */

struct worker {
        const struct check *c;
        const struct check_source *from;
        enum check_run run;
        char *why; /* of what is not known */
        size_t size;
        char **ret_why;
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct worker *w, size_t column,
                                                        const char *format, ...)
{
        va_list ap;
        int e;

        va_start(ap, format);
        e = complain(w->ret_why, column, format, ap);
        va_end(ap);
        return e;
}

static const char *const unit_names[] = {"a number without unit", "a time", "bytes"};

/* Do they go together? A 0 without unit goes with any. */
static bool same_unit(struct check_value *a, struct check_value *b)
{
        if (a->unit != b->unit && a->unit == CHECK_PLAIN && a->number == 0)
                a->unit = b->unit;
        if (a->unit != b->unit && b->unit == CHECK_PLAIN && b->number == 0)
                b->unit = a->unit;
        return a->unit == b->unit;
}

static int work(const struct worker *w, const struct part *p, struct check_value *ret);

static int work_name(const struct worker *w, const struct part *p, struct check_value *ret)
{
        _cleanup_(freep) char *what = NULL;
        int r = check_look_up(ret, &p->name, w->from, w->run, w->why, w->size, &what);

        return r == CHECK_E_MALFORMED ? refuse(w, p->column, "%s", what) : r;
}

static int work_baseline(const struct worker *w, const struct part *p, struct check_value *ret)
{
        struct worker other = *w;
        const struct part *of = p->a;

        if (!w->from->has_baseline)
                return refuse(w, p->column, "there is no baseline; --baseline RUN gives one");
        other.run = CHECK_BASELINE;
        if (p->kind == OTHER_SIDE)
                of = asks_for_other_side(w->c->left) ? w->c->right : w->c->left;
        return work(&other, of, ret);
}

static int work_pair(const struct worker *w, const struct part *p, struct check_value *ret)
{
        struct check_value a, b;
        int r = work(w, p->a, &a);

        if (!r)
                r = work(w, p->b, &b);
        if (r)
                return r;
        if (p->kind == MULTIPLIED) {
                if (a.unit && b.unit)
                        return refuse(w, p->column, "%s cannot be multiplied by %s",
                                      unit_names[a.unit], unit_names[b.unit]);
                *ret = (struct check_value){a.number * b.number, a.unit ? a.unit : b.unit};
                return 0;
        }
        if (p->kind == DIVIDED) {
                if (b.unit && a.unit != b.unit)
                        return refuse(w, p->column, "%s cannot be divided by %s",
                                      unit_names[a.unit], unit_names[b.unit]);
                *ret = (struct check_value){a.number / b.number, b.unit ? CHECK_PLAIN : a.unit};
                if (b.number == 0) {
                        ret->number = NAN;
                        snprintf(w->why, w->size, "it is divided by 0");
                }
                return 0;
        }
        if (!same_unit(&a, &b))
                return refuse(w, p->column, "%s and %s do not go together", unit_names[a.unit],
                              unit_names[b.unit]);
        *ret = (struct check_value){p->kind == ADDED ? a.number + b.number : a.number - b.number,
                                    a.unit};
        return 0;
}

static int work(const struct worker *w, const struct part *p, struct check_value *ret)
{
        int r;

        switch (p->kind) {
        case NUMBER:
                *ret = p->number;
                return 0;
        case NAME:
                return work_name(w, p, ret);
        case OTHER_SIDE:
        case OF_BASELINE:
                return work_baseline(w, p, ret);
        case NEGATED:
                r = work(w, p->a, ret);
                if (!r)
                        ret->number = -ret->number;
                return r;
        default:
                return work_pair(w, p, ret);
        }
}

static bool holds(double a, const char *comparison, double b)
{
        switch (comparison[0]) {
        case '<':
                return comparison[1] ? a <= b : a < b;
        case '>':
                return comparison[1] ? a >= b : a > b;
        case '=':
                return a == b;
        default:
                return a != b;
        }
}

int check_run(struct check_result *ret, const struct check *c, const struct check_source *from,
              char **ret_why)
{
        struct check_result result = {.comparison = c->comparison};
        struct worker w = {.c = c,
                           .from = from,
                           .why = result.why,
                           .size = sizeof(result.why),
                           .ret_why = ret_why};
        int r = work(&w, c->left, &result.left);

        if (!r)
                r = work(&w, c->right, &result.right);
        if (r)
                return r;
        if (!same_unit(&result.left, &result.right))
                return refuse(&w, c->right->column, "%s is compared with %s",
                              unit_names[result.left.unit], unit_names[result.right.unit]);
        if (isnan(result.left.number) || isnan(result.right.number))
                result.verdict = CHECK_UNKNOWN;
        else
                result.verdict = holds(result.left.number, c->comparison, result.right.number)
                                         ? CHECK_PASSED
                                         : CHECK_FAILED;
        *ret = result;
        return 0;
}

const char *check_value_text(char *buf, struct check_value v)
{
        double whole = fabs(v.number);

        if (isnan(v.number))
                snprintf(buf, CHECK_VALUE_SIZE, "not known");
        else if (v.unit == CHECK_NS && whole < 9e18 && whole >= 1000)
                snprintf(buf, CHECK_VALUE_SIZE, "%s%s", v.number < 0 ? "-" : "",
                         fmt_ns((char[FMT_SIZE]){0}, (uint64_t)whole));
        else if (v.unit == CHECK_NS)
                snprintf(buf, CHECK_VALUE_SIZE, "%.4gns", v.number);
        else if (v.unit == CHECK_BYTES && whole < 9e18 && whole >= 1024)
                fmt_bytes(buf, (int64_t)v.number);
        else if (v.unit == CHECK_BYTES)
                snprintf(buf, CHECK_VALUE_SIZE, "%.4gB", v.number);
        else
                snprintf(buf, CHECK_VALUE_SIZE, "%.6g", v.number);
        return buf;
}
