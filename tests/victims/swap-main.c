/* SPDX-License-Identifier: MIT */
/* swap LIBRARY_A LIBRARY_B: in turn, each closed before the other is opened. */
#include "truth.h"

#include <dlfcn.h>
#include <link.h>

int main(int argc, char **argv)
{
        unsigned long before = 0, same = 0;

        (void)argc;
        for (int i = 0; i < 20; i++) {
                void *handle = dlopen(argv[1 + i % 2], RTLD_LAZY);
                long (*run)(long) = (long (*)(long))dlsym(handle, "swap_run");
                unsigned long base = ((struct link_map *)handle)->l_addr;

                same += base == before;
                before = base;
                truth_calls(i % 2 ? "k_beta" : "k_alpha", 10 + i);
                truth_value("sum", run(10 + i));
                dlclose(handle);
        }
        truth_value("same address", same > 0);
        truth_print();
        return 0;
}
