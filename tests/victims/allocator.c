/* SPDX-License-Identifier: MIT */
/*
 * allocator SECONDS: holds more with each second, and says in the end how much that was (usable
 * bytes). allocator exit-in-handler: exits from a signal handler, soon after an allocator could
 * have been asked once.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEPS 50 /* a second */

static long long held;

static void hold(size_t size)
{
        char *p = malloc(size);

        if (!p)
                abort();
        memset(p, 1, size);
        held += (long long)malloc_usable_size(p);
}

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_signal(int sig)
{
        (void)sig;
        puts("{\"looked\": 1}");
        exit(0);
}

int main(int argc, char **argv)
{
        double begin = now(), seconds = argc > 1 ? atof(argv[1]) : 1;

        if (argc > 1 && !strcmp(argv[1], "exit-in-handler")) {
                for (int i = 0; i < 1000; i++)
                        hold(1000);
                signal(SIGUSR1, on_signal);
                raise(SIGUSR1);
        }
        for (int i = 0; now() - begin < seconds; i++) {
                for (size_t j = 0; j < 200; j++)
                        hold(100 + j * 20);
                usleep(1000000 / STEPS);
        }
        printf("{\"held\": %lld, \"seconds\": %f}\n", held, now() - begin);
        return 0;
}
