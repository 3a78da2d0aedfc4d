/* SPDX-License-Identifier: MIT */
/* Counts tokens which the profiler may be told of otherwise: the function that makes them has a
 * name. */
#include <infprof/infprof.h>

#include "tinykernels.h"

static void pass(void *unused)
{
        (void)unused;
}

int main(void)
{
        infprof_count("prompt_tokens", 5);
        for (int i = 0; i < 50; i++) {
                tp_decode(pass, NULL);
                infprof_count("tokens", 1);
        }
        infprof_result(1);
        return 0;
}
