/* SPDX-License-Identifier: MIT */
/*
 * infprof flame: where memory was asked for, as a flame graph. The stacks are those of
 * infprof.memory/1; the picture is a view of them.
 */
#include "cli/cmd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/flame.h"
#include "cli/flame-name.h"
#include "cli/memory-source.h"
#include "cli/out-file.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

DEFINE_CLEANUP(struct flame_node *, flame_tree_free, flame_tree_freep);

static void usage(void)
{
        printf("usage: infprof flame --heap | --alloc [OPTION...] [RUN]\n"
               "\n"
               "Draws where memory was asked for as a flame graph: one SVG file for any browser.\n"
               "RUN is an id, a run file, the pid of an engine that runs, or latest (the "
               "default).\n"
               "\n"
               "      --heap          what is in use: allocated and not freed (at the end, or "
               "now)\n"
               "      --alloc         all that was allocated\n"
               "      --objects       count blocks, not bytes\n"
               "  -o, --output FILE   write to FILE (- and the default: stdout)\n"
               "      --folded        a line a stack instead: outer;...;inner;[op NAME] COUNT\n"
               "      --from MARK     from this mark on (see infprof mark --help)\n"
               "      --to MARK       up to this mark\n"
               "  -p, --phase PHASE   of one phase: load, prefill, decode, idle or unknown\n"
               "      --by-phase      a level of phases upon the root\n"
               "  -t, --title TEXT    above the picture\n"
               "  -h, --help          this help\n"
               "\n"
               "In the picture: click or Enter zooms, Esc goes back, arrows move, / or Ctrl-F "
               "searches.\n"
               "Exit codes: 0 done, 2 usage, 3 there is no such run, or no stack to draw.\n");
}

struct request {
        bool heap, alloc, objects, folded;
        const char *output, *title;
        struct memory_request memory;
        struct flame_options flame;
};

enum { OPT_HEAP = 256, OPT_ALLOC, OPT_OBJECTS, OPT_FOLDED, OPT_FROM, OPT_TO, OPT_BY_PHASE };

static bool is_phase(const char *name)
{
        static const char *const names[] = {"load", "prefill", "decode", "idle", "unknown"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (!strcmp(name, names[i]))
                        return true;
        cmd_error("flame",
                  "there is no phase %s; it is one of: load, prefill, decode, idle, "
                  "unknown",
                  name);
        return false;
}

static const char *value_of(const struct request *r)
{
        if (r->heap)
                return r->objects ? "inuse_objects" : "inuse_bytes";
        return r->objects ? "alloc_objects" : "alloc_bytes";
}

/* What goes together, once all is known. 0, or 1 + exit code. */
static int check(struct request *r, int argc, char **argv)
{
        r->memory.run = optind < argc ? argv[optind++] : NULL;
        if (optind < argc)
                return 1 + cmd_extra_operand(argv, argv[optind]);
        if (r->heap == r->alloc) {
                cmd_error("flame", r->heap ? "--heap and --alloc exclude each other; choose one"
                                           : "say what to draw: --heap (in use) or --alloc (all "
                                             "that was allocated)");
                return 1 + CMD_USAGE;
        }
        if (!r->folded && !r->output && isatty(STDOUT_FILENO)) {
                cmd_error("flame", "an SVG is nothing for a terminal; name a file with -o, or ask "
                                   "for --folded");
                return 1 + CMD_USAGE;
        }
        r->flame.value = value_of(r);
        return 0;
}

/* 0; or 1 + exit code */
static int parse(int argc, char **argv, struct request *ret)
{
        static const struct option options[] = {{"heap", no_argument, NULL, OPT_HEAP},
                                                {"alloc", no_argument, NULL, OPT_ALLOC},
                                                {"objects", no_argument, NULL, OPT_OBJECTS},
                                                {"output", required_argument, NULL, 'o'},
                                                {"folded", no_argument, NULL, OPT_FOLDED},
                                                {"from", required_argument, NULL, OPT_FROM},
                                                {"to", required_argument, NULL, OPT_TO},
                                                {"phase", required_argument, NULL, 'p'},
                                                {"by-phase", no_argument, NULL, OPT_BY_PHASE},
                                                {"title", required_argument, NULL, 't'},
                                                {"help", no_argument, NULL, 'h'},
                                                {}};
        int o;

        *ret = (struct request){};
        opterr = 0;
        while ((o = getopt_long(argc, argv, ":o:p:t:h", options, NULL)) != -1) {
                switch (o) {
                case OPT_HEAP:
                        ret->heap = true;
                        break;
                case OPT_ALLOC:
                        ret->alloc = true;
                        break;
                case OPT_OBJECTS:
                        ret->objects = true;
                        break;
                case OPT_FOLDED:
                        ret->folded = true;
                        break;
                case OPT_FROM:
                        ret->memory.from = optarg;
                        break;
                case OPT_TO:
                        ret->memory.to = optarg;
                        break;
                case OPT_BY_PHASE:
                        ret->flame.by_phase = true;
                        break;
                case 'o':
                        ret->output = optarg;
                        break;
                case 'p':
                        if (!is_phase(optarg))
                                return 1 + CMD_USAGE;
                        ret->flame.phase = optarg;
                        break;
                case 't':
                        ret->title = optarg;
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

/* Why there is nothing to draw. */
static int nothing(const struct request *request, const json_t *document)
{
        const char *id = text_string(json_object_get(document, "run"), "id", "?");
        const char *phase = request->flame.phase;

        if (!json_array_size(json_object_get(document, "stacks")))
                memory_source_no_stacks("flame", document);
        else if (request->heap)
                cmd_error("flame",
                          "nothing that was sampled in run %s%s%s is in use; --alloc "
                          "draws what was allocated",
                          id, phase ? " in phase " : "", phase ? phase : "");
        else
                cmd_error("flame", "nothing was sampled in run %s%s%s%s", id,
                          phase ? " in phase " : "", phase ? phase : "",
                          request->memory.from || request->memory.to ? " between the marks" : "");
        return CMD_NOTHING;
}

static const char *title_of(const struct request *request, const json_t *document)
{
        bool live = !strcmp(text_string(json_object_get(document, "run"), "end", ""), "live");

        if (request->title)
                return request->title;
        if (request->alloc)
                return request->objects ? "Blocks allocated" : "Memory allocated";
        if (request->memory.from)
                return request->objects ? "Blocks allocated and not freed between two marks"
                                        : "Memory allocated and not freed between two marks";
        if (live || request->memory.to)
                return request->objects ? "Blocks in use" : "Memory in use";
        return request->objects ? "Blocks in use at the end" : "Memory in use at the end";
}

/* "1.23GiB in 345 stacks": the sum that is drawn. */
static void put_sum(FILE *f, const struct request *request, const struct flame_node *root,
                    const struct flame_sum *sum)
{
        char amount[FMT_SIZE];
        uint64_t value = (uint64_t)llround(root->value);

        if (request->objects)
                fprintf(f, "%s blocks", fmt_count(amount, value));
        else
                fprintf(f, "%s", fmt_bytes(amount, (int64_t)value));
        fprintf(f, " in %zu %s", sum->stacks, sum->stacks == 1 ? "stack" : "stacks");
}

/* How good the figures are. */
static void put_quality(FILE *f, const json_t *document)
{
        const json_t *interval = json_object_get(document, "heap_interval_bytes");
        double taken = text_number(json_object_get(document, "samples"), "taken");
        char size[FMT_SIZE], n[FMT_SIZE];

        if (!json_is_true(json_object_get(document, "estimates"))) {
                fputs("each allocation", f);
                return;
        }
        fmt_bytes(size, json_integer_value(interval));
        fmt_count(n, taken > 0 ? (uint64_t)taken : 0);
        fprintf(f, "estimated from %s samples, one in %s", n, size);
}

/* To be freed; NULL: no memory. */
static char *subtitle_of(const struct request *request, const json_t *document,
                         const struct flame_node *root, const struct flame_sum *sum)
{
        const json_t *run = json_object_get(document, "run");
        _cleanup_(freep) char *text = NULL;
        char amount[FMT_SIZE];
        size_t bytes;
        FILE *f = open_memstream(&text, &bytes);

        if (!f)
                return NULL;
        put_sum(f, request, root, sum);
        fputs(" · ", f);
        put_quality(f, document);
        if (request->flame.phase)
                fprintf(f, " · phase %s", request->flame.phase);
        if (request->memory.from)
                fprintf(f, " · from mark %s", request->memory.from);
        if (request->memory.to)
                fprintf(f, " · up to mark %s", request->memory.to);
        if (sum->left_out < 0)
                fprintf(f, " · not drawn: %s more freed than allocated",
                        request->objects ? fmt_count(amount, (uint64_t)llround(-sum->left_out))
                                         : fmt_bytes(amount, llround(-sum->left_out)));
        fprintf(f, " · run %s · %s", text_string(run, "id", "?"), text_string(run, "command", "?"));
        if (fclose(f) == EOF)
                return NULL;
        return flame_one_line(text);
}

static int draw(const struct request *request, const json_t *document,
                const struct flame_node *root, const struct flame_sum *sum, FILE *out)
{
        _cleanup_(freep) char *subtitle = NULL, *title = NULL;

        if (request->folded)
                return flame_folded(out, root);
        subtitle = subtitle_of(request, document, root, sum);
        title = flame_one_line(title_of(request, document));
        if (!subtitle || !title)
                return -1;
        return flame_svg(out, root,
                         &(struct flame_text){.title = title,
                                              .subtitle = subtitle,
                                              .unit = request->objects ? "blocks" : "bytes"});
}

static int out_of_memory(void)
{
        cmd_error("flame", "out of memory");
        return CMD_NO;
}

int cmd_flame(int argc, char **argv)
{
        _cleanup_(flame_tree_freep) struct flame_node *root = NULL;
        _cleanup_(json_decrefp) json_t *document = NULL;
        _cleanup_(freep) char *text = NULL;
        struct request request;
        struct flame_sum sum;
        size_t bytes = 0;
        FILE *out;
        int r = parse(argc, argv, &request);

        if (r)
                return r - 1;
        text_init();
        r = memory_source_get("flame", &request.memory, &document);
        if (r)
                return r;
        if (flame_tree_new(&root, &sum, document, &request.flame))
                return out_of_memory();
        if (llround(root->value) <= 0)
                return nothing(&request, document);
        out = open_memstream(&text, &bytes);
        if (!out)
                return out_of_memory();
        r = draw(&request, document, root, &sum, out);
        if (fclose(out) == EOF || r)
                return out_of_memory();
        return out_file_write("flame", request.output, text, bytes);
}
