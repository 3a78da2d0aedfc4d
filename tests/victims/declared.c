/* SPDX-License-Identifier: MIT */
/* Calls functions whose arguments lie in all the places there are. */
#include "declared.h"

int main(void)
{
        int32_t m = -5;
        int64_t n = 6000000000;
        float alpha = 2;
        int sum = 0;

        for (int i = 0; i < 3; i++)
                sum += (int)many(1, 2, 3, 4, 5, 6, 7, 8, &m, -2, 4000000000u, -9, UINT64_MAX, &n, 9,
                                 11 + i);
        by_address(&m, &n, &alpha);
        for (int64_t i = 0; i < 1000; i++)
                plain(i % 2 ? n : 16 + i % 4);
        return sum == 9 * (11 + 12 + 13) && none() == 7 ? 0 : 1;
}
