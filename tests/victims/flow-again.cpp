/* SPDX-License-Identifier: MIT */
#include "flow.h"

#pragma GCC visibility push(hidden)
long throw_again(long depth);
long recurse_again(long n);
#pragma GCC visibility pop

long throw_again(long depth)
{
        return k_throw(depth);
}

long recurse_again(long n)
{
        return k_recurse(n);
}
