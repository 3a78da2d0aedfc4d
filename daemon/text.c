/* SPDX-License-Identifier: MIT */
/*
 * Names come from segments, from /proc and over the API: from people and
 * programs that may have put anything into them. They are cleaned once, where
 * they enter the daemon, so that everything behind (JSON, SQLite, a terminal)
 * gets printable UTF-8 and never a control character.
 */
#include "daemon/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"

/* Length of the well-formed UTF-8 sequence at `s` (RFC 3629), 0 when there is none. */
static size_t utf8_length(const unsigned char *s)
{
        uint32_t c = s[0], least;
        size_t n;

        if (c < 0x80)
                return 1;
        if (c >= 0xc2 && c < 0xe0)
                n = 2, c &= 0x1f, least = 0x80;
        else if (c >= 0xe0 && c < 0xf0)
                n = 3, c &= 0x0f, least = 0x800;
        else if (c >= 0xf0 && c < 0xf5)
                n = 4, c &= 0x07, least = 0x10000;
        else
                return 0;
        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }
        if (c < least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || (c >= 0x80 && c < 0xa0))
                return 0;
        return n;
}

void text_clean(char *s)
{
        unsigned char *p = (unsigned char *)s;

        while (*p) {
                size_t n = utf8_length(p);

                if (!n || *p < 0x20 || *p == 0x7f) {
                        *p = '?';
                        n = 1;
                }
                p += n;
        }
}

char *text_copy(const char *s, size_t n)
{
        char *copy = strndup(s, n);

        if (copy)
                text_clean(copy);
        return copy;
}

bool text_is_id(const char *s)
{
        size_t n = strlen(s);

        return n && n < 64 && s[0] != '.' && s[0] != '-' &&
               strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-") == n;
}

char *text_format(const char *format, ...)
{
        va_list ap;
        char *s;

        va_start(ap, format);
        if (vasprintf(&s, format, ap) < 0)
                s = NULL;
        va_end(ap);
        return s;
}

/* Of what is a secret, all but the first `hidden` - 1 bytes is not told. */
static void put_word(FILE *f, char *word, size_t hidden)
{
        static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-+=./,:@%^";

        if (hidden) {
                word[hidden - 1] = '\0';
                if (hidden > 1)
                        put_word(f, word, 0);
                fputs(SECRET_HIDDEN, f);
                return;
        }
        if (*word && strspn(word, plain) == strlen(word)) {
                fputs(word, f);
                return;
        }
        fputc('\'', f);
        for (; *word; word++)
                if (*word == '\'')
                        fputs("'\\''", f);
                else
                        fputc(*word, f);
        fputc('\'', f);
}

char *text_shell_words(const char *words, size_t n)
{
        char *s = NULL, *before = NULL;
        size_t size;
        FILE *f = open_memstream(&s, &size);

        if (!f)
                return NULL;
        for (size_t i = 0; i < n;) {
                char *word = strndup(words + i, n - i);
                size_t hidden, length;

                if (!word)
                        break;
                if (i)
                        fputc(' ', f);
                length = strlen(word);
                hidden = secret_argument(before, word);
                put_word(f, word, hidden);
                i += length + 1;
                free(before);
                before = word;
        }
        free(before);
        if (fclose(f)) {
                free(s);
                return NULL;
        }
        text_clean(s);
        return s;
}
