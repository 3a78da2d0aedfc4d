/* SPDX-License-Identifier: MIT */
/*
 * many LIBRARY N ROUNDS: opens it, looks up and calls each of its N functions twice, closes it; so
 * often.
 */
#include "truth.h"

#include <dlfcn.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
        int n = argc > 2 ? atoi(argv[2]) : 0, rounds = argc > 3 ? atoi(argv[3]) : 1;
        long long right = 0;

        for (int r = 0; r < rounds; r++) {
                void *handle = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);

                for (int i = 0; i < n; i++) {
                        char name[16];
                        int (*f)(void);

                        snprintf(name, sizeof(name), "k_%d", i);
                        f = (int (*)(void))dlsym(handle, name);
                        right += f() == i;
                        right += f() == i;
                }
                dlclose(handle);
        }
        truth_calls("k_*", 2LL * n * rounds); /* all of them together */
        truth_value("right", right);
        truth_print();
        return 0;
}
