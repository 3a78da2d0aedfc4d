/* SPDX-License-Identifier: MIT */
/*
 * infprof spawns: who creates threads, and what that costs.
 */
#include "cli/cmd.h"

#include "cli/run-verb.h"
#include "common/report-spawns.h"

int cmd_spawns(int argc, char **argv)
{
        static const struct run_verb verb = {
                .name = "spawns",
                .schema = SPAWNS_SCHEMA,
                .about = "Shows where threads, processes and parallel regions are created: how "
                         "many, how many a token, how\n"
                         "long they live, what creating them costs.\n",
                .build = report_spawns_file,
                .print = spawns_print,
                .has_rows = true,
                .has_stacks = true,
        };

        return run_verb(&verb, argc, argv);
}
