/* SPDX-License-Identifier: MIT */
/* Counts tokens which the profiler may be told of otherwise: the function that makes them has a
 * name. */
#include <infprof/infprof.h>

#include "tinykernels.h"

static void pass(void *unused)
{
        (void)unused;
}

static void end_it(void *unused)
{
        (void)unused;
        infprof_end("ended within");
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
