/* SPDX-License-Identifier: MIT */
/*
 * Vectors of BITS as arguments, in registers and on the stack. The compiler reads those on the
 * stack with aligned moves: a stack that is not aligned as the ABI says is a crash.
 */
#include "calls.h"

#include <stdarg.h>

#define PASTE_(a, b, c) a##b##c
#define PASTE(a, b, c)  PASTE_(a, b, c)

VECTOR_API(128)
VECTOR_API(256)
VECTOR_API(512)
#define V PASTE(vec, BITS, )

V PASTE(vec, BITS, _12)(V a, V b, V c, V d, V e, V f, V g, V h, V i, V j, V k, V l)
{
        return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8 + i * 9 + j * 10 + k * 11 +
               l * 12;
}

V PASTE(vec, BITS, _mixed)(long a, V b, long c, long d, long e, long f, long g, long h, V i,
                           double j, V k, V l, V m, V n, V o, long p, V q, long r, V s)
{
        return b * (double)c + (double)(a + d - e) + i * (double)f + j + k * (double)g + l * 2.0 +
               m * 3.0 + n * 5.0 + o * (double)p + q * (double)h + s * (double)r;
}

double PASTE(vec, BITS, _variadic)(int n, ...)
{
        double sum = 0;
        va_list ap;

        va_start(ap, n);
        for (int i = 0; i < n; i++) {
                V v = va_arg(ap, V);

                for (int j = 0; j < BITS / 64; j++)
                        sum = sum * 1.5 + v[j];
                sum += (double)va_arg(ap, long);
        }
        va_end(ap);
        return sum;
}
