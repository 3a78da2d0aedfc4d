/* SPDX-License-Identifier: MIT */
/*
 * infprof report: what was measured in a run. The document comes from the run
 * file, or from the daemon while the run goes on; everything printed is a view of it.
 */
#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bundle.h"
#include "cli/report-rows.h"
#include "cli/report-view.h"
#include "cli/run-find.h"
#include "cli/screen.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"

static void usage(void)
{
        printf("usage: infprof report [OPTION...] [RUN]\n"
               "\n"
               "Shows what was measured in RUN: an id, a run file or bundle, the pid of an engine "
               "that\n"
               "runs, or latest (the default).\n"
               "\n"
               "  -s, --sort FIELD    %s\n"
               "  -f, --filter GLOB   only ops whose name or kernel matches\n"
               "  -b, --by WHAT       op (the default), thread, phase or shape\n"
               "  -n, --rows N        rows of each table; 0: all. Unless told, what finds room on "
               "the\n"
               "                      terminal, of a long report the most important parts\n"
               "  -t, --tiles         the tiles that the engine marks, by level\n"
               "  -j, --json          the whole document (infprof.report/1)\n"
               "  -c, --csv           the table alone, with all figures; times in ns\n"
               "      --bundle FILE   the run and all that a report of a bug needs, as one "
               "archive\n"
               "                      (FILE.tar.zst); infprof report FILE.tar.zst reads it\n"
               "      --texts         with the texts that the engine told, which may be prompts of "
               "users;\n"
               "                      they are left out of bundles otherwise\n"
               "      --force         though FILE exists\n"
               "  -h, --help          this help\n"
               "\n"
               "Exit codes: 0 done, 1 FILE cannot be written, 2 usage, 3 there is no such run or "
               "it\n"
               "cannot be read.\n",
               "self (the default), total, calls, mean, min, max, median,\n"
               "                      p95, p99, stddev, share, allocs, bytes, net, threads,\n"
               "                      flops, traffic, gflops, gbps, intensity, name");
}

struct request {
        enum report_by by;
        const char *field, *glob, *run, *bundle;
        size_t rows;
        bool as_json, as_csv, tiles, force, texts;
};

static int bad_value(const char *option, const char *value, const char *allowed)
{
        cmd_error("report", "%s cannot be %s; it is one of: %s", option, value, allowed);
        return CMD_USAGE;
}

static int parse_by(const char *value, enum report_by *ret)
{
        static const char *const names[] = {"op", "thread", "phase", "shape"};

        for (size_t i = 0; i < 4; i++)
                if (!strcmp(value, names[i])) {
                        *ret = (enum report_by)i;
                        return 0;
                }
        return bad_value("--by", value, "op, thread, phase, shape");
}

/* 0; or 1 + exit code */
static int parse(int argc, char **argv, struct request *ret)
{
        static const struct option options[] = {
                {"sort", required_argument, NULL, 's'}, {"filter", required_argument, NULL, 'f'},
                {"by", required_argument, NULL, 'b'},   {"rows", required_argument, NULL, 'n'},
                {"tiles", no_argument, NULL, 't'},      {"json", no_argument, NULL, 'j'},
                {"csv", no_argument, NULL, 'c'},        {"bundle", required_argument, NULL, 'B'},
                {"texts", no_argument, NULL, 'T'},      {"force", no_argument, NULL, 'F'},
                {"help", no_argument, NULL, 'h'},       {}};
        int o;

        *ret = (struct request){.field = "self_ns", .rows = SCREEN_FIT};
        opterr = 0;
        while ((o = getopt_long(argc, argv, ":s:f:b:n:tjch", options, NULL)) != -1) {
                switch (o) {
                case 's':
                        ret->field = report_field(optarg);
                        if (!ret->field)
                                return 1 + bad_value("--sort", optarg, report_field_names());
                        break;
                case 'f':
                        ret->glob = optarg;
                        break;
                case 'b':
                        if (parse_by(optarg, &ret->by))
                                return 1 + CMD_USAGE;
                        break;
                case 'n':
                        if (cmd_take_rows("report", optarg, &ret->rows))
                                return 1 + CMD_USAGE;
                        break;
                case 't':
                        ret->tiles = true;
                        break;
                case 'j':
                        ret->as_json = true;
                        break;
                case 'c':
                        ret->as_csv = true;
                        break;
                case 'B':
                        ret->bundle = optarg;
                        break;
                case 'T':
                        ret->texts = true;
                        break;
                case 'F':
                        ret->force = true;
                        break;
                case 'h':
                        usage();
                        return 1 + CMD_DONE;
                default:
                        return 1 + cmd_bad_option(argc, argv, o);
                }
        }
        if (cmd_operand(argc, argv, &ret->run))
                return 1 + CMD_USAGE;
        if (ret->by == REPORT_BY_SHAPE && !report_field_is_of_shapes(ret->field)) {
                cmd_error("report",
                          "--by shape has no such figure to sort by; it is one of: self, total, "
                          "calls, flops, traffic, gflops, gbps, intensity, name");
                return 1 + CMD_USAGE;
        }
        if ((ret->as_json && ret->as_csv) || (ret->bundle && (ret->as_json || ret->as_csv))) {
                cmd_error("report", "--json, --csv and --bundle exclude each other; choose one");
                return 1 + CMD_USAGE;
        }
        if (ret->bundle ? !*ret->bundle : ret->force || ret->texts) {
                cmd_error("report", "%s",
                          ret->bundle  ? "--bundle needs the name of a file"
                          : ret->force ? "--force goes with --bundle"
                                       : "--texts goes with --bundle");
                return 1 + CMD_USAGE;
        }
        return 0;
}

static int print(const struct request *request, json_t *report)
{
        _cleanup_(json_decrefp) json_t *rows = NULL;

        if (request->as_json) {
                report_arrange(report, request->field, request->glob);
                return cmd_print_json("report", report);
        }
        if (request->tiles) {
                if (!report_print_only_tiles(&(struct view){stdout, table_output_width(), NULL},
                                             report)) {
                        cmd_error("report", "out of memory");
                        return CMD_NO;
                }
                return cmd_finish("report", CMD_DONE);
        }
        rows = report_rows(report, request->by, request->field, request->glob);
        if (request->as_csv) {
                report_print_csv(rows, request->by, stdout);
        } else if (!report_print(&(struct view){stdout, table_output_width(), NULL}, report, rows,
                                 request->by, request->rows)) {
                cmd_error("report", "out of memory");
                return CMD_NO;
        }
        return cmd_finish("report", CMD_DONE);
}

int cmd_report(int argc, char **argv)
{
        _cleanup_(json_decrefp) json_t *report = NULL;
        struct request request;
        int r = parse(argc, argv, &request);

        if (r)
                return r - 1;
        text_init();
        if (request.bundle)
                return bundle_write("report", request.run, request.bundle, request.force,
                                    request.texts);
        r = run_find_report("report", request.run, &report);
        return r ? r : print(&request, report);
}
