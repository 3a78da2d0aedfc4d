/* SPDX-License-Identifier: MIT */
/* Calls back into the program, by symbols that only the program defines. */
long step_one(long x);
long step_two(long x);
long callback_run(long n);

long callback_run(long n)
{
        long sum = 0;

        for (long i = 0; i < n; i++)
                sum = (sum + step_one(i) + step_two(sum)) % 100003;
        return sum;
}
