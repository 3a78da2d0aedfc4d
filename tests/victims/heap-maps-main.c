/* SPDX-License-Identifier: MIT */
/* heap-maps N: N rounds of each. */
#include "heap-maps.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                void (*fn)(struct maps_truth *t, long n);
        } kernels[] = {{"k_mmap", k_mmap},
                       {"k_mremap", k_mremap},
                       {"k_sbrk", k_sbrk},
                       {"k_maps_fail", k_maps_fail}};

        for (int i = 0; i < 4; i++) {
                struct maps_truth t = {0};

                kernels[i].fn(&t, argc > 1 ? atol(argv[1]) : 1);
                printf("%s\"%s\": {\"maps\": %lld, \"mapped_bytes\": %lld, \"unmaps\": %lld, "
                       "\"unmapped_bytes\": %lld, \"maps_failed\": %lld}",
                       i ? ", " : "{", kernels[i].name, t.maps, t.mapped, t.unmaps, t.unmapped,
                       t.failed);
        }
        printf("}\n");
        return 0;
}
