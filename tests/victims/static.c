/* SPDX-License-Identifier: MIT */
/* Linked statically: no loader, no preload. */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
        void *block = malloc(100);

        printf("static %d\n", block != NULL);
        free(block);
        return 5;
}
