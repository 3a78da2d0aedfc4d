/* SPDX-License-Identifier: MIT */
/*
 * infprof ledger: where the time of a token went.
 */
#include "cli/cmd.h"

#include "cli/run-verb.h"
#include "common/report-ledger.h"

int cmd_ledger(int argc, char **argv)
{
        static const struct run_verb verb = {
                .name = "ledger",
                .schema = LEDGER_SCHEMA,
                .about = "Shows where the time of a token went: computing, waiting for others, "
                         "waiting for a CPU and so on;\n"
                         "the rows sum up to the time of a token. And which tokens took longest, "
                         "and what was different.\n",
                .build = report_ledger_file,
                .print = ledger_print,
                .has_rows = true,
        };

        return run_verb(&verb, argc, argv);
}
