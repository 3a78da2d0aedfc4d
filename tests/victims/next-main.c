/* SPDX-License-Identifier: MIT */
/* next PATH: opens the library RTLD_LOCAL; linked: it is there from the start. */
#include "truth.h"

#include <dlfcn.h>

#ifdef LINKED
long next_run(long n, int *found);
#endif

int main(int argc, char **argv)
{
        int found = 0;
#ifdef LINKED
        long (*run)(long, int *) = next_run;
        long (*relay)(long) = (long (*)(long))dlsym(RTLD_DEFAULT, "k_relay");
#else
        void *handle = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        long (*run)(long, int *) = (long (*)(long, int *))dlsym(handle, "next_run");
        long (*relay)(long) = (long (*)(long))dlsym(handle, "k_relay");

        truth_value("not global", dlsym(RTLD_DEFAULT, "k_relay") == NULL);
#endif
        (void)argc;
        (void)argv;
        truth_value("sum", run(100, &found));
        truth_value("sum", relay(7));
        truth_value("found", found);
        truth_calls("k_relay", 202); /* 101 in each library */
        truth_print();
        return 0;
}
