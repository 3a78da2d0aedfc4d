/* SPDX-License-Identifier: MIT */
#include "calls.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

long ints_0(void)
{
        return 4711;
}
#define X(n)                                                                                       \
        long ints_##n(P##n)                                                                        \
        {                                                                                          \
                return S##n;                                                                       \
        }
EACH_INTS(X)
#undef X

double doubles_20(double a, double b, double c, double d, double e, double f, double g, double h,
                  double i, double j, double k, double l, double m, double n, double o, double p,
                  double q, double r, double s, double t)
{
        return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k +
               12 * l + 13 * m + 14 * n + 15 * o + 16 * p + 17 * q + 18 * r + 19 * s + 20 * t;
}

float floats_12(float a, float b, float c, float d, float e, float f, float g, float h, float i,
                float j, float k, float l)
{
        return a - b + c * 2 - d + e * 3 - f + g * 4 - h + i * 5 - j + k * 6 - l;
}

double mixed(int a, double b, long c, float d, char e, double f, short g, double h, long i,
             double j, long k, double l, long m, double n, long o, double p, long q, double r,
             long s, double t, const char *u, long double v, long double w)
{
        return a + b * c - d + e * f + g * h - i * j + k * l - m * n + o * p - q * r + s * t +
               u[1] + (double)(v * w);
}

int print_like(char *to, unsigned long size, const char *format, ...)
{
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(to, size, format, ap);
        va_end(ap);
        return n;
}

double sum_like(int n, ...)
{
        double sum = 0;
        va_list ap;

        va_start(ap, n);
        for (int i = 0; i < n; i++)
                sum += i & 1 ? va_arg(ap, double) : (double)va_arg(ap, long);
        va_end(ap);
        return sum;
}

long takes_s16(struct s16 s, struct s16 t)
{
        return s.a * 2 + (long)s.b + t.a * 3 + (long)t.b * 5;
}

long takes_s24(struct s24 s)
{
        return s.a * 2 + s.b * 3 + s.c * 5;
}

long takes_s56(struct s56 s, int more)
{
        long sum = s.n + more;

        for (int i = 0; i < 6; i++)
                sum = sum * 3 + (long)s.p[i];
        return sum;
}

long takes_s160(struct s160 s)
{
        long sum = 0;

        for (int i = 0; i < 20; i++)
                sum = sum * 3 + s.v[i];
        return sum;
}

long takes_l1(struct l1 s, long double t)
{
        return (long)(s.a * 3 + t);
}

struct s16 gives_s16(long a)
{
        return (struct s16){a + 1, (double)a + 2};
}

struct s24 gives_s24(long a)
{
        return (struct s24){a + 1, a + 2, a + 3};
}

struct s160 gives_s160(long a, struct s160 s)
{
        for (int i = 0; i < 20; i++)
                s.v[i] += a * i;
        return s;
}

struct f2 gives_f2(float a)
{
        return (struct f2){a * 2, a * 3};
}

struct d2 gives_d2(double a)
{
        return (struct d2){a * 2, a * 3};
}

long double gives_ld(long double a, long double b)
{
        return a * 3 + b;
}

float _Complex gives_cf(float _Complex z)
{
        return z * 2 + 1;
}

double _Complex gives_cd(double _Complex z)
{
        return z * 3 + 1;
}

long double _Complex gives_cl(long double _Complex z)
{
        return z * 5 + 1;
}

__int128 gives_i128(__int128 a, long b, long c, long d, long e, __int128 f)
{
        return a * 3 + b * 5 + c * 7 + d * 11 + e * 13 + f * 17;
}

_Bool gives_bool(int a)
{
        return a > 3;
}

void gives_nothing(long *to)
{
        *to += 17;
}

/* 1 if errno came as it was */
int sets_errno(int e)
{
        int kept = errno == e;

        errno = e + 1;
        return kept;
}

/* A leaf that keeps a pattern below %rsp, where signal handlers must not write. */
__attribute__((noinline)) int red_zone(int rounds)
{
        int broken = 0;

        for (int i = 0; i < rounds; i++) {
                uint64_t got;

                __asm__ volatile("movq %1, -8(%%rsp)\n\t"
                                 "movq %1, -128(%%rsp)\n\t"
                                 "movl $100, %%ecx\n"
                                 "1:\tdecl %%ecx\n\t"
                                 "jnz 1b\n\t"
                                 "movq -128(%%rsp), %0\n\t"
                                 "xorq -8(%%rsp), %0\n\t"
                                 : "=&r"(got)
                                 : "r"((uint64_t)i | 1)
                                 : "rcx", "memory", "cc");
                broken += got != 0;
        }
        return broken;
}
