/* SPDX-License-Identifier: MIT */
/*
 * infprof layers: in which layers of the model the time of its ops went.
 */
#include "cli/cmd.h"

#include "cli/run-verb.h"
#include "common/report-layers.h"

int cmd_layers(int argc, char **argv)
{
        static const struct run_verb verb = {
                .name = "layers",
                .schema = LAYERS_SCHEMA,
                .about = "Shows in which layers of the model the time of its ops went, prefill and "
                         "decode apart:\n"
                         "attention against MLP against the rest, and each layer against each "
                         "op.\n",
                .build = report_layers_file,
                .print = layers_print,
                .draw = layers_draw,
                .is_empty = layers_is_empty,
                .has_rows = true,
                .fits = 4,
        };

        return run_verb(&verb, argc, argv);
}
