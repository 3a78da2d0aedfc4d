/* SPDX-License-Identifier: MIT */
#include "truth.h"

#include <dlfcn.h>

void *opener_open(const char *name);

static long call(void *handle)
{
        long (*hidden)(long) = handle ? (long (*)(long))dlsym(handle, "k_hidden") : NULL;

        truth_calls("k_hidden", hidden ? 10 : 0);
        for (int i = 0; hidden && i < 10; i++)
                truth_value("sum", hidden(i));
        return hidden != NULL;
}

int main(void)
{
        void *mine = dlopen("libhidden.so", RTLD_NOW); /* not on our own RUNPATH */
        void *its;

        truth_value("mine", mine != NULL);
        its = opener_open("libhidden.so");
        truth_value("its", call(its));
        truth_value("by origin", call(opener_open("$ORIGIN/hidden/libhidden.so")));
        truth_value("none", opener_open("libno-such-thing.so") == NULL);
        truth_value("an error is said", dlerror() != NULL);
        truth_print();
        return 0;
}
