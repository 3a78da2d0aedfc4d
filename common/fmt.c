/* SPDX-License-Identifier: MIT */
/*
 * Figures as people read them: four digits where the unit is a fraction of
 * what was measured, whole numbers where it is not. Rounding never shows a
 * figure that belongs to the next unit ("1000us").
 */
#include "common/fmt.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Four digits of a value below 1000 (1024 for bytes). */
static void print_digits(char *buf, double v, const char *unit)
{
        int decimals = v < 9.9995 ? 3 : v < 99.995 ? 2 : v < 999.95 ? 1 : 0;

        snprintf(buf, FMT_SIZE, "%.*f%s", decimals, v, unit);
}

const char *fmt_ns(char *buf, uint64_t ns)
{
        uint64_t s = ns / 1000000000u + (ns % 1000000000u >= 500000000u);

        if (ns < 1000)
                snprintf(buf, FMT_SIZE, "%" PRIu64 "ns", ns);
        else if (ns < 999950)
                print_digits(buf, (double)ns / 1e3, "us");
        else if (ns < 999950000)
                print_digits(buf, (double)ns / 1e6, "ms");
        else if (ns < 99995000000u)
                print_digits(buf, (double)ns / 1e9, "s");
        else if (s < 3600)
                snprintf(buf, FMT_SIZE, "%" PRIu64 "m%02us", s / 60, (unsigned)(s % 60));
        else
                snprintf(buf, FMT_SIZE, "%" PRIu64 "h%02um", s / 3600, (unsigned)(s % 3600 / 60));
        return buf;
}

const char *fmt_count(char *buf, uint64_t n)
{
        char digits[24];
        int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;

        for (int i = 0; i < len; i++) {
                if (i && (len - i) % 3 == 0)
                        buf[at++] = ',';
                buf[at++] = digits[i];
        }
        buf[at] = '\0';
        return buf;
}

const char *fmt_bytes(char *buf, int64_t bytes)
{
        static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
        double v = fabs((double)bytes);
        char digits[FMT_SIZE - 1];
        size_t unit = 0;

        if (v < 1024) {
                snprintf(buf, FMT_SIZE, "%dB", (int)bytes);
                return buf;
        }
        v /= 1024;
        while (v >= 1023.5 && unit < 5) {
                v /= 1024;
                unit++;
        }
        snprintf(digits, sizeof(digits), "%.*f%s",
                 v < 9.995   ? 2
                 : v < 99.95 ? 1
                             : 0,
                 v, units[unit]);
        snprintf(buf, FMT_SIZE, "%s%s", bytes < 0 ? "-" : "", digits);
        return buf;
}

const char *fmt_share(char *buf, double share)
{
        if (share > 0 && share < 0.0005)
                snprintf(buf, FMT_SIZE, "<0.1%%");
        else
                snprintf(buf, FMT_SIZE, "%.1f%%", share * 100);
        return buf;
}

const char *fmt_signal(char *buf, size_t size, int signal)
{
        const char *name = sigabbrev_np(signal);

        if (name)
                snprintf(buf, size, "SIG%s", name);
        else if (signal >= SIGRTMIN && signal <= SIGRTMAX)
                snprintf(buf, size, "SIGRTMIN+%d", signal - SIGRTMIN);
        else
                snprintf(buf, size, "signal %d", signal);
        return buf;
}

/* Bytes of the UTF-8 character at `s`; 0: it is none (RFC 3629: nothing overlong, no surrogates).
 */
static size_t utf8_length(const unsigned char *s)
{
        if (s[0] < 0x80)
                return 1;
        if (s[0] < 0xc2 || s[0] > 0xf4 || (s[1] & 0xc0) != 0x80)
                return 0;
        if (s[0] < 0xe0)
                return 2;
        if ((s[2] & 0xc0) != 0x80 || (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
                return 0;
        if (s[0] < 0xf0)
                return 3;
        if ((s[3] & 0xc0) != 0x80 || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
                return 0;
        return 4;
}

char *fmt_utf8(const char *s)
{
        const unsigned char *p = (const unsigned char *)s;
        char *clean = malloc(3 * strlen(s) + 1), *to = clean;

        if (!clean)
                return NULL;
        while (*p) {
                size_t n = utf8_length(p);

                memcpy(to, n ? (const char *)p : "\xef\xbf\xbd", n ? n : 3);
                to += n ? n : 3;
                p += n ? n : 1;
        }
        *to = '\0';
        return clean;
}
