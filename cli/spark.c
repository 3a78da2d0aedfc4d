/* SPDX-License-Identifier: MIT */
/*
 * Sparklines. Each line is scaled to its own greatest value, for it shows a course and not a
 * height; something is always told from nothing.
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
