/* SPDX-License-Identifier: MIT */
/*
 * Names of frames. They come from a stranger's symbol tables, so they may be of any length and
 * hold anything: what is made here is always one line of valid UTF-8. flame.js shortens in the
 * same way as flame_label() does.
 */
#include "cli/flame-name.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/function-name.h"

#define ELLIPSIS "…"

/* One line: what a terminal, XML or a line-oriented format could take for something else is '?'. */
char *flame_one_line(const char *s)
{
        char *clean = fmt_utf8(s);

        for (char *p = clean; p && *p; p++) {
                unsigned char c = (unsigned char)*p;

                if (c < 0x20 || c == 0x7f)
                        *p = '?';
                else if (c == 0xc2 && (unsigned char)p[1] < 0xa0) /* U+0080 to U+009f */
                        p[0] = p[1] = '?';
                else if (c == 0xef && (unsigned char)p[1] == 0xbf && (unsigned char)p[2] > 0xbd)
                        p[0] = p[1] = p[2] = '?'; /* U+fffe, U+ffff: not in XML */
        }
        return clean;
}

char *flame_name(const json_t *frame)
{
        const char *function = text_string(frame, "function", NULL);
        const char *library = function_library(text_string(frame, "library", NULL));
        const json_t *offset = json_object_get(frame, "offset");
        _cleanup_(freep) char *name = NULL;

        if (function && *function)
                return flame_one_line(function);
        if (!json_is_integer(offset))
                return flame_one_line(library ? library : "?");
        if (library && *library == '[') /* "[jit]": an address says nothing there */
                return flame_one_line(library);
        if (asprintf(&name, "%s%s0x%" PRIx64, library ? library : "", library ? "+" : "",
                     (uint64_t)json_integer_value(offset)) < 0)
                return NULL;
        return flame_one_line(name);
}

char *flame_op_name(const char *op)
{
        _cleanup_(freep) char *name = NULL;

        return asprintf(&name, "[op %s]", op) < 0 ? NULL : flame_one_line(name);
}

const char *flame_missing(const json_t *stack)
{
        if (json_is_true(json_object_get(stack, "other")))
                return "[table of stacks full]";
        if (json_is_true(json_object_get(stack, "one")))
                return "[only the caller is known]";
        return json_is_true(json_object_get(stack, "cut")) ? "[outer frames missing]" : NULL;
}

char *flame_op_of_name(const char *name)
{
        size_t n = strlen(name);

        return n > 5 ? strndup(name + 4, n - 5) : strdup(name);
}

/* Length of the bracketed text that begins at `s`, brackets included; 0: it does not end. */
static size_t bracketed(const char *s)
{
        size_t depth = 0;

        for (size_t i = 0; s[i]; i++) {
                if (s[i] == '<' || s[i] == '(')
                        depth++;
                else if ((s[i] == '>' && i && s[i - 1] != '-') || s[i] == ')')
                        depth--;
                if (!depth)
                        return i + 1;
        }
        return 0;
}

/* Of what must stay as it is: operators, and a scope that is named in brackets. */
static size_t verbatim(const char *s, const char *begin)
{
        static const char anonymous[] = "(anonymous namespace)", operator[] = "operator";
        size_t n = sizeof(operator) - 1;
        char before = s > begin ? s[-1] : ' ';

        if (!strncmp(s, anonymous, sizeof(anonymous) - 1))
                return sizeof(anonymous) - 1;
        if (strncmp(s, operator, n) != 0 || (before != ' ' && before != ':'))
                return 0;
        if (!strncmp(s + n, "()", 2))
                return n + 2;
        return n + strspn(s + n, "<>=-");
}

char *flame_short_name(const char *name)
{
        char *out = malloc(2 * strlen(name) + 8), *to = out;

        if (!out)
                return NULL;
        for (const char *s = name; *s;) {
                size_t n = verbatim(s, name);

                if (!n && (*s == '<' || *s == '(')) {
                        n = bracketed(s);
                        if (!n)
                                return strcpy(out, name);
                        to += n > 2 ? sprintf(to, "%c" ELLIPSIS "%c", *s, s[n - 1])
                                    : sprintf(to, "%c%c", s[0], s[1]);
                } else {
                        n = n ? n : 1;
                        memcpy(to, s, n);
                        to += n;
                }
                s += n;
        }
        *to = '\0';
        return out;
}

/* Bytes of the first character of UTF-8 text, and the columns it takes. */
static size_t next_character(const char *s, size_t *ret_columns)
{
        static const unsigned char of_lead[] = {2, 2, 3, 4};
        unsigned char c = (unsigned char)*s;
        size_t n = c < 0xc0 ? 1 : of_lead[(c >> 4) - 12];

        /* From U+1100 on letters may be wide (Hangul, CJK, emoji): those of three bytes with a
           lead of 0xe1, or from U+2e80, and all of four. Punctuation (U+2000) is not. */
        *ret_columns = n == 4 || c == 0xe1 || (c > 0xe2 && n == 3) ? 2 : 1;
        return n;
}

size_t flame_columns(const char *text)
{
        size_t columns = 0, c;

        for (; *text; columns += c)
                for (size_t n = next_character(text, &c); n && *text; n--)
                        text++;
        return columns;
}

/* What follows the last scope of a name without brackets' contents. */
static const char *last_part(const char *name)
{
        const char *part = name;

        for (const char *s = name; (s = strstr(s, "::"));)
                part = s += 2;
        return part;
}

char *flame_cut(const char *text, size_t columns)
{
        size_t used = 0, bytes = 0, c;
        char *out;

        if (flame_columns(text) <= columns || !columns)
                return strdup(columns ? text : "");
        for (const char *s = text; *s; s = text + bytes) {
                size_t n = strnlen(s, next_character(s, &c));

                if (used + c > columns - 1)
                        break;
                used += c;
                bytes += n;
        }
        if (asprintf(&out, "%.*s" ELLIPSIS, (int)bytes, text) < 0)
                return NULL;
        return out;
}

char *flame_label(const char *name, const char *brief, size_t columns)
{
        if (columns < 3)
                return strdup("");
        if (flame_columns(name) <= columns)
                return strdup(name);
        if (flame_columns(brief) <= columns)
                return strdup(brief);
        return flame_cut(last_part(brief), columns);
}
