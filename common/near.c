/* SPDX-License-Identifier: MIT */
#include "common/near.h"

#include <stdint.h>
#include <string.h>

#define MOST 64

static size_t least(size_t a, size_t b, size_t c)
{
        size_t m = a < b ? a : b;

        return m < c ? m : c;
}

size_t near_distance(const char *a, const char *b)
{
        size_t n = strlen(b), row[MOST + 1];

        if (n > MOST || strlen(a) > MOST)
                return SIZE_MAX;
        for (size_t k = 0; k <= n; k++)
                row[k] = k;
        for (size_t i = 0; a[i]; i++) {
                size_t corner = row[0];

                row[0] = i + 1;
                for (size_t k = 1; k <= n; k++) {
                        size_t above = row[k];

                        row[k] = least(above + 1, row[k - 1] + 1, corner + (a[i] != b[k - 1]));
                        corner = above;
                }
        }
        return row[n];
}
