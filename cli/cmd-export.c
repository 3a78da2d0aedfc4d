/* SPDX-License-Identifier: MIT */
/*
 * infprof export: a run in the format of another tool. For now that is pprof's, of memory.
 */
#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/memory-source.h"
#include "cli/out-file.h"
#include "cli/pprof.h"
#include "cli/text.h"
#include "common/cleanup.h"

static void usage(void)
{
        printf("usage: infprof export --pprof heap|allocs -o FILE [OPTION...] [RUN]\n"
               "\n"
               "Writes a run for go tool pprof, and for all else that reads its files.\n"
               "RUN is an id, a run file, the pid of an engine that runs, or latest (the "
               "default).\n"
               "\n"
               "      --pprof WHAT    heap: shows first what is in use; allocs: all that was "
               "allocated.\n"
               "                      Both have alloc_objects, alloc_space, inuse_objects and "
               "inuse_space\n"
               "  -o, --output FILE   FILE.pb.gz by custom; - is stdout\n"
               "      --from MARK     from this mark on (see infprof mark --help)\n"
               "      --to MARK       up to this mark\n"
               "  -h, --help          this help\n"
               "\n"
               "Exit codes: 0 done, 2 usage, 3 there is no such run, or it has no stacks.\n");
}

struct request {
        const char *output;
        const char *type; /* that pprof shows unasked; NULL: --pprof was not said */
        struct memory_request memory;
};

static int parse_what(const char *what, const char **ret_type)
{
        if (strcmp(what, "heap") != 0 && strcmp(what, "allocs") != 0) {
                cmd_error("export", "--pprof cannot be %s; it is one of: heap, allocs", what);
                return CMD_USAGE;
        }
        *ret_type = strcmp(what, "heap") != 0 ? "alloc_space" : "inuse_space";
        return CMD_DONE;
}

/* What goes together. 0, or 1 + exit code. */
static int check(struct request *r, int argc, char **argv)
{
        if (cmd_operand(argc, argv, &r->memory.run))
                return 1 + CMD_USAGE;
        if (!r->type) {
                cmd_error("export", "say what to write: --pprof heap or --pprof allocs");
                return 1 + CMD_USAGE;
        }
        if (!r->output && isatty(STDOUT_FILENO)) {
                cmd_error("export", "a profile is nothing for a terminal; name a file with -o");
                return 1 + CMD_USAGE;
        }
        return 0;
}

/* 0; or 1 + exit code */
static int parse(int argc, char **argv, struct request *ret)
{
        static const struct option options[] = {
                {"pprof", required_argument, NULL, 'P'}, {"output", required_argument, NULL, 'o'},
                {"from", required_argument, NULL, 'F'},  {"to", required_argument, NULL, 'T'},
                {"help", no_argument, NULL, 'h'},        {}};
        int o;

        *ret = (struct request){};
        opterr = 0;
        while ((o = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
                switch (o) {
                case 'P':
                        if (parse_what(optarg, &ret->type))
                                return 1 + CMD_USAGE;
                        break;
                case 'o':
                        ret->output = optarg;
                        break;
                case 'F':
                        ret->memory.from = optarg;
                        break;
                case 'T':
                        ret->memory.to = optarg;
                        break;
                case 'h':
                        usage();
                        return 1 + CMD_DONE;
                default:
                        return 1 + cmd_bad_option(argc, argv, o);
                }
        }
        return check(ret, argc, argv);
}

int cmd_export(int argc, char **argv)
{
        _cleanup_(json_decrefp) json_t *document = NULL;
        _cleanup_(freep) uint8_t *data = NULL;
        struct request request;
        size_t bytes;
        int r = parse(argc, argv, &request);

        if (r)
                return r - 1;
        r = memory_source_get("export", &request.memory, &document);
        if (r)
                return r;
        if (!json_array_size(json_object_get(document, "stacks"))) {
                memory_source_no_stacks("export", document);
                return CMD_NOTHING;
        }
        if (pprof_encode(document, request.type, &data, &bytes)) {
                cmd_error("export", "out of memory");
                return CMD_NO;
        }
        return out_file_write("export", request.output, data, bytes);
}
