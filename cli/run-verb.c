/* SPDX-License-Identifier: MIT */
/*
 * The document comes from the run file, or from the daemon while the run goes on; the form for
 * people is a view of it.
 */
#include "cli/run-verb.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/out-file.h"
#include "cli/run-find.h"
#include "cli/screen.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"

#define ROWS 10

struct request {
        const char *run;
        const char *svg;
        size_t rows;
        bool full, as_json;
};

static void usage(const struct run_verb *verb)
{
        printf("usage: infprof %s [OPTION...] [RUN]\n\n%s\n"
               "RUN is an id, a run file, the pid of an engine that runs, or latest (the "
               "default).\n"
               "\n",
               verb->name, verb->about);
        if (verb->fits)
                puts("  -n, --rows N   rows of each table, or findings; 0: all, and all parts. "
                     "Unless "
                     "told, what\n"
                     "                 finds room on the terminal");
        else if (verb->has_rows)
                printf("  -n, --rows N   rows of each table: %d by default, 0 = all\n", ROWS);
        if (verb->has_stacks)
                puts("      --full     stacks with all their frames");
        if (verb->draw)
                puts("      --svg FILE a picture of it (- is stdout)");
        printf("  -j, --json     the whole document (%s)\n"
               "  -h, --help     this help\n"
               "\n"
               "Exit codes: 0 done, 1 it could not be written%s, 2 usage,\n"
               "3 there is no such run, or it cannot be read.\n",
               verb->schema, verb->draw ? ", or there is nothing to draw" : "");
}

/* 0; or 1 + exit code */
static int parse(const struct run_verb *verb, int argc, char **argv, struct request *ret)
{
        static const struct option all[] = {
                {"json", no_argument, NULL, 'j'},       {"help", no_argument, NULL, 'h'},
                {"rows", required_argument, NULL, 'n'}, {"full", no_argument, NULL, 'f'},
                {"svg", required_argument, NULL, 's'},  {}};
        struct option options[6] = {all[0], all[1]};
        unsigned n = 2;
        int o;

        if (verb->has_rows)
                options[n++] = all[2];
        if (verb->has_stacks)
                options[n++] = all[3];
        if (verb->draw)
                options[n++] = all[4];
        *ret = (struct request){.rows = verb->fits ? SCREEN_FIT : ROWS};
        opterr = 0;
        while ((o = getopt_long(argc, argv, verb->has_rows ? ":n:jh" : ":jh", options, NULL)) !=
               -1) {
                switch (o) {
                case 'n':
                        if (cmd_take_rows(verb->name, optarg, &ret->rows))
                                return 1 + CMD_USAGE;
                        break;
                case 'f':
                        ret->full = true;
                        break;
                case 's':
                        ret->svg = optarg;
                        break;
                case 'j':
                        ret->as_json = true;
                        break;
                case 'h':
                        usage(verb);
                        return 1 + cmd_finish(verb->name, CMD_DONE);
                default:
                        return 1 + cmd_bad_option(argc, argv, o);
                }
        }
        if (ret->svg && ret->as_json) {
                cmd_error(verb->name, "--svg and --json do not go together: ask for one of them");
                return 1 + CMD_USAGE;
        }
        return cmd_operand(argc, argv, &ret->run) ? 1 + CMD_USAGE : 0;
}

static int build(const char *file, const void *userdata, json_t **ret, char **ret_why)
{
        const struct run_verb *verb = userdata;

        return verb->build(ret, file, ret_why);
}

struct pages {
        const struct run_verb *verb;
        const json_t *document;
        bool full;
};

static bool print(const struct view *v, size_t rows, const void *userdata)
{
        const struct pages *p = userdata;

        return p->verb->print(
                &(struct page){.v = *v, .document = p->document, .rows = rows, .full = p->full});
}

static int draw(const struct run_verb *verb, const char *path, const json_t *document)
{
        _cleanup_(freep) char *text = NULL;
        size_t bytes = 0;
        FILE *out;

        if (verb->is_empty && verb->is_empty(document)) {
                cmd_error(verb->name, "run %s has nothing to draw",
                          text_string(json_object_get(document, "run"), "id", "?"));
                return CMD_NO;
        }
        out = open_memstream(&text, &bytes);
        if (out)
                verb->draw(out, document);
        if (!out || fclose(out) == EOF) {
                cmd_error(verb->name, "out of memory");
                return CMD_NO;
        }
        return out_file_write(verb->name, path, text, bytes);
}

int run_verb(const struct run_verb *verb, int argc, char **argv)
{
        const struct run_document what = {.path = verb->name, .build = build, .userdata = verb};
        _cleanup_(json_decrefp) json_t *document = NULL;
        struct request request;
        int r = parse(verb, argc, argv, &request);

        if (r)
                return r - 1;
        text_init();
        r = run_find_document(verb->name, request.run, &what, &document);
        if (r)
                return r;
        if (request.as_json)
                return cmd_print_json(verb->name, document);
        if (request.svg)
                return draw(verb, request.svg, document);
        if (!screen_print(&(struct view){stdout, table_output_width(), NULL}, request.rows,
                          verb->fits, print, &(struct pages){verb, document, request.full})) {
                cmd_error(verb->name, "out of memory");
                return CMD_NO;
        }
        return cmd_finish(verb->name, CMD_DONE);
}
