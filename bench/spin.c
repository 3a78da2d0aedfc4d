/* SPDX-License-Identifier: MIT */
/* spin N FILE: N steps that depend on each other, then its own CPU time in s as a line of FILE. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
        uint64_t x = 1, n = argc > 2 ? strtoull(argv[1], NULL, 10) : 0;
        struct timespec ts;
        FILE *f;

        for (uint64_t i = 0; i < n; i++)
                x = x * 6364136223846793005ull + i;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
        f = n ? fopen(argv[2], "a") : NULL;
        if (!f)
                return 2;
        fprintf(f, "%.9f\n", (double)ts.tv_sec + (double)ts.tv_nsec / 1e9);
        return fclose(f) == EOF || x == 3;
}
