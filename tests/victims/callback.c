/* SPDX-License-Identifier: MIT */
/* Kernels that live in the program itself and are called from a library. */
#include "truth.h"

long step_one(long x);
long step_two(long x);
long callback_run(long n);

long step_one(long x)
{
        truth_calls("step_one", 1);
        return x + 1;
}

long step_two(long x)
{
        truth_calls("step_two", 1);
        return x / 2;
}

int main(void)
{
        truth_value("sum", callback_run(1000));
        truth_print();
        return 0;
}
