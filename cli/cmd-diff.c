/* SPDX-License-Identifier: MIT */
/*
 * infprof diff: two sides beside each other, each a run or several; or, of one run a side, what
 * they allocate and keep (--memory).
 */
#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diff-memory-view.h"
#include "cli/diff-show.h"
#include "cli/diff-sides.h"
#include "cli/memory-source.h"
#include "cli/screen.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/report-diff-memory.h"

#define MEMORY_ROWS 10

static void usage(void)
{
        puts("usage: infprof diff [OPTION...] A B\n"
             "\n"
             "Is B faster than A, where does the difference come from, and what else differs?\n"
             "A and B are each a run (an id, a run file, the pid of an engine that runs, or\n"
             "latest), a folder of run files or bundles, or several of these joined by commas.\n"
             "Only sets of 4 runs or more tell whether a difference is more than runs differ\n"
             "by themselves: infprof ab makes them.\n"
             "\n"
             "      --by WHAT     token (default, where both make some) or wall: whose time\n"
             "                    the verdict is about\n"
             "  -m, --memory      of one run a side: what they allocate and keep, and what it\n"
             "                    costs\n"
             "  -n, --rows N      at most so many rows of each table, 0 = all. Unless told,\n"
             "                    what finds room on the terminal (10 with --memory)\n"
             "      --flame FILE  also a flame graph (SVG; - is stdout): as wide as in B, red\n"
             "                    where that is more than in A, blue where less\n"
             "  -j, --json        the whole document (infprof.diff/1, infprof.diff-memory/1)\n"
             "  -h, --help        this help\n"
             "\n"
             "Exit codes: 0 done, 2 usage, 3 there is no such run or it cannot be read.");
}

struct request {
        const char *a, *b, *flame;
        bool memory, as_json;
        enum diff_by by;
        size_t rows;
};

static int take(void *userdata, int option, int argc, char **argv)
{
        struct request *r = userdata;

        switch (option) {
        case 'm':
                r->memory = true;
                return 0;
        case 'n':
                return cmd_take_rows("diff", optarg, &r->rows) ? 1 + CMD_USAGE : 0;
        case 'y':
                if (!strcmp(optarg, "token"))
                        r->by = DIFF_BY_TOKENS;
                else if (!strcmp(optarg, "wall"))
                        r->by = DIFF_BY_WALL;
                else {
                        cmd_error("diff", "--by '%s': it is token or wall", optarg);
                        return 1 + CMD_USAGE;
                }
                return 0;
        case 'f':
                r->flame = optarg;
                return 0;
        case 'j':
                r->as_json = true;
                return 0;
        case 'h':
                usage();
                return 1 + cmd_finish("diff", CMD_DONE);
        default:
                return 1 + cmd_bad_option(argc, argv, option);
        }
}

/* 0; or 1 + exit code */
static int parse(int argc, char **argv, struct request *ret)
{
        static const struct option options[] = {{"memory", no_argument, NULL, 'm'},
                                                {"rows", required_argument, NULL, 'n'},
                                                {"by", required_argument, NULL, 'y'},
                                                {"flame", required_argument, NULL, 'f'},
                                                {"json", no_argument, NULL, 'j'},
                                                {"help", no_argument, NULL, 'h'},
                                                {}};
        int r;

        *ret = (struct request){.rows = SCREEN_FIT};
        r = cmd_each_option(argc, argv, ":mn:jh", options, take, ret);
        if (r)
                return r;
        if (argc - optind < 2) {
                cmd_error("diff", "which two runs, or sets of runs? infprof diff A B");
                return 1 + CMD_USAGE;
        }
        ret->a = argv[optind++];
        ret->b = argv[optind++];
        if (optind < argc)
                return 1 + cmd_extra_operand(argv, argv[optind]);
        if (ret->memory && ret->flame) {
                cmd_error("diff",
                          "--flame is of time; infprof flame --alloc --diff A B is of memory");
                return 1 + CMD_USAGE;
        }
        if (ret->memory && !(diff_side_is_one(ret->a) && diff_side_is_one(ret->b))) {
                cmd_error("diff", "--memory is of one run a side; without it sets are compared");
                return 1 + CMD_USAGE;
        }
        return 0;
}

static int diff_memory(const struct request *request)
{
        _cleanup_(json_decrefp) json_t *a = NULL, *b = NULL, *document = NULL;
        _cleanup_(freep) char *why = NULL;
        size_t rows = request->rows == SCREEN_FIT ? MEMORY_ROWS : request->rows;
        int r = memory_source_get("diff", &(struct memory_request){.run = request->a}, &a);

        if (!r)
                r = memory_source_get("diff", &(struct memory_request){.run = request->b}, &b);
        if (r)
                return r;
        r = report_diff_memory(&document, a, b, &why);
        if (r) {
                cmd_error("diff", "%s", why ? why : strerror(r < 0 ? -r : 22));
                return CMD_NO;
        }
        if (request->as_json)
                return cmd_print_json("diff", document);
        if (!diff_memory_print(document, rows, table_output_width(), stdout)) {
                cmd_error("diff", "out of memory");
                return CMD_NO;
        }
        return cmd_finish("diff", CMD_DONE);
}

int cmd_diff(int argc, char **argv)
{
        struct request request;
        int r = parse(argc, argv, &request);

        if (r)
                return r - 1;
        text_init();
        if (request.memory)
                return diff_memory(&request);
        return diff_show(&(struct diff_request){.verb = "diff",
                                                .a = request.a,
                                                .b = request.b,
                                                .by = request.by,
                                                .as_json = request.as_json,
                                                .flame = request.flame,
                                                .rows = request.rows});
}
