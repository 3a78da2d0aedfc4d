/* SPDX-License-Identifier: MIT */
/* Counts tokens which the profiler may be told of otherwise: the function that makes them has a
 * name. */
#include <infprof/infprof.h>

#include <time.h>

#include "tinykernels.h"

static void pass(void *unused)
{
        (void)unused;
}

/* Of this thread's CPU time, so that others do not shorten it. */
static void spend(void)
{
        struct timespec from, now;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        do
                clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        while ((now.tv_sec - from.tv_sec) * 1000000000 + now.tv_nsec - from.tv_nsec < 2000000);
}

static void end_it(void *unused)
{
        (void)unused;
        infprof_end("ended within");
        spend();
}

static void begin_it(void *unused)
{
        (void)unused;
        infprof_begin("begun within");
}

int main(int argc, char **argv)
{
        (void)argv;
        for (int i = 0; argc > 1 && i < 10; i++) {
                INFPROF_SCOPE("outer");
                infprof_begin("ended within");
                tp_decode(end_it, NULL);
                tp_decode(begin_it, NULL);
                infprof_end("begun within");
        }
        infprof_count("prompt_tokens", 5);
        for (int i = 0; i < 50; i++) {
                tp_decode(pass, NULL);
                infprof_count("tokens", 1);
        }
        infprof_result(1);
        return 0;
}
