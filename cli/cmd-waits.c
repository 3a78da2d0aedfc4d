/* SPDX-License-Identifier: MIT */
/*
 * infprof waits: what threads wait for, where, and for whom.
 */
#include "cli/cmd.h"

#include "cli/run-verb.h"
#include "common/report-waits.h"

int cmd_waits(int argc, char **argv)
{
        static const struct run_verb verb = {
                .name = "waits",
                .schema = WAITS_SCHEMA,
                .about = "Shows what threads waited for: barriers with who came last and what that "
                         "costs, locks with who\n"
                         "held them, what else; where in the code; and who waits at this moment.\n",
                .build = report_waits_file,
                .print = waits_print,
                .has_rows = true,
                .has_stacks = true,
        };

        return run_verb(&verb, argc, argv);
}
