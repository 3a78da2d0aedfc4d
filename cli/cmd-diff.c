/* SPDX-License-Identifier: MIT */
/*
 * infprof diff: two runs beside each other. Of memory, so far.
 */
#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diff-view.h"
#include "cli/memory-source.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/report-diff-memory.h"

#define ROWS 10

static void usage(void)
{
        puts("usage: infprof diff --memory [OPTION...] A B\n"
             "\n"
             "Shows what run B has beside run A. Each is an id, a run file, the pid of an engine "
             "that\n"
             "runs, or latest.\n"
             "\n"
             "  -m, --memory   what they allocate and keep, and what it costs\n"
             "  -n, --rows N   at most so many categories, ops and stacks: 10 by default, 0 = all\n"
             "  -j, --json     the whole document (infprof.diff/1)\n"
             "  -h, --help     this help\n"
             "\n"
             "Exit codes: 0 done, 2 usage, 3 there is no such run or it cannot be read.");
}

struct request {
        const char *a, *b;
        bool memory, as_json;
        size_t rows;
};

/* 0; or 1 + exit code */
/* 0; or 1 + exit code */
static int parse(int argc, char **argv, struct request *ret)
{
        static const struct option options[] = {{"memory", no_argument, NULL, 'm'},
                                                {"rows", required_argument, NULL, 'n'},
                                                {"json", no_argument, NULL, 'j'},
                                                {"help", no_argument, NULL, 'h'},
                                                {}};
        int o;

        *ret = (struct request){.rows = ROWS};
        opterr = 0;
        while ((o = getopt_long(argc, argv, ":mn:jh", options, NULL)) != -1) {
                switch (o) {
                case 'm':
                        ret->memory = true;
                        break;
                case 'n':
                        if (cmd_take_rows("diff", optarg, &ret->rows))
                                return 1 + CMD_USAGE;
                        break;
                case 'j':
                        ret->as_json = true;
                        break;
                case 'h':
                        usage();
                        return 1 + CMD_DONE;
                default:
                        return 1 + cmd_bad_option(argc, argv, o);
                }
        }
        if (!ret->memory) {
                cmd_error("diff", "only memory can be compared yet; give --memory");
                return 1 + CMD_USAGE;
        }
        if (argc - optind < 2) {
                cmd_error("diff", "which two runs? infprof diff --memory A B");
                return 1 + CMD_USAGE;
        }
        ret->a = argv[optind++];
        ret->b = argv[optind++];
        return optind < argc ? 1 + cmd_extra_operand(argv, argv[optind]) : 0;
}

int cmd_diff(int argc, char **argv)
{
        _cleanup_(json_decrefp) json_t *a = NULL, *b = NULL, *document = NULL;
        _cleanup_(freep) char *why = NULL;
        struct request request;
        int r = parse(argc, argv, &request);

        if (r)
                return r - 1;
        text_init();
        r = memory_source_get("diff", &(struct memory_request){.run = request.a}, &a);
        if (!r)
                r = memory_source_get("diff", &(struct memory_request){.run = request.b}, &b);
        if (r)
                return r;
        r = report_diff_memory(&document, a, b, &why);
        if (r) {
                cmd_error("diff", "%s", why ? why : strerror(r < 0 ? -r : 22));
                return CMD_NO;
        }
        if (request.as_json)
                return cmd_print_json("diff", document);
        if (!diff_print(document, request.rows, table_output_width(), stdout)) {
                cmd_error("diff", "out of memory");
                return CMD_NO;
        }
        return cmd_finish("diff", CMD_DONE);
}
