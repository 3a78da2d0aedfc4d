/* SPDX-License-Identifier: MIT */
#include "truth.h"

#include <dlfcn.h>

long old_one(long x);
long new_one(long x);
long k_only(long x);
__asm__(".symver old_one, k_ver@V1");
__asm__(".symver new_one, k_ver@V2");

int main(void)
{
        long (*old)(long) = (long (*)(long))dlvsym(RTLD_DEFAULT, "k_ver", "V1");
        long (*new)(long) = (long (*)(long))dlvsym(RTLD_DEFAULT, "k_ver", "V2");
        long (*newest)(long) = (long (*)(long))dlsym(RTLD_DEFAULT, "k_ver");

        for (int i = 0; i < 10; i++) {
                truth_value("old", old_one(i));
                truth_value("new", new_one(i));
                truth_value("new", new_one(i));
                truth_value("only", k_only(i));
                truth_value("old", old(i));
                truth_value("new", new (i));
                truth_value("newest", newest(i));
        }
        truth_calls("k_ver", 60);
        truth_calls("k_only", 10);
        truth_value("none", dlvsym(RTLD_DEFAULT, "k_ver", "V3") == NULL);
        truth_print();
        return 0;
}
