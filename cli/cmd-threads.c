/* SPDX-License-Identifier: MIT */
/*
 * infprof threads: where each thread's time went.
 */
#include "cli/cmd.h"

#include "cli/run-verb.h"
#include "common/report-threads.h"

int cmd_threads(int argc, char **argv)
{
        static const struct run_verb verb = {
                .name = "threads",
                .schema = THREADS_SCHEMA,
                .about = "Shows where the time of each thread went: on a CPU, waiting for a CPU, "
                         "waiting for others;\n"
                         "by whom it was spawned, how often it moved to another CPU.\n",
                .build = report_threads_file,
                .print = threads_print,
                .has_rows = true,
        };

        return run_verb(&verb, argc, argv);
}
