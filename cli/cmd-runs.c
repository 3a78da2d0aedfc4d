/* SPDX-License-Identifier: MIT */
/*
 * infprof runs: the runs that are kept, and their removal.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/run-find.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/view.h"
#include "common/cleanup.h"
#include "common/fmt.h"

static void usage(void)
{
        puts("usage: infprof runs [--json]\n"
             "       infprof runs rm ID...\n"
             "\n"
             "Lists the runs that are kept, newest first, or removes some. A run that goes on is "
             "not\n"
             "removed.\n"
             "\n"
             "  -j, --json   the list as JSON (infprof.runs/1)\n"
             "  -h, --help   this help\n"
             "\n"
             "Exit codes: 0 done, 1 a run could not be removed, 2 usage, 3 there is no such run.");
}

static bool print_table(const json_t *runs, unsigned width)
{
        static const struct table_column columns[] = {
                {"id", false, false, 0},      {"started", false, false, 2},
                {"duration", true, false, 0}, {"tokens/s", true, false, 1},
                {"end", false, false, 0},     {"command", false, true, 0},
        };
        struct table *t = table_new(columns, 6);
        const json_t *run;
        size_t i;
        bool ok;

        if (!t)
                return false;
        json_array_foreach(runs, i, run)
        {
                char when[32], took[FMT_SIZE] = "-", rate[TEXT_CELL] = "-", ending[TEXT_END];
                double ns = text_number(run, "duration_ns"),
                       per_second = text_number(run, "tokens_per_second");

                if (!isnan(ns))
                        fmt_ns(took, (uint64_t)ns);
                if (!isnan(per_second))
                        snprintf(rate, sizeof(rate), "%.1f", per_second);
                table_add(t,
                          (const char *[]){text_string(run, "id", "?"), view_local_time(when, run),
                                           took, rate, view_ending(ending, run),
                                           text_string(run, "command", "?")});
        }
        ok = table_print(t, stdout, width);
        table_free(t);
        return ok;
}

static int list_runs(bool as_json)
{
        _cleanup_(json_decrefp) json_t *list = NULL;
        const json_t *runs, *file;
        size_t i;
        int r = run_find_all("runs", &list);

        if (r)
                return r;
        if (as_json)
                return cmd_print_json("runs", list);
        runs = json_object_get(list, "runs");
        if (!json_array_size(runs)) {
                if (!run_find_unkept("runs"))
                        puts("no runs yet; infprof record CMD... makes one");
        } else if (!print_table(runs, table_output_width())) {
                return CMD_NO;
        }
        json_array_foreach(json_object_get(list, "unreadable"), i, file)
        {
                cmd_error("runs", "%s", text_string(file, "reason", "?"));
        }
        return cmd_finish("runs", CMD_DONE);
}

static const json_t *find_run(const json_t *runs, const char *id)
{
        const json_t *run;
        size_t i;

        json_array_foreach(runs, i, run)
        {
                if (!strcmp(text_string(run, "id", ""), id))
                        return run;
        }
        return NULL;
}

/* The file of a run that is kept but cannot be read. */
static const char *find_unreadable(const json_t *files, const char *id)
{
        const json_t *file;
        size_t i;

        json_array_foreach(files, i, file)
        {
                const char *path = text_string(file, "file", ""), *base = strrchr(path, '/');
                size_t n = strlen(id);

                if (base && !strncmp(base + 1, id, n) && !strcmp(base + 1 + n, ".infprof"))
                        return path;
        }
        return NULL;
}

/* The file and what may lie beside it. */
static int remove_run(const char *id, const char *file)
{
        static const char *const suffixes[] = {"-wal", "-shm", "-journal"};

        if (unlink(file) < 0) {
                cmd_error("runs", "cannot remove %s (%s): %s", id, file, strerror(errno));
                return CMD_NO;
        }
        for (size_t i = 0; i < 3; i++) {
                _cleanup_(freep) char *name = NULL;

                if (asprintf(&name, "%s%s", file, suffixes[i]) >= 0)
                        unlink(name);
        }
        return CMD_DONE;
}

static int remove_runs(char *const *ids)
{
        _cleanup_(json_decrefp) json_t *list = NULL;
        const json_t *runs;
        int worst = CMD_DONE, r = run_find_all("runs", &list);

        if (r)
                return r;
        runs = json_object_get(list, "runs");
        for (; *ids; ids++) {
                const json_t *run = find_run(runs, *ids);
                const char *file = run ? text_string(run, "file", NULL)
                                       : find_unreadable(json_object_get(list, "unreadable"), *ids);

                if (!file) {
                        cmd_error("runs", "no run named %s; infprof runs lists them", *ids);
                        r = CMD_NOTHING;
                } else if (json_is_true(json_object_get(run, "live"))) {
                        cmd_error("runs", "%s goes on (pid %.0f) and is not removed; end it first",
                                  *ids, text_number(run, "pid"));
                        r = CMD_NO;
                } else {
                        r = remove_run(*ids, file);
                }
                if (r > worst)
                        worst = r;
        }
        return worst;
}

int cmd_runs(int argc, char **argv)
{
        bool as_json = false;
        int code;

        if (!cmd_json_option(argc, argv, false, usage, &as_json, &code))
                return code;
        text_init();
        if (optind == argc)
                return list_runs(as_json);
        if (strcmp(argv[optind], "rm"))
                return cmd_extra_operand(argv, argv[optind]);
        if (++optind == argc) {
                cmd_error("runs", "rm needs the id of a run; infprof runs lists them");
                return CMD_USAGE;
        }
        return remove_runs(argv + optind);
}
