/* SPDX-License-Identifier: MIT */
/*
 * Figures and names for narrow columns. Three significant digits are as many
 * as an eye takes in from a moving table; the documents have all of them.
 */
#include "cli/text.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static bool utf8;

void text_init(void)
{
        setlocale(LC_CTYPE, "");
        utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
}

bool text_is_utf8(void)
{
        return utf8;
}

/* Three significant digits. */
static const char *three(char *buf, double v, const char *unit)
{
        int decimals = fabs(v) < 9.995 ? 2 : fabs(v) < 99.95 ? 1 : 0;

        snprintf(buf, TEXT_CELL, "%.*f%s", decimals, v, unit);
        return buf;
}

static const char *unknown(char *buf)
{
        return strcpy(buf, "-");
}

const char *text_duration(char *buf, double ns)
{
        if (isnan(ns))
                return unknown(buf);
        if (ns < 0)
                ns = 0;
        if (ns < 999.5) {
                snprintf(buf, TEXT_CELL, "%.0fns", ns);
                return buf;
        }
        if (ns < 999.5e3)
                return three(buf, ns / 1e3, utf8 ? "µs" : "us");
        if (ns < 999.5e6)
                return three(buf, ns / 1e6, "ms");
        if (ns < 99.95e9)
                return three(buf, ns / 1e9, "s");
        if (ns < 99.5 * 60e9)
                return three(buf, ns / 60e9, "m");
        return three(buf, ns / 3600e9, "h");
}

const char *text_count(char *buf, double n)
{
        static const char *const units[] = {"k", "M", "G", "T", "P", "E"};
        unsigned u = 0;

        if (isnan(n))
                return unknown(buf);
        if (fabs(n) < 999.5) {
                snprintf(buf, TEXT_CELL, "%.*f",
                         n == floor(n) || fabs(n) >= 99.95 ? 0
                         : fabs(n) < 9.995                 ? 2
                                                           : 1,
                         n);
                return buf;
        }
        for (n /= 1000; fabs(n) >= 999.5 && u < 5; u++)
                n /= 1000;
        return three(buf, n, units[u]);
}

const char *text_exact(char *buf, double n)
{
        char digits[TEXT_CELL];
        size_t len, used = 0;

        if (isnan(n) || fabs(n) >= 999999999.5)
                return text_count(buf, n);
        len = (size_t)snprintf(digits, sizeof(digits), "%.0f", n);
        for (size_t i = 0; i < len; i++) {
                if (i && (len - i) % 3 == 0 && digits[i - 1] != '-')
                        buf[used++] = ',';
                buf[used++] = digits[i];
        }
        buf[used] = '\0';
        return buf;
}

const char *text_bytes(char *buf, double bytes)
{
        static const char *const units[] = {"K", "M", "G", "T", "P", "E"};
        unsigned u = 0;

        if (isnan(bytes))
                return unknown(buf);
        if (fabs(bytes) < 1024) {
                snprintf(buf, TEXT_CELL, "%.0f", bytes);
                return buf;
        }
        for (bytes /= 1024; fabs(bytes) >= 999.5 && u < 5; u++)
                bytes /= 1024;
        return three(buf, bytes, units[u]);
}

const char *text_share(char *buf, double share)
{
        if (isnan(share))
                return unknown(buf);
        snprintf(buf, TEXT_CELL, "%.1f", share * 100);
        return buf;
}

double text_number(const json_t *object, const char *name)
{
        const json_t *v = json_object_get(object, name);

        return json_is_number(v) ? json_number_value(v) : NAN;
}

const char *text_string(const json_t *object, const char *name, const char *otherwise)
{
        const char *s = json_string_value(json_object_get(object, name));

        return s ? s : otherwise;
}

const char *text_exit(char *buf, const json_t *exit)
{
        const json_t *code = json_object_get(exit, "code"), *sig = json_object_get(exit, "signal");
        const char *name;

        if (json_is_integer(code)) {
                snprintf(buf, TEXT_END, "exit code %d", (int)json_integer_value(code));
                return buf;
        }
        if (!json_is_integer(sig))
                return NULL;
        name = sigabbrev_np((int)json_integer_value(sig));
        if (name)
                snprintf(buf, TEXT_END, "killed by SIG%s", name);
        else
                snprintf(buf, TEXT_END, "killed by signal %d", (int)json_integer_value(sig));
        return buf;
}

/* The next character of `s`: its bytes and columns. What is no character is one byte, shown as '?'.
 */
static size_t next_char(const char *s, int *ret_width)
{
        mbstate_t state = {0};
        wchar_t c;
        size_t n;

        if ((unsigned char)*s < 0x80) {
                *ret_width = *s >= 0x20 && *s < 0x7f ? 1 : -1;
                return 1;
        }
        n = mbrtowc(&c, s, MB_CUR_MAX, &state);
        if (n == 0 || n > MB_CUR_MAX) {
                *ret_width = -1;
                return 1;
        }
        *ret_width = wcwidth(c);
        return n;
}

unsigned text_width(const char *s)
{
        unsigned width = 0;
        int w;

        for (size_t n; *s; s += n) {
                n = next_char(s, &w);
                width += w < 0 ? 1 : (unsigned)w;
        }
        return width;
}

char *text_clean(const char *s, unsigned cells)
{
        bool cut = text_width(s) > cells;
        unsigned width = 0, room = cut && cells ? cells - 1 : cells;
        size_t n, used = 0;
        char *out = malloc(strlen(s) + 4);
        int w;

        if (!out)
                return NULL;
        for (; *s; s += n) {
                n = next_char(s, &w);
                if (width + (w < 0 ? 1 : (unsigned)w) > room)
                        break;
                width += w < 0 ? 1 : (unsigned)w;
                if (w < 0) {
                        out[used++] = '?';
                        continue;
                }
                memcpy(out + used, s, n);
                used += n;
        }
        out[used] = '\0';
        if (cut && cells)
                strcat(out, utf8 ? "…" : "~");
        return out;
}

char *text_middle(const char *s, unsigned cells)
{
        unsigned width = text_width(s), tail = cells ? (cells - 1) / 2 : 0;
        char *head, *end, *both;
        int w;

        if (width <= cells || !cells)
                return text_clean(s, cells);
        head = text_clean(s, cells - tail);
        while (*s && width > tail) {
                s += next_char(s, &w);
                width -= w < 0 ? 1 : (unsigned)w;
        }
        end = text_clean(s, tail);
        both = head && end ? malloc(strlen(head) + strlen(end) + 1) : NULL;
        if (both)
                strcpy(stpcpy(both, head), end);
        free(head);
        free(end);
        return both;
}
