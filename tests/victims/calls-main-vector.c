/* SPDX-License-Identifier: MIT */
#include "calls.h"
#include "calls-main.h"

#define PASTE_(a, b, c) a##b##c
#define PASTE(a, b, c)  PASTE_(a, b, c)

VECTOR_API(128)
VECTOR_API(256)
VECTOR_API(512)
#define V PASTE(vec, BITS, )

static V make(double x)
{
        V v;

        for (int i = 0; i < BITS / 64; i++)
                v[i] = x + i * 0.25;
        return v;
}

static double fold(V v)
{
        double sum = 0;

        for (int i = 0; i < BITS / 64; i++)
                sum = sum * 3 + v[i];
        return sum;
}

double PASTE(vector_, BITS, _twelve)(void)
{
        return fold(PASTE(vec, BITS, _12)(make(1), make(2), make(3), make(4), make(5), make(6),
                                          make(7), make(8), make(9), make(10), make(11), make(12)));
}

double PASTE(vector_, BITS, _mixed)(void)
{
        return fold(PASTE(vec, BITS, _mixed)(1, make(2), 3, 4, 5, 6, 7, 8, make(9), 10.5, make(11),
                                             make(12), make(13), make(14), make(15), 16, make(17),
                                             18, make(19)));
}

double PASTE(vector_, BITS, _variadic)(void)
{
        return PASTE(vec, BITS, _variadic)(10, make(1), 1L, make(2), 2L, make(3), 3L, make(4), 4L,
                                           make(5), 5L, make(6), 6L, make(7), 7L, make(8), 8L,
                                           make(9), 9L, make(10), 10L);
}
