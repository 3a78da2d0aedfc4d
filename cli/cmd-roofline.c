/* SPDX-License-Identifier: MIT */
/*
 * infprof roofline: which ceiling of the machine binds each op, how near it came, and what it would
 * bring if it met it.
 */
#include "cli/cmd.h"

#include <stdlib.h>
#include <string.h>

#include "cli/out-file.h"
#include "cli/roofline.h"
#include "cli/run-find.h"
#include "cli/screen.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/report-roofline.h"

struct request {
        const char *run, *svg, *phase;
        size_t rows;
        bool levels, cache, as_json;
        enum roofline_by by;
};

static void usage(void)
{
        printf("usage: infprof roofline [OPTION...] [RUN]\n"
               "\n"
               "Shows each op, by what it was done on, against the most that its machine can do: "
               "which\n"
               "ceiling binds it, how near it came, and how many tokens a second there were if it "
               "met it.\n"
               "Ceilings are those that `infprof machine` measured where the run was.\n"
               "\n"
               "RUN is an id, a run file, the pid of an engine that runs, or latest (the "
               "default).\n"
               "\n"
               "      --by KEY       a row for each shape (op, shape, threads and phase: the "
               "default), op, or\n"
               "                     phase\n"
               "      --phase PHASE  only of that phase: load, prefill, decode, idle or unknown\n"
               "      --levels       tiers of memory: where each working set lies, and the roof at "
               "each\n"
               "      --cache        what does not find room in which cache, by how much, and what "
               "would\n"
               "      --svg FILE     the plot as a picture, and nothing else (-: to stdout)\n"
               "  -n, --rows N       rows of each table; 0: all. Unless told, what finds room on "
               "the\n"
               "                     terminal, of a long view the most important parts\n"
               "  -j, --json         the whole document (" ROOFLINE_SCHEMA ")\n"
               "  -h, --help         this help\n"
               "\n"
               "Exit codes: 0 done, 1 there is nothing to draw, 2 usage, 3 there is no such run, "
               "or it\n"
               "cannot be read.\n");
}

static int take_by(struct request *r, const char *value)
{
        static const char *const keys[] = {"shape", "op", "phase"};

        for (unsigned i = 0; i < 3; i++)
                if (!strcmp(value, keys[i])) {
                        r->by = (enum roofline_by)i;
                        return 0;
                }
        cmd_error("roofline", "--by cannot be %s; it is shape, op or phase", value);
        return 1 + CMD_USAGE;
}

static int take_phase(struct request *r, const char *value)
{
        static const char *const phases[] = {"load", "prefill", "decode", "idle", "unknown"};

        for (unsigned i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
                if (!strcmp(value, phases[i])) {
                        r->phase = phases[i];
                        return 0;
                }
        cmd_error("roofline", "--phase cannot be %s; it is load, prefill, decode, idle or unknown",
                  value);
        return 1 + CMD_USAGE;
}

/* 0; or 1 + exit code */
static int take(void *userdata, int option, int argc, char **argv)
{
        struct request *r = userdata;

        switch (option) {
        case 'b':
                return take_by(r, optarg);
        case 'p':
                return take_phase(r, optarg);
        case 'l':
                r->levels = true;
                return 0;
        case 'c':
                r->cache = true;
                return 0;
        case 's':
                r->svg = optarg;
                return 0;
        case 'n':
                return cmd_take_rows("roofline", optarg, &r->rows) ? 1 + CMD_USAGE : 0;
        case 'j':
                r->as_json = true;
                return 0;
        case 'h':
                usage();
                return 1 + cmd_finish("roofline", CMD_DONE);
        default:
                return 1 + cmd_bad_option(argc, argv, option);
        }
}

static int parse(int argc, char **argv, struct request *r)
{
        static const struct option options[] = {{"by", required_argument, NULL, 'b'},
                                                {"phase", required_argument, NULL, 'p'},
                                                {"levels", no_argument, NULL, 'l'},
                                                {"cache", no_argument, NULL, 'c'},
                                                {"svg", required_argument, NULL, 's'},
                                                {"rows", required_argument, NULL, 'n'},
                                                {"json", no_argument, NULL, 'j'},
                                                {"help", no_argument, NULL, 'h'},
                                                {}};
        int e = cmd_each_option(argc, argv, ":n:jh", options, take, r);

        if (e)
                return e;
        if (r->by != ROOFLINE_BY_SHAPE && (r->levels || r->cache)) {
                cmd_error("roofline", "--levels and --cache are of single shapes: leave --by out");
                return 1 + CMD_USAGE;
        }
        if (r->svg && r->as_json) {
                cmd_error("roofline", "--svg and --json do not go together: ask for one of them");
                return 1 + CMD_USAGE;
        }
        return cmd_operand(argc, argv, &r->run) ? 1 + CMD_USAGE : 0;
}

static int build(const char *file, const void *userdata, json_t **ret, char **ret_why)
{
        return report_roofline_file(ret, file, ret_why);
}

static int out_of_memory(void)
{
        cmd_error("roofline", "out of memory");
        return CMD_NO;
}

static int draw(const struct request *request, const json_t *document, const json_t *rows)
{
        _cleanup_(freep) char *text = NULL;
        struct roofline_frame frame;
        size_t bytes = 0;
        FILE *out;
        int r;

        roofline_frame(&frame, document, rows);
        if (!frame.n_drawn) {
                cmd_error("roofline",
                          "run %s has no op of which FLOPs, bytes and time are known%s%s",
                          text_string(json_object_get(document, "run"), "id", "?"),
                          request->phase ? " in phase " : "", request->phase ? request->phase : "");
                return CMD_NO;
        }
        out = open_memstream(&text, &bytes);
        if (!out)
                return out_of_memory();
        r = roofline_svg(out, document, rows);
        if (fclose(out) == EOF || r)
                return out_of_memory();
        return out_file_write("roofline", request->svg, text, bytes);
}

int cmd_roofline(int argc, char **argv)
{
        static const struct run_document what = {.path = "roofline", .build = build};
        _cleanup_(json_decrefp) json_t *document = NULL, *rows = NULL;
        struct request request = {.rows = SCREEN_FIT};
        struct roofline_view view;
        int r = parse(argc, argv, &request);

        if (r)
                return r - 1;
        text_init();
        r = run_find_document("roofline", request.run, &what, &document);
        if (r)
                return r;
        if (request.as_json)
                return cmd_print_json("roofline", document);
        rows = roofline_rows(document, request.by, request.phase);
        if (!rows)
                return out_of_memory();
        if (request.svg)
                return draw(&request, document, rows);
        view = (struct roofline_view){.v = {stdout, table_output_width(), NULL},
                                      .document = document,
                                      .rows = rows,
                                      .n_most = request.rows,
                                      .phase = request.phase,
                                      .levels = request.levels,
                                      .cache = request.cache,
                                      .by = request.by};
        return roofline_print(&view) ? cmd_finish("roofline", CMD_DONE) : out_of_memory();
}
