/* SPDX-License-Identifier: MIT */
/*
 * infprof memory: who allocates, what stays, what it costs. The document comes from the run file,
 * or from the daemon while the run goes on; everything printed is a view of it.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/memory-source.h"
#include "cli/memory-view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/categories.h"
#include "common/cleanup.h"

#define ROWS         10
#define ALL_SECTIONS ((1u << MEMORY_N_SECTIONS) - 1)

DEFINE_CLEANUP(struct categories *, categories_free, categories_freep);

static void usage(void)
{
        puts("usage: infprof memory [OPTION...] [RUN]\n"
             "\n"
             "Shows who allocates, what stays and what it costs. RUN is an id, a run file, the pid "
             "of an\n"
             "engine that runs, or latest (the default).\n"
             "\n"
             "      --by VALUE         order of stacks: alloc (bytes allocated, the default), "
             "inuse (not\n"
             "                         freed), alloc-objects or inuse-objects (blocks)\n"
             "  -p, --phase PHASE      stacks, categories and ops of one phase: load, prefill, "
             "decode,\n"
             "                         idle or unknown\n"
             "      --from MARK        from this mark on; see infprof mark --help\n"
             "      --to MARK          up to this mark\n"
             "      --categories FILE  rules that give stacks a category: "
             "infprof-categories(5)\n"
             "  -n, --rows N           stacks, and rows of each table: 10 by default, 0 = all\n"
             "      --full             stacks with all their frames\n"
             "      --sections LIST    only these: totals,timeline,stacks,categories,sizes,ops,"
             "threads,\n"
             "                         leaks,allocator,outside,files,marks,notes\n"
             "  -j, --json             the whole document (infprof.memory/1)\n"
             "  -h, --help             this help\n"
             "\n"
             "Exit codes: 0 done, 2 usage, 3 there is no such run or mark, or it cannot be read.");
}

struct request {
        struct memory_request memory;
        struct memory_view_options view;
        const char *categories; /* a file; NULL: the built-in rules */
        bool as_json, has_rows;
};

static int bad_value(const char *option, const char *value, const char *allowed)
{
        cmd_error("memory", "%s cannot be %s; it is one of: %s", option, value, allowed);
        return 1 + CMD_USAGE;
}

static int take_by(struct request *r, const char *value)
{
        for (unsigned i = 0; i < MEMORY_N_BY; i++)
                if (!strcmp(value, memory_by_names[i])) {
                        r->view.by = (enum memory_by)i;
                        return 0;
                }
        return bad_value("--by", value, "alloc, inuse, alloc-objects, inuse-objects");
}

static int take_phase(struct request *r, const char *value)
{
        if (!memory_is_phase(value))
                return bad_value("--phase", value, "load, prefill, decode, idle, unknown");
        r->view.phase = value;
        return 0;
}

static int take_sections(struct request *r, const char *value)
{
        r->view.sections = 0;
        for (const char *p = value; *p; p += strspn(p, ",")) {
                size_t n = strcspn(p, ","), i = 0;

                while (i < MEMORY_N_SECTIONS && (strlen(memory_section_names[i]) != n ||
                                                 strncmp(memory_section_names[i], p, n) != 0))
                        i++;
                if (i == MEMORY_N_SECTIONS) {
                        cmd_error("memory",
                                  "--sections: there is no section %.*s; see infprof memory "
                                  "--help",
                                  (int)n, p);
                        return 1 + CMD_USAGE;
                }
                r->view.sections |= 1u << i;
                p += n;
        }
        if (r->view.sections)
                return 0;
        cmd_error("memory", "--sections needs at least one; see infprof memory --help");
        return 1 + CMD_USAGE;
}

enum { OPT_BY = 256, OPT_FROM, OPT_TO, OPT_CATEGORIES, OPT_FULL, OPT_SECTIONS };

/* 0; or 1 + exit code */
static int take(void *userdata, int option, int argc, char **argv)
{
        struct request *r = userdata;

        switch (option) {
        case OPT_BY:
                return take_by(r, optarg);
        case 'p':
                return take_phase(r, optarg);
        case OPT_FROM:
                r->memory.from = optarg;
                return 0;
        case OPT_TO:
                r->memory.to = optarg;
                return 0;
        case OPT_CATEGORIES:
                r->categories = optarg;
                return 0;
        case 'n':
                r->has_rows = true;
                return cmd_take_rows("memory", optarg, &r->view.rows) ? 1 + CMD_USAGE : 0;
        case OPT_FULL:
                r->view.full = true;
                return 0;
        case OPT_SECTIONS:
                return take_sections(r, optarg);
        case 'j':
                r->as_json = true;
                return 0;
        case 'h':
                usage();
                return 1 + CMD_DONE;
        default:
                return 1 + cmd_bad_option(argc, argv, option);
        }
}

/* 0; or 1 + exit code */
static int parse(int argc, char **argv, struct request *ret)
{
        static const struct option options[] = {
                {"by", required_argument, NULL, OPT_BY},
                {"phase", required_argument, NULL, 'p'},
                {"from", required_argument, NULL, OPT_FROM},
                {"to", required_argument, NULL, OPT_TO},
                {"categories", required_argument, NULL, OPT_CATEGORIES},
                {"rows", required_argument, NULL, 'n'},
                {"full", no_argument, NULL, OPT_FULL},
                {"sections", required_argument, NULL, OPT_SECTIONS},
                {"json", no_argument, NULL, 'j'},
                {"help", no_argument, NULL, 'h'},
                {}};
        int r;

        *ret = (struct request){.view = {.rows = ROWS, .sections = ALL_SECTIONS}};
        r = cmd_each_option(argc, argv, ":p:n:jh", options, take, ret);
        if (r)
                return r;
        return cmd_operand(argc, argv, &ret->memory.run) ? 1 + CMD_USAGE : 0;
}

static int load_categories(const char *path, struct categories **ret)
{
        _cleanup_(freep) char *why = NULL;
        int r = categories_load(ret, path, &why);

        if (!r)
                return CMD_DONE;
        cmd_error("memory", "%s", why ? why : strerror(r < 0 ? -r : EINVAL));
        return r == CATEGORIES_E_MALFORMED ? CMD_USAGE : CMD_NOTHING;
}

/* With -n, the stacks that -n names only. */
static void cut_stacks(json_t *document, size_t rows)
{
        json_t *stacks = json_object_get(document, "stacks");

        while (rows && json_array_size(stacks) > rows)
                json_array_remove(stacks, json_array_size(stacks) - 1);
}

static int print(const struct request *request, json_t *document)
{
        struct memory_view_options view = request->view;

        if (request->as_json) {
                if (request->has_rows)
                        cut_stacks(document, view.rows);
                return cmd_print_json("memory", document);
        }
        view.width = table_output_width();
        if (!memory_print(document, &view, stdout)) {
                cmd_error("memory", "out of memory");
                return CMD_NO;
        }
        return cmd_finish("memory", CMD_DONE);
}

int cmd_memory(int argc, char **argv)
{
        _cleanup_(categories_freep) struct categories *categories = NULL;
        _cleanup_(json_decrefp) json_t *document = NULL;
        struct request request;
        int r = parse(argc, argv, &request);

        if (r)
                return r - 1;
        text_init();
        if (request.categories) {
                r = load_categories(request.categories, &categories);
                if (r)
                        return r;
        }
        request.memory.categories = categories;
        r = memory_source_get("memory", &request.memory, &document);
        if (r)
                return r;
        if (request.view.phase)
                r = memory_keep_phase(document, request.view.phase, categories);
        if (!r)
                r = memory_sort_stacks(document, request.view.by);
        if (r) {
                cmd_error("memory", "%s", strerror(-r));
                return CMD_NO;
        }
        return print(&request, document);
}
