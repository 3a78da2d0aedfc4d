/* SPDX-License-Identifier: MIT */
#include "cli/svg.h"

void svg_escaped(FILE *out, const char *s)
{
        for (; *s; s++)
                switch (*s) {
                case '&':
                        fputs("&amp;", out);
                        break;
                case '<':
                        fputs("&lt;", out);
                        break;
                case '>':
                        fputs("&gt;", out);
                        break;
                case '"':
                        fputs("&quot;", out);
                        break;
                default:
                        putc(*s, out);
                }
}
