/* SPDX-License-Identifier: MIT */
#include "cli/units.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct unit {
        const char *name;
        double factor;
};

/* A number that is not negative, and what stands behind it. */
static bool number(const char *s, double *ret, const char **ret_rest)
{
        char *end;

        if (!isdigit((unsigned char)*s) && *s != '.')
                return false;
        errno = 0;
        *ret = strtod(s, &end);
        *ret_rest = end;
        return end != s && !errno && strspn(s, "0123456789.") == (size_t)(end - s);
}

static bool with_unit(const char *s, const struct unit *units, size_t n, double *ret)
{
        const char *rest;
        double v;

        if (!number(s, &v, &rest))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!strcasecmp(rest, units[i].name)) {
                        *ret = v * units[i].factor;
                        return *ret < 9e18;
                }
        return false;
}

bool units_time(const char *s, uint64_t *ret_ns)
{
        static const struct unit units[] = {{"", 1e9},   {"s", 1e9},    {"ms", 1e6},  {"us", 1e3},
                                            {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}};
        double v;

        if (!with_unit(s, units, sizeof(units) / sizeof(units[0]), &v))
                return false;
        *ret_ns = (uint64_t)v;
        return true;
}

bool units_bytes(const char *s, uint64_t *ret_bytes)
{
        static const struct unit units[] = {
                {"", 1},         {"B", 1},      {"K", 0x1p10},   {"KiB", 0x1p10}, {"M", 0x1p20},
                {"MiB", 0x1p20}, {"G", 0x1p30}, {"GiB", 0x1p30}, {"T", 0x1p40},   {"TiB", 0x1p40},
                {"kB", 1e3},     {"MB", 1e6},   {"GB", 1e9},     {"TB", 1e12},
        };
        double v;

        if (!with_unit(s, units, sizeof(units) / sizeof(units[0]), &v))
                return false;
        *ret_bytes = (uint64_t)v;
        return true;
}

bool units_share(const char *s, double *ret)
{
        static const struct unit units[] = {{"", 1}, {"%", 0.01}};

        return with_unit(s, units, 2, ret);
}

bool units_count(const char *s, uint64_t least, uint64_t most, uint64_t *ret)
{
        size_t digits = strspn(s, "0123456789");

        if (!digits || s[digits] || digits > 18)
                return false;
        *ret = strtoull(s, NULL, 10);
        return *ret >= least && *ret <= most;
}
