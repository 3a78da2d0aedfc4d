/* SPDX-License-Identifier: MIT */
/* Prints the documents on how the work is cut, for tests that hold them against their schemas. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/report-explain.h"
#include "common/report-ledger.h"
#include "common/report-roofline.h"
#include "common/report-spawns.h"
#include "common/report-tokens.h"
#include "common/report-threads.h"
#include "common/report-waits.h"

static const struct {
        const char *name;
        int (*build)(json_t **ret, const char *path, char **ret_why);
} documents[] = {
        {"threads", report_threads_file},   {"waits", report_waits_file},
        {"spawns", report_spawns_file},     {"ledger", report_ledger_file},
        {"explain", report_explain_file},   {"tokens", report_tokens_file},
        {"roofline", report_roofline_file},
};

int main(int argc, char **argv)
{
        json_t *document = NULL;
        char *why = NULL;

        for (size_t i = 0; argc == 3 && i < sizeof(documents) / sizeof(documents[0]); i++) {
                if (strcmp(argv[1], documents[i].name))
                        continue;
                if (documents[i].build(&document, argv[2], &why)) {
                        fprintf(stderr, "%s\n", why);
                        return 1;
                }
                json_dumpf(document, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
                json_decref(document);
                return 0;
        }
        fprintf(stderr, "usage: %s threads|waits|spawns|ledger|explain|tokens|roofline FILE\n",
                argv[0]);
        return 2;
}
