/* SPDX-License-Identifier: MIT */
/*
 * infprof bench: how long a command takes, and how surely that is known. Only a command that cannot
 * be run at all has no document; whatever else became of its runs is in it.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/out-file.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"

static int no_memory(void)
{
        cmd_error("bench", "out of memory");
        return CMD_NO;
}

static int export(const char *path, const json_t *o)
{
        _cleanup_(freep) char *body = json_dumps(o, JSON_INDENT(2));
        size_t n = body ? strlen(body) : 0;

        if (!body)
                return no_memory();
        body[n] = '\n'; /* in place of its end */
        return out_file_write("bench", path, body, n + 1);
}

static int show(const struct bench_options *q, const json_t *o)
{
        struct view v = {.f = stdout, .width = table_output_width()};
        int r = q->export ? export(q->export, o) : CMD_DONE;

        if (r)
                return r;
        if (q->as_json)
                return cmd_print_json("bench", o);
        if (q->export && !strcmp(q->export, "-"))
                return CMD_DONE;
        return bench_print(&v, o) ? cmd_finish("bench", CMD_DONE) : no_memory();
}

/* Of a command that cannot be run, and of one that never succeeded. */
static void say_why(const struct bench *b, bool briefly)
{
        const struct trial_options limits = {.argv = b->options->argv,
                                             .time_ns = b->options->max_time_ns,
                                             .memory_bytes = b->options->memory_bytes};
        const struct trial *t = &b->runs[b->n - 1].trial;
        char why[160];

        trial_say_end(t, &limits, why, sizeof(why));
        if (b->cannot_run)
                cmd_error("bench", "cannot run %s: %s", b->options->argv[0],
                          strncmp(why, "not run: ", 9) ? why : why + 9);
        else
                cmd_error("bench", "no run of %zu succeeded; the last: %s%s%s%s", b->n, why,
                          briefly && t->last_words[0] ? ", with \"" : "",
                          briefly ? t->last_words : "", briefly && t->last_words[0] ? "\"" : "");
}

/* Nothing of what was asked for was seen. */
static int say_no_series(const struct bench *b)
{
        const struct bench_options *o = b->options;
        char per[160];

        if (!b->n_succeeded)
                say_why(b, true);
        else if (b->trouble)
                cmd_error("bench", "nothing was seen of %s: %s", o->argv[0], b->trouble);
        else if (b->series.left_out || b->n_warmup)
                cmd_error("bench", "no more than the warm-up was seen of %s: give less --warmup",
                          bench_per_text(per, o));
        else
                cmd_error("bench", "no %s was seen; infprof record and report show what there is",
                          bench_per_text(per, o));
        return b->n_succeeded ? CMD_NOTHING : CMD_NO;
}

static int finish(struct bench *b)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        bool measured = b->n_succeeded || b->series.n;
        int r;

        if (b->cannot_run) {
                say_why(b, false);
                return CMD_NOTHING;
        }
        if (b->options->per != BENCH_PROCESS && !b->series.n && !b->interrupted)
                return say_no_series(b);
        o = bench_document(b);
        if (!o)
                return no_memory();
        r = show(b->options, o);
        if (r)
                return r;
        if (b->interrupted)
                return 128 + b->interrupted;
        if (!measured && b->n)
                say_why(b, true);
        return measured ? CMD_DONE : CMD_NO;
}

int cmd_bench(int argc, char **argv)
{
        struct bench_options options;
        struct bench b = {.options = &options};
        int r = bench_parse(&options, argc, argv);

        if (r >= 0)
                return r;
        if (options.export && out_file_can("bench", options.export))
                return CMD_NO; /* before anything is run */
        text_init();
        r = bench_run_all(&b);
        r = r == -EINVAL ? CMD_USAGE : r < 0 ? CMD_NO : finish(&b);
        trial_unwatch();
        bench_done(&b);
        return r;
}
