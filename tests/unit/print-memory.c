/* SPDX-License-Identifier: MIT */
/* Prints documents of memory, for tests that hold them against their schemas. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/report-diff-memory.h"
#include "common/report-memory.h"

static json_t *build(const char *path, const struct memory_options *o)
{
        json_t *document = NULL;
        char *why = NULL;

        if (!report_memory_file(&document, path, o, &why))
                return document;
        fprintf(stderr, "%s\n", why);
        exit(1);
}

int main(int argc, char **argv)
{
        json_t *document = NULL;
        char *why = NULL;

        if (argc == 4 && !strcmp(argv[1], "--diff")) {
                json_t *a = build(argv[2], NULL), *b = build(argv[3], NULL);

                if (report_diff_memory(&document, a, b, &why))
                        return 1;
                json_decref(a);
                json_decref(b);
        } else if (argc >= 2 && argc <= 4) {
                struct memory_options o = {.from = argc > 2 && *argv[2] ? argv[2] : NULL,
                                           .to = argc > 3 ? argv[3] : NULL};

                document = build(argv[1], &o);
        } else {
                fprintf(stderr, "usage: %s FILE [FROM [TO]]\n       %s --diff A B\n", argv[0],
                        argv[0]);
                return 2;
        }
        json_dumpf(document, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        json_decref(document);
        return 0;
}
