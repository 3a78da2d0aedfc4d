/* SPDX-License-Identifier: MIT */
/* own-late LIBRARY N [deep]: opens a library of kernels and the allocator with it, then runs each.
 */
#include <dlfcn.h>

#include "heap-names.h"

int main(int argc, char **argv)
{
        int mode = RTLD_NOW | RTLD_LOCAL | (argc > 3 ? RTLD_DEEPBIND : 0);
        void *handle = argc > 2 ? dlopen(argv[1], mode) : NULL;
        const struct names_kernel *first = handle ? dlsym(handle, "names_kernels") : NULL;
        char text[512];

        if (!first) {
                fprintf(stderr, "%s\n", dlerror());
                return 1;
        }
        for (const struct names_kernel *k = first; k->name; k++) {
                struct heap_truth t = {0};

                k->fn(&t, atol(argv[2]));
                heap_text(text, sizeof(text), &t);
                printf("%s\"%s\": %s", k == first ? "{" : ", ", k->name, text);
        }
        printf("}\n");
        return 0;
}
