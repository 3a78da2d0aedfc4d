/* SPDX-License-Identifier: MIT */
/* k_ver in two versions: the old one for those who were linked with it, the new one for all else.
 */
long ver_old(long x);
long ver_new(long x);
long k_only(long x);

long ver_old(long x)
{
        return x + 1;
}

long ver_new(long x)
{
        return x + 1000;
}

long k_only(long x)
{
        return x + 7;
}
__asm__(".symver ver_old, k_ver@V1");
__asm__(".symver ver_new, k_ver@@V2");
