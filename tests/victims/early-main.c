/* SPDX-License-Identifier: MIT */
#include "truth.h"

long k_early(long x);

int main(void)
{
        truth_value("sum", COUNTED(k_early)(1));
        truth_calls("k_early", 5);
        truth_calls("k_late", 7);
        truth_print();
        return 0;
}
