/* SPDX-License-Identifier: MIT */
/*
 * The expressions of a declaration, kept as steps for a stack and worked out in fractions of 128
 * bits, so that decimals and divisions lose nothing. What does not fit is "many" with a sign until
 * something is asked that would have to know how many; then, as by a division by zero, the whole is
 * not known. Neither the depth of an expression nor its length is without a bound.
 */
#include "common/op-declaration-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/amount.h"
#include "common/cleanup.h"

#define MAX_STEPS  128
#define MAX_DEPTH  32
#define MAX_DIGITS 18

typedef unsigned __int128 u128;

#define U128_MAX (~(u128)0)

struct step {
        enum { NUMBER, ARGUMENT, NEGATE, ADD, SUBTRACT, MULTIPLY, DIVIDE } what;
        size_t argument, value; /* of the declaration; of those with names */
        uint64_t num, den;
};

struct op_expression {
        size_t n;
        struct step at[MAX_STEPS];
};

DEFINE_CLEANUP(struct op_expression *, op_expression_free, op_expression_freep);

static int push(struct op_expression *e, struct op_parser *p, const char *from, struct step step)
{
        if (e->n == MAX_STEPS)
                return op_wrong(p, from,
                                "expected an expression of at most %d numbers, names and "
                                "operators",
                                MAX_STEPS);
        e->at[e->n++] = step;
        return 0;
}

static bool is_digit(const struct op_parser *p)
{
        return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

static int parse_number(struct op_expression *e, struct op_parser *p)
{
        struct step step = {.what = NUMBER, .den = 1};
        const char *from = p->at;
        size_t digits = 0;

        for (bool point = false;; p->at++) {
                if (!point && p->at < p->end && *p->at == '.') {
                        point = true;
                        p->at++;
                        if (!is_digit(p))
                                return op_wrong(p, p->at, "expected a digit");
                }
                if (!is_digit(p))
                        break;
                if (++digits > MAX_DIGITS)
                        return op_wrong(p, from, "expected a number of at most %d digits",
                                        MAX_DIGITS);
                step.num = 10 * step.num + (uint64_t)(*p->at - '0');
                step.den *= point ? 10 : 1;
        }
        return push(e, p, from, step);
}

static int parse_name(struct op_expression *e, struct op_parser *p)
{
        struct step step = {.what = ARGUMENT};
        const struct op_declaration *d = p->d;
        const char *from = p->at;
        size_t length = op_word(p);

        for (size_t i = 0; i < d->n_args; i++) {
                const struct op_argument *a = &d->args[i];

                if (strlen(a->name) != length || memcmp(a->name, from, length)) {
                        step.value += a->name[0] != '\0';
                        continue;
                }
                step.argument = i;
                p->at += length;
                return push(e, p, from, step);
        }
        return op_wrong(p, from, "expected a name of an argument: there is no '%.*s'",
                        length < 64 ? (int)length : 64, from);
}

static int parse_sum(struct op_expression *e, struct op_parser *p, int depth);

static int parse_factor(struct op_expression *e, struct op_parser *p, int depth)
{
        const char *from;
        int r;

        op_skip_blanks(p);
        from = p->at;
        if (depth > MAX_DEPTH)
                return op_wrong(p, from, "expected at most %d levels of '(' and '-'", MAX_DEPTH);
        if (is_digit(p))
                return parse_number(e, p);
        if (op_word(p))
                return parse_name(e, p);
        if (from < p->end && *from == '-') {
                p->at++;
                r = parse_factor(e, p, depth + 1);
                return r ? r : push(e, p, from, (struct step){.what = NEGATE});
        }
        if (from == p->end || *from != '(')
                return op_wrong(p, from, "expected a number, a name or '('");
        p->at++;
        r = parse_sum(e, p, depth + 1);
        if (r)
                return r;
        op_skip_blanks(p);
        if (p->at == p->end || *p->at != ')')
                return op_wrong(p, p->at, "expected an operator or ')'");
        p->at++;
        return 0;
}

/* Operands of one level, and the operators between them. */
static int parse_level(struct op_expression *e, struct op_parser *p, int depth, bool products)
{
        const char *operators = products ? "*/" : "+-";
        int r = products ? parse_factor(e, p, depth) : parse_level(e, p, depth, true);

        while (!r) {
                const char *from, *which;

                op_skip_blanks(p);
                from = p->at;
                which = from < p->end && *from ? strchr(operators, *from) : NULL;
                if (!which)
                        break;
                p->at++;
                r = products ? parse_factor(e, p, depth) : parse_level(e, p, depth, true);
                if (!r)
                        r = push(e, p, from,
                                 (struct step){.what = *which == '*'   ? MULTIPLY
                                                       : *which == '/' ? DIVIDE
                                                       : *which == '+' ? ADD
                                                                       : SUBTRACT});
        }
        return r;
}

static int parse_sum(struct op_expression *e, struct op_parser *p, int depth)
{
        return parse_level(e, p, depth, false);
}

int op_expression_parse(struct op_expression **ret, struct op_parser *p)
{
        _cleanup_(op_expression_freep) struct op_expression *e = calloc(1, sizeof(*e));
        int r;

        if (!e)
                return -ENOMEM;
        r = parse_sum(e, p, 0);
        if (!r)
                *ret = steal_ptr(e);
        return r;
}

struct op_expression *op_expression_free(struct op_expression *e)
{
        free(e);
        return NULL;
}

/* num / den in lowest terms; or, with a sign, more than 2^64; or nothing that is known. */
struct value {
        enum { FRACTION, MANY, UNKNOWN } kind;
        bool negative;
        u128 num, den;
};

static const struct value unknown = {.kind = UNKNOWN};

static u128 gcd(u128 a, u128 b)
{
        while (b) {
                u128 rest = a % b;

                a = b;
                b = rest;
        }
        return a;
}

static bool fits_product(u128 a, u128 b, u128 *ret)
{
        if (a && b > U128_MAX / a)
                return false;
        *ret = a * b;
        return true;
}

static struct value many(bool negative)
{
        return (struct value){.kind = MANY, .negative = negative};
}

/* A numerator of 2^128 or more over `den`. */
static struct value too_large(bool negative, u128 den)
{
        return den <= UINT64_MAX ? many(negative) : unknown;
}

static struct value multiply(struct value a, struct value b)
{
        struct value v = {.negative = a.negative != b.negative};
        u128 g, h;

        if (a.kind == UNKNOWN || b.kind == UNKNOWN)
                return unknown;
        if (a.kind == MANY || b.kind == MANY) {
                bool less = (a.kind == FRACTION && a.num < a.den) ||
                            (b.kind == FRACTION && b.num < b.den);

                return less ? unknown : many(v.negative);
        }
        g = gcd(a.num, b.den);
        h = gcd(b.num, a.den);
        if (!fits_product(a.den / h, b.den / g, &v.den))
                return unknown;
        return fits_product(a.num / g, b.num / h, &v.num) ? v : too_large(v.negative, v.den);
}

static struct value divide(struct value a, struct value b)
{
        if (b.kind != FRACTION || !b.num)
                return unknown;
        return multiply(a, (struct value){.negative = b.negative, .num = b.den, .den = b.num});
}

static struct value add(struct value a, struct value b)
{
        struct value v = {.negative = a.negative};
        u128 g, x, y;

        if (a.kind == UNKNOWN || b.kind == UNKNOWN)
                return unknown;
        if (a.kind == MANY || b.kind == MANY)
                return a.negative == b.negative ? many(a.negative) : unknown;
        g = gcd(a.den, b.den);
        if (!fits_product(a.den, b.den / g, &v.den))
                return unknown;
        if (!fits_product(a.num, b.den / g, &x) || !fits_product(b.num, a.den / g, &y) ||
            (a.negative == b.negative && x > U128_MAX - y))
                return a.negative == b.negative ? too_large(a.negative, v.den) : unknown;
        if (a.negative == b.negative) {
                v.num = x + y;
        } else {
                v.num = x > y ? x - y : y - x;
                v.negative = x > y ? a.negative : b.negative;
        }
        g = gcd(v.num, v.den);
        v.num /= g;
        v.den /= g;
        return v;
}

static struct value negate(struct value v)
{
        v.negative = !v.negative;
        return v;
}

static struct value whole(bool negative, uint64_t n)
{
        return (struct value){.negative = negative, .num = n, .den = 1};
}

static struct value argument(enum op_type type, int64_t value)
{
        switch (type) {
        case OP_I32:
                value = (int32_t)value;
                break;
        case OP_U32:
                value = (uint32_t)value;
                break;
        case OP_U64:
                return whole(false, (uint64_t)value);
        default:
                break;
        }
        return whole(value < 0, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static struct value combine(int what, struct value a, struct value b)
{
        switch (what) {
        case ADD:
                return add(a, b);
        case SUBTRACT:
                return add(a, negate(b));
        case MULTIPLY:
                return multiply(a, b);
        default:
                return divide(a, b);
        }
}

static struct value reduced(uint64_t num, uint64_t den)
{
        u128 g = gcd(num, den);

        return (struct value){.num = num / g, .den = den / g};
}

uint64_t op_expression_value(const struct op_expression *e, const struct op_declaration *d,
                             const int64_t *values, size_t n_values)
{
        struct value stack[MAX_STEPS] = {{.kind = UNKNOWN}};
        size_t n = 0;

        for (size_t i = 0; i < e->n; i++) {
                const struct step *step = &e->at[i];

                if (step->what == NUMBER) {
                        stack[n++] = reduced(step->num, step->den);
                } else if (step->what == ARGUMENT) {
                        stack[n++] = step->value < n_values ? argument(d->args[step->argument].type,
                                                                       values[step->value])
                                                            : unknown;
                } else if (step->what == NEGATE) {
                        stack[n - 1] = negate(stack[n - 1]);
                } else {
                        n--;
                        stack[n - 1] = combine((int)step->what, stack[n - 1], stack[n]);
                }
        }
        if (stack[0].kind == UNKNOWN ||
            (stack[0].negative && (stack[0].kind == MANY || stack[0].num)))
                return AMOUNT_UNKNOWN;
        return stack[0].kind == MANY ? AMOUNT_MANY : amount_clamp(stack[0].num / stack[0].den);
}
