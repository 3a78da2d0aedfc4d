/* SPDX-License-Identifier: MIT */
/*
 * Figures with units, of which some are only bounds: a counter at the end of its range is at least
 * so much. What is made of such figures is a bound too, or is any, and a comparison with one may be
 * open. Not known (NaN) stays not known.
 */
#include "common/check-private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/fmt.h"

#define SHOWN_BYTES 60

int check_shown(const char *word)
{
        size_t n = strlen(word);

        if (n <= SHOWN_BYTES)
                return (int)n;
        for (n = SHOWN_BYTES; n && ((unsigned char)word[n] & 0xc0) == 0x80; n--)
                ;
        return (int)n;
}

/* ---- units --------------------------------------------------------------------------- */

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

bool check_unit_find(const char *name, size_t n, double *ret_factor, enum check_unit *ret_unit)
{
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
                if (strlen(units[i].name) == n && !strncmp(units[i].name, name, n)) {
                        *ret_factor = units[i].factor;
                        *ret_unit = units[i].unit;
                        return true;
                }
        return false;
}

static bool ends(const char *s, const char *with)
{
        size_t n = strlen(s), k = strlen(with);

        return n >= k && !strcmp(s + n - k, with);
}

enum check_unit check_unit_of_member(const char *member)
{
        return ends(member, "_ns") ? CHECK_NS : ends(member, "bytes") ? CHECK_BYTES : CHECK_PLAIN;
}

/* ---- bounds -------------------------------------------------------------------------- */

static enum check_bound turned(enum check_bound b)
{
        return b == CHECK_AT_LEAST ? CHECK_AT_MOST : b == CHECK_AT_MOST ? CHECK_AT_LEAST : b;
}

/* Of a product: what is exact turns the other's bound where it is negative. */
static enum check_bound of_product(struct check_value a, struct check_value b)
{
        if (!a.bound)
                return a.number < 0 ? turned(b.bound) : b.bound;
        if (!b.bound)
                return b.number < 0 ? turned(a.bound) : a.bound;
        return a.bound == CHECK_AT_LEAST && b.bound == CHECK_AT_LEAST && a.number >= 0 &&
                               b.number >= 0
                       ? CHECK_AT_LEAST
                       : CHECK_ANY;
}

/* A divisor that is at least so much, and more than 0, takes what is exact nearer to 0. */
static enum check_bound of_quotient(struct check_value a, struct check_value b)
{
        if (!b.bound)
                return b.number < 0 ? turned(a.bound) : a.bound;
        if (a.bound || b.bound != CHECK_AT_LEAST || b.number <= 0)
                return CHECK_ANY;
        return a.number < 0 ? CHECK_AT_LEAST : CHECK_AT_MOST;
}

struct check_value check_value_negated(struct check_value v)
{
        return (struct check_value){-v.number, v.unit, turned(v.bound)};
}

struct check_value check_value_pair(enum check_kind kind, struct check_value a,
                                    struct check_value b)
{
        switch (kind) {
        case CHECK_MULTIPLIED:
                return (struct check_value){a.number * b.number, a.unit ? a.unit : b.unit,
                                            of_product(a, b)};
        case CHECK_DIVIDED:
                return (struct check_value){b.number == 0 ? NAN : a.number / b.number,
                                            b.unit ? CHECK_PLAIN : a.unit, of_quotient(a, b)};
        case CHECK_TAKEN:
                return (struct check_value){a.number - b.number, a.unit, a.bound | turned(b.bound)};
        default:
                return (struct check_value){a.number + b.number, a.unit, a.bound | b.bound};
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

/*
 * Of a bound it is enough to look at three places: where it is, anywhere between it and the other
 * side, and beyond; they differ where the answer is open.
 */
enum check_verdict check_value_compare(struct check_value a, const char *comparison,
                                       struct check_value b)
{
        enum check_bound bound = a.bound | turned(b.bound);
        bool now = holds(a.number, comparison, b.number), open;

        open = bound == CHECK_ANY ||
               (bound == CHECK_AT_LEAST && a.number <= b.number &&
                (now != holds(1, comparison, 0) || now != holds(0, comparison, 0))) ||
               (bound == CHECK_AT_MOST && a.number >= b.number &&
                (now != holds(0, comparison, 1) || now != holds(0, comparison, 0)));
        return open ? CHECK_UNKNOWN : now ? CHECK_PASSED : CHECK_FAILED;
}

/* ---- for people ---------------------------------------------------------------------- */

const char *check_value_text(char *buf, struct check_value v)
{
        double whole = fabs(v.number);
        size_t room;
        char *at = buf;

        if (v.bound && v.bound != CHECK_ANY && !isnan(v.number))
                at += sprintf(buf, "at %s ", v.bound == CHECK_AT_LEAST ? "least" : "most");
        room = CHECK_VALUE_SIZE - (size_t)(at - buf);

        if (isnan(v.number))
                snprintf(at, room, "not known");
        else if (v.unit == CHECK_NS && whole < 9e18 && whole >= 1000)
                snprintf(at, room, "%s%s", v.number < 0 ? "-" : "",
                         fmt_ns((char[FMT_SIZE]){0}, (uint64_t)whole));
        else if (v.unit == CHECK_NS)
                snprintf(at, room, "%.4gns", v.number);
        else if (v.unit == CHECK_BYTES && whole < 9e18 && whole >= 1024)
                fmt_bytes(at, (int64_t)v.number);
        else if (v.unit == CHECK_BYTES)
                snprintf(at, room, "%.4gB", v.number);
        else
                snprintf(at, room, "%.6g", v.number);
        return buf;
}
