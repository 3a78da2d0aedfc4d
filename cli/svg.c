/* SPDX-License-Identifier: MIT */
#include "cli/svg.h"

#include <string.h>

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
                        if ((unsigned char)*s < 0x20 && !strchr("\t\n\r", *s))
                                fputs("\xef\xbf\xbd", out); /* XML 1.0 has no such character */
                        else
                                putc(*s, out);
                }
}
