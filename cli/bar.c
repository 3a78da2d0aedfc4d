/* SPDX-License-Identifier: MIT */
#include "cli/bar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"

static const char *const parts[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};

char *bar_text(double share, unsigned width)
{
        char *out = malloc((size_t)width * 3 + 1), *p = out;
        unsigned eighths = share > 0 ? (unsigned)lround(fmin(share, 1) * width * 8) : 0;

        if (!out)
                return NULL;
        if (share > 0 && !eighths)
                eighths = 1;
        for (unsigned i = 0; i < width; i++) {
                unsigned left = eighths > i * 8 ? eighths - i * 8 : 0;

                if (!text_is_utf8())
                        p = stpcpy(p, left ? "#" : " ");
                else
                        p = stpcpy(p, left >= 8 ? "█" : parts[left]);
        }
        *p = '\0';
        return out;
}

char *bar_split_text(const json_t *split, unsigned width)
{
        static const char *const members[] = {"running", "runnable", "waiting"};
        static const char *const blocks[] = {"█", "▒", "░"}, *const ascii[] = {"#", "+", "."};
        char *out = malloc((size_t)width * 3 + 1), *p = out;
        double sum = 0;
        unsigned at = 0;

        if (!out)
                return NULL;
        for (unsigned m = 0; m < 3; m++) {
                double share = text_number(split, members[m]);

                sum += isnan(share) ? 0 : share;
                /* ends are rounded, not lengths, so that all of it is never too long */
                for (; at < width && at < (unsigned)lround(fmin(sum, 1) * width); at++)
                        p = stpcpy(p, (text_is_utf8() ? blocks : ascii)[m]);
        }
        for (; at < width; at++)
                *p++ = ' ';
        *p = '\0';
        return out;
}
