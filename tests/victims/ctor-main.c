/* SPDX-License-Identifier: MIT */
/* ctor LIBCTOR: opens it, uses both libraries, closes it (and with it the other), three times. */
#include "objects.h"
#include "truth.h"

#include <dlfcn.h>

int main(int argc, char **argv)
{
        (void)argc;
        for (int round = 0; round < 3; round++) {
                void *handle = dlopen(argv[1], RTLD_NOW);
                void *(*opened)(void) = (void *(*)(void))dlsym(handle, "ctor_opened");
                long (*k_ctor)(long) = (long (*)(long))dlsym(handle, "k_ctor");
                void (*run)(long, struct obj_counts *) =
                        (void (*)(long, struct obj_counts *))dlsym(opened(), "obj_run");
                struct obj_counts c = {0};

                run(20, &c);
                truth_calls("k_step", c.step);
                truth_calls("k_inner", c.inner);
                truth_calls("k_chosen", c.chosen);
                truth_calls("k_from_table", c.from_table);
                truth_value("sum", COUNTED(k_ctor)(1) + c.sum);
                dlclose(handle);
                truth_value("closed", dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) == NULL);
        }
        truth_print();
        return 0;
}
