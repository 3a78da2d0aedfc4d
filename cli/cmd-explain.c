/* SPDX-License-Identifier: MIT */
/*
 * infprof explain: what is wrong, what it costs, what to do.
 */
#include "cli/cmd.h"

#include "cli/run-verb.h"
#include "common/report-explain.h"

int cmd_explain(int argc, char **argv)
{
        static const struct run_verb verb = {
                .name = "explain",
                .schema = EXPLAIN_SCHEMA,
                .about = "Says what is wrong with this run, by what it was found, what it costs "
                         "and what to do. Nothing is\n"
                         "said without figures of this run.\n",
                .build = report_explain_file,
                .print = explain_print,
                .has_rows = true,
                .fits = 100, /* all findings, however briefly, before some are left out */
        };

        return run_verb(&verb, argc, argv);
}
