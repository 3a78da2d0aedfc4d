/* SPDX-License-Identifier: MIT */
/*
 * Sparklines. Each line is scaled to its own greatest value, for it shows a course and not a
 * height; something is always told from nothing. A line of a range begins at the least value
 * instead: what stands beside it must say which that is.
 */
#include "cli/spark.h"

#include <stdlib.h>
#include <string.h>

#include "cli/text.h"

static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const ascii[] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};

double spark_last(const json_t *series)
{
        size_t n = json_array_size(series);

        return n ? json_number_value(json_array_get(series, n - 1)) : -1;
}

/* The mean of the series between two places, so that a cell of more seconds is no higher. */
static double mean_of(const json_t *series, size_t from, size_t to)
{
        double sum = 0;

        for (size_t i = from; i < to; i++)
                sum += json_number_value(json_array_get(series, i));
        return to > from ? sum / (double)(to - from) : 0;
}

char *spark_text(const json_t *series, unsigned width)
{
        size_t n = json_array_size(series), cells = n < width ? n : width;
        char *out = malloc(width * 3 + 1), *p = out;
        double top = 0, v;

        if (!out)
                return NULL;
        for (size_t i = 0; i < cells; i++) {
                v = mean_of(series, i * n / cells, (i + 1) * n / cells);
                top = v > top ? v : top;
        }
        for (size_t i = cells; i < width; i++)
                *p++ = ' ';
        for (size_t i = 0; i < cells; i++) {
                unsigned level = 0;

                v = mean_of(series, i * n / cells, (i + 1) * n / cells);
                if (v > 0 && top > 0)
                        level = 1 + (unsigned)(7 * v / top + 0.5);
                p = stpcpy(p, (text_is_utf8() ? blocks : ascii)[level > 8 ? 8 : level]);
        }
        *p = '\0';
        return out;
}

bool spark_range(const json_t *series, double *ret_least, double *ret_most)
{
        const json_t *v;
        bool any = false;
        size_t i;

        json_array_foreach(series, i, v)
        {
                double x = json_number_value(v);

                if (!json_is_number(v))
                        continue;
                *ret_least = any && *ret_least < x ? *ret_least : x;
                *ret_most = any && *ret_most > x ? *ret_most : x;
                any = true;
        }
        return any;
}

/* Of the last known number in a cell, so that what is shown was so. */
static unsigned range_level(const json_t *series, size_t from, size_t to, double least, double most)
{
        for (size_t i = to; i-- > from;) {
                const json_t *v = json_array_get(series, i);

                if (json_is_number(v))
                        return most > least ? 1 + (unsigned)(7 * (json_number_value(v) - least) /
                                                                     (most - least) +
                                                             0.5)
                                            : 1;
        }
        return 0;
}

char *spark_range_text(const json_t *series, unsigned width)
{
        size_t n = json_array_size(series), cells = n < width ? n : width;
        char *out = malloc(width * 3 + 1), *p = out;
        double least = 0, most = 0;

        if (!out)
                return NULL;
        spark_range(series, &least, &most);
        memset(p, ' ', width - cells);
        p += width - cells;
        for (size_t i = 0; i < cells; i++) {
                unsigned level =
                        range_level(series, i * n / cells, (i + 1) * n / cells, least, most);

                p = stpcpy(p, (text_is_utf8() ? blocks : ascii)[level]);
        }
        *p = '\0';
        return out;
}
