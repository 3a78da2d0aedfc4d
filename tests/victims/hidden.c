/* SPDX-License-Identifier: MIT */
long k_hidden(long x);

long k_hidden(long x)
{
        return x * x;
}
