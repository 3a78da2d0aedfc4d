/* SPDX-License-Identifier: MIT */
/*
 * infprof tokens: prompts and tokens, and how a token's time grows with its KV cache.
 */
#include "cli/cmd.h"

#include "cli/run-verb.h"
#include "common/report-tokens.h"

int cmd_tokens(int argc, char **argv)
{
        static const struct run_verb verb = {
                .name = "tokens",
                .schema = TOKENS_SCHEMA,
                .about = "Shows what taking prompts in takes, and what decoding does: time, "
                         "tokens/s, "
                         "time to the first token;\n"
                         "how a token's time grows with the length of its KV cache, op by op, and "
                         "what that foretells.\n",
                .build = report_tokens_file,
                .print = tokens_print,
                .has_rows = true,
                .fits = 5,
        };

        return run_verb(&verb, argc, argv);
}
