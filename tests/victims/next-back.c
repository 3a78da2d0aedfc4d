/* SPDX-License-Identifier: MIT */
long k_relay(long x);
long next_back(void);

long k_relay(long x)
{
        return x * 100;
}

/* So that the linker keeps us. */
long next_back(void)
{
        return 5;
}
