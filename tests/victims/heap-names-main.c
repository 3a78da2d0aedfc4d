/* SPDX-License-Identifier: MIT */
/* heap-names-ALLOCATOR N: N rounds of every kernel of the library it is linked to. */
#include "heap-names.h"

int main(int argc, char **argv)
{
        char text[512];

        for (const struct names_kernel *k = names_kernels; k->name; k++) {
                struct heap_truth t = {0};

                k->fn(&t, argc > 1 ? atol(argv[1]) : 1);
                heap_text(text, sizeof(text), &t);
                printf("%s\"%s\": %s", k == names_kernels ? "{" : ", ", k->name, text);
        }
        printf("}\n");
        return 0;
}
