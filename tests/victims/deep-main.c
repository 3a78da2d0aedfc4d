/* SPDX-License-Identifier: MIT */
/* deep PATH deep|flat: linked with the k_deep of libdeep-1; opens libdeep-2, which has its own. */
#include "truth.h"

#include <dlfcn.h>
#include <stdlib.h>

long k_deep(long x);

int main(int argc, char **argv)
{
        int deep = argc > 2 && !strcmp(argv[2], "deep");
        void *handle = dlopen(argv[1], RTLD_LAZY | RTLD_LOCAL | (deep ? RTLD_DEEPBIND : 0));
        long (*run)(long) = (long (*)(long))dlsym(handle, "deep_run");
        void *(*block)(size_t) = (void *(*)(size_t))dlsym(handle, "deep_block");
        void (*release)(void *) = (void (*)(void *))dlsym(handle, "deep_free");
        int (*spawn)(void) = (int (*)(void))dlsym(handle, "deep_spawn");

        truth_value("sum", run(100));
        truth_value("own", k_deep(1));
        truth_calls("k_deep", 101);
        /* blocks pass from one side to the other */
        for (int i = 0; i < 1000; i++) {
                void *a = block(10000), *b = malloc(20000);

                free(a);
                release(b);
        }
        truth_value("spawn", spawn());
        truth_print();
        return 0;
}
