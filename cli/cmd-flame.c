/* SPDX-License-Identifier: MIT */
/*
 * infprof flame: where memory was asked for, or where threads waited, as a flame graph. The stacks
 * are those of infprof.memory/1, infprof.waits/1 or infprof.threads/1; the picture is a view of
 * them.
 */
#include "cli/cmd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flame.h"
#include "cli/flame-name.h"
#include "cli/flame-options.h"
#include "cli/memory-source.h"
#include "cli/out-file.h"
#include "cli/run-find.h"
#include "cli/text.h"
#include "cli/view.h"
#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/report-threads.h"
#include "common/report-waits.h"

DEFINE_CLEANUP(struct flame_node *, flame_tree_free, flame_tree_freep);

static int build_waits(const char *file, const void *userdata, json_t **ret, char **ret_why)
{
        return report_waits_file(ret, file, ret_why);
}

static int build_threads(const char *file, const void *userdata, json_t **ret, char **ret_why)
{
        return report_threads_file(ret, file, ret_why);
}

/* The document that has the stacks. 0, or the exit code after one line. */
static int get_document(const struct flame_request *request, const char *run, json_t **ret)
{
        static const struct run_document waits = {.path = "waits", .build = build_waits},
                                         threads = {.path = "threads", .build = build_threads};

        struct memory_request memory = request->memory;

        memory.run = run;
        if (!flame_is_time(request))
                return memory_source_get("flame", &memory, ret);
        return run_find_document("flame", run, request->what == FLAME_WAITS ? &waits : &threads,
                                 ret);
}

/* The same where time is drawn. */
static void no_time(const struct flame_request *request, const json_t *document)
{
        const char *id = text_string(json_object_get(document, "run"), "id", "?");
        const char *phase = request->flame.phase;
        size_t n = json_array_size(json_object_get(document, request->flame.list));

        if (n)
                cmd_error("flame", "no %s%swas seen in run %s%s%s",
                          request->kind ? request->kind : "wait", request->kind ? " wait " : " ",
                          id, phase ? " in phase " : "", phase ? phase : "");
        else if (request->what == FLAME_WAITS)
                cmd_error("flame",
                          "no wait was seen in run %s; where it was recorded with --waits off, "
                          "none can be",
                          id);
        else
                cmd_error("flame",
                          "run %s has no stacks off the CPU; infprof record --offcpu takes them, "
                          "where the kernel permits (infprof doctor)",
                          id);
}

/* Why there is nothing to draw. */
static int nothing(const struct flame_request *request, const json_t *document)
{
        const char *id = text_string(json_object_get(document, "run"), "id", "?");
        const char *phase = request->flame.phase;

        if (flame_is_time(request))
                no_time(request, document);
        else if (!json_array_size(json_object_get(document, "stacks")))
                memory_source_no_stacks("flame", document);
        else if (request->what == FLAME_HEAP)
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

static const char *title_of(const struct flame_request *request, const json_t *document)
{
        bool live = view_is_live(document);

        if (request->title)
                return request->title;
        if (request->what == FLAME_WAITS)
                return "Time that threads waited";
        if (request->what == FLAME_OFFCPU)
                return "Time off the CPU";
        if (request->what == FLAME_ALLOC)
                return request->objects ? "Blocks allocated" : "Memory allocated";
        if (request->memory.from)
                return request->objects ? "Blocks allocated and not freed between two marks"
                                        : "Memory allocated and not freed between two marks";
        if (live || request->memory.to)
                return request->objects ? "Blocks in use" : "Memory in use";
        return request->objects ? "Blocks in use at the end" : "Memory in use at the end";
}

/* "1.23GiB in 345 stacks": the sum that is drawn. */
static void put_sum(FILE *f, const struct flame_request *request, const struct flame_node *root,
                    const struct flame_sum *sum)
{
        char amount[FMT_SIZE];
        uint64_t value = (uint64_t)llround(root->value);

        if (flame_is_time(request))
                fprintf(f, "%s", fmt_ns(amount, value));
        else if (request->objects)
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
static char *subtitle_of(const struct flame_request *request, const json_t *document,
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
        if (flame_is_time(request))
                fputs("all threads together", f);
        else
                put_quality(f, document);
        if (request->kind)
                fprintf(f, " · %s only", request->kind);
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
        if (request->diff)
                fprintf(f, " · against run %s", request->before);
        fprintf(f, " · run %s · %s", text_string(run, "id", "?"), text_string(run, "command", "?"));
        if (fclose(f) == EOF)
                return NULL;
        return flame_one_line(text);
}

static int draw(const struct flame_request *request, const json_t *document,
                const struct flame_node *root, const struct flame_sum *sum, FILE *out)
{
        _cleanup_(freep) char *subtitle = NULL, *title = NULL;

        if (request->folded)
                return flame_folded(out, root, request->diff);
        subtitle = subtitle_of(request, document, root, sum);
        title = flame_one_line(title_of(request, document));
        if (!subtitle || !title)
                return -1;
        return flame_svg(out, root,
                         &(struct flame_text){.title = title,
                                              .subtitle = subtitle,
                                              .unit = flame_is_time(request) ? "ns"
                                                      : request->objects     ? "blocks"
                                                                             : "bytes",
                                              .differs = request->diff});
}

static int out_of_memory(void)
{
        cmd_error("flame", "out of memory");
        return CMD_NO;
}

int cmd_flame(int argc, char **argv)
{
        _cleanup_(flame_tree_freep) struct flame_node *root = NULL;
        _cleanup_(json_decrefp) json_t *document = NULL, *before = NULL;
        _cleanup_(freep) char *text = NULL;
        struct flame_request request;
        struct flame_sum sum;
        size_t bytes = 0;
        FILE *out;
        int r = flame_parse(argc, argv, &request);

        if (r)
                return r - 1;
        text_init();
        r = get_document(&request, request.memory.run, &document);
        if (!r && request.diff)
                r = get_document(&request, request.before, &before);
        if (r)
                return r;
        if (flame_tree_new(&root, &sum, document, &request.flame))
                return out_of_memory();
        if (before && flame_tree_add_before(root, before, &request.flame))
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
