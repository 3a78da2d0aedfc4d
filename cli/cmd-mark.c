/* SPDX-License-Identifier: MIT */
/*
 * infprof mark: puts a named instant into runs that go on, so that memory between two of them
 * can be asked for.
 */
#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/api-client.h"
#include "cli/daemon-start.h"
#include "cli/text.h"
#include "cli/view.h"
#include "common/cleanup.h"
#include "common/fmt.h"

static void usage(void)
{
        puts("usage: infprof mark [--run RUN | --pid PID] [--json] NAME\n"
             "\n"
             "Puts an instant named NAME into one run or process, or into all that are being "
             "profiled.\n"
             "Memory from one mark on, or up to one, is shown by: infprof memory --from NAME --to "
             "NAME\n"
             "A name may be used again; then the last of it counts.\n"
             "\n"
             "      --run RUN   the run of this id\n"
             "      --pid PID   the process of this number\n"
             "  -j, --json      the answer as JSON (infprof.mark/1)\n"
             "  -h, --help      this help\n"
             "\n"
             "Exit codes: 0 done, 2 usage, 3 no such engine, or none is being profiled.");
}

/* "/v1/mark?name=NAME&run=ID", to be freed. */
static char *path_of(const char *name, const char *run, bool is_pid)
{
        _cleanup_(freep) char *escaped = api_escape(name), *id = run ? api_escape(run) : NULL;
        char *path;

        if (!escaped || (run && !id) ||
            asprintf(&path, "/v1/mark?name=%s%s%s%s", escaped, run ? "&run=" : "",
                     run && is_pid ? "pid:" : "", run ? id : "") < 0)
                return NULL;
        return path;
}

/* A line a process. */
static int print_answer(const json_t *answer)
{
        const json_t *mark;
        char at[FMT_SIZE];
        size_t i;

        json_array_foreach(json_object_get(answer, "marked"), i, mark)
        {
                _cleanup_(freep) char *name = text_clean(text_string(mark, "name", "?"), 1u << 16);
                _cleanup_(freep) char *run = text_clean(text_string(mark, "run", "?"), 1u << 16);

                printf("%s in run %s, pid %.0f, after %s\n", name ? name : "?", run ? run : "?",
                       text_number(mark, "pid"), view_figure(at, mark, "at_ns", fmt_ns));
        }
        return cmd_finish("mark", CMD_DONE);
}

static int mark(const char *name, const char *run, bool is_pid, bool as_json)
{
        _cleanup_(freep) char *path = path_of(name, run, is_pid);
        _cleanup_(json_decrefp) json_t *answer = NULL;
        char *why = NULL;
        int r;

        if (!path) {
                cmd_error("mark", "out of memory");
                return CMD_NO;
        }
        r = daemon_ensure(&why);
        if (!r)
                r = api_send("POST", path, NULL, &answer, &why);
        if (r)
                return api_failed("mark", r, why);
        if (!json_array_size(json_object_get(answer, "marked"))) {
                cmd_error("mark", "no engine is being profiled; infprof record CMD... starts one");
                return CMD_NOTHING;
        }
        return as_json ? cmd_print_json("mark", answer) : print_answer(answer);
}

int cmd_mark(int argc, char **argv)
{
        static const struct option options[] = {{"run", required_argument, NULL, 'r'},
                                                {"pid", required_argument, NULL, 'p'},
                                                {"json", no_argument, NULL, 'j'},
                                                {"help", no_argument, NULL, 'h'},
                                                {}};
        const char *name = NULL, *run = NULL, *pid = NULL;
        bool as_json = false;
        int o;

        opterr = 0;
        while ((o = getopt_long(argc, argv, ":jh", options, NULL)) != -1) {
                switch (o) {
                case 'r':
                        run = optarg;
                        break;
                case 'p':
                        pid = optarg;
                        break;
                case 'j':
                        as_json = true;
                        break;
                case 'h':
                        usage();
                        return CMD_DONE;
                default:
                        return cmd_bad_option(argc, argv, o);
                }
        }
        if (cmd_operand(argc, argv, &name))
                return CMD_USAGE;
        if (!name || !*name) {
                cmd_error("mark", "which name? infprof mark NAME");
                return CMD_USAGE;
        }
        if (run && pid) {
                cmd_error("mark", "--run and --pid exclude each other; choose one");
                return CMD_USAGE;
        }
        if (pid && (!*pid || pid[strspn(pid, "0123456789")])) {
                cmd_error("mark", "--pid cannot be %s; it is the number of a process", pid);
                return CMD_USAGE;
        }
        return mark(name, pid ? pid : run, pid != NULL, as_json);
}
