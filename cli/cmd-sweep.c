/* SPDX-License-Identifier: MIT */
/*
 * infprof sweep: a command with each combination of values of its parameters, and what follows.
 * What is shown is what the folder of the sweep tells, so --show and an interrupted sweep say the
 * same as one that ran to its end.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "cli/out-file.h"
#include "cli/sweep-document.h"
#include "cli/sweep-go.h"
#include "cli/sweep-options.h"
#include "cli/sweep-view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/paths.h"

static int out_of_memory(void)
{
        cmd_error("sweep", "out of memory");
        return CMD_NO;
}

/* ---- the folder ------------------------------------------------------------------------ */

static int cannot(const char *what, const char *folder)
{
        cmd_error("sweep", "cannot %s %s: %s", what, folder, strerror(errno));
        return CMD_NO;
}

/* STATE/sweeps/DATE-TIME-PID */
static int make_folder(char **ret)
{
        _cleanup_(freep) char *runs = NULL, *why = NULL, *all = NULL;
        time_t now = time(NULL);
        char stamp[32];
        struct tm tm;
        char *slash;

        if (ifp_state_dir(true, &runs, &why)) {
                cmd_error("sweep", "%s", why ? why : "out of memory");
                return CMD_NO;
        }
        slash = strrchr(runs, '/');
        *slash = '\0';
        localtime_r(&now, &tm);
        strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
        if (asprintf(&all, "%s/sweeps", runs) < 0 ||
            asprintf(ret, "%s/%s-%ld", all, stamp, (long)getpid()) < 0)
                return out_of_memory();
        if ((mkdir(all, 0700) < 0 && errno != EEXIST) || mkdir(*ret, 0700) < 0)
                return cannot("make", *ret);
        return 0;
}

/* That of -o: made, or there and without a sweep in it. */
static int take_folder(const char *folder, char **ret)
{
        _cleanup_(freep) char *state = NULL;

        if (!folder)
                return make_folder(ret);
        if (mkdir(folder, 0755) < 0 && errno != EEXIST)
                return cannot("make", folder);
        if (asprintf(&state, "%s/sweep.json", folder) < 0)
                return out_of_memory();
        if (!access(state, F_OK)) {
                cmd_error("sweep",
                          "there is a sweep in %s; go on with it (--resume %s), or choose another "
                          "folder",
                          folder, folder);
                return CMD_USAGE;
        }
        *ret = realpath(folder, NULL);
        return *ret ? 0 : cannot("use", folder);
}

static void note_surroundings(struct sweep *s)
{
        struct utsname u;
        struct timespec now;
        struct tm tm;
        char text[40];

        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &tm);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
        if (asprintf(&s->started_at, "%s.%06ldZ", text, now.tv_nsec / 1000) < 0)
                s->started_at = NULL;
        if (uname(&u) < 0 || asprintf(&s->machine, "%s, %ld CPUs, %s %s", u.machine,
                                      sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release) < 0)
                s->machine = NULL;
}

/* ---- going on --------------------------------------------------------------------------- */

static bool same_words(char *const *a, char *const *b)
{
        for (; *a && *b; a++, b++)
                if (strcmp(*a, *b) != 0)
                        return false;
        return !*a && !*b;
}

static bool same_grid(const struct sweep_grid *a, const struct sweep_grid *b)
{
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++) {
                const struct sweep_parameter *p = &a->parameters[i], *q = &b->parameters[i];

                if (strcmp(p->name, q->name) != 0 || p->kind != q->kind || p->n != q->n)
                        return false;
                for (size_t v = 0; v < p->n; v++)
                        if (strcmp(p->values[v], q->values[v]) != 0)
                                return false;
        }
        return true;
}

static int load(struct sweep *s, const char *folder)
{
        _cleanup_(freep) char *why = NULL;
        int r = sweep_load(s, folder, &why);

        if (!r)
                return 0;
        cmd_error("sweep", "%s", why ? why : strerror(-r));
        return r == -ENOMEM ? CMD_NO : CMD_NOTHING;
}

/* The sweep that is in the folder; what was typed beside it has to be the same. */
static int load_again(struct sweep_request *request, char **ret_folder)
{
        struct sweep found;
        int r = load(&found, request->resume);

        if (!r && request->has_command &&
            (!same_words(found.argv, request->sweep.argv) ||
             !same_words(found.env, request->sweep.env) ||
             (request->sweep.grid.n && !same_grid(&found.grid, &request->sweep.grid)))) {
                _cleanup_(freep) char *line = sweep_command_line(found.env, found.argv);

                cmd_error("sweep",
                          "the sweep in %s is of another command or other values: %s; leave them "
                          "out to go on with it",
                          request->resume, line ? line : "?");
                r = CMD_USAGE;
        }
        if (!r && !(*ret_folder = realpath(request->resume, NULL)))
                r = cannot("use", request->resume);
        if (r) {
                sweep_done(&found);
                return r;
        }
        sweep_done(&request->sweep);
        request->sweep = found;
        return 0;
}

/* ---- showing ---------------------------------------------------------------------------- */

static int draw(const char *path, const json_t *document)
{
        _cleanup_(freep) char *text = NULL;
        size_t bytes = 0;
        FILE *out = open_memstream(&text, &bytes);
        int r;

        if (!out)
                return out_of_memory();
        r = sweep_svg(out, document);
        if (fclose(out) == EOF || r < 0)
                return out_of_memory();
        if (r) {
                cmd_error("sweep", "there is nothing to draw: no run succeeded");
                return CMD_NO;
        }
        return out_file_write("sweep", path, text, bytes);
}

static int show(const struct sweep_request *request, const char *folder)
{
        _cleanup_(json_decrefp) json_t *document = sweep_document(&request->sweep, folder);
        bool none, to_stdout = request->svg && !strcmp(request->svg, "-");
        int r = 0;

        if (!document)
                return out_of_memory();
        none = json_is_null(json_object_get(document, "best"));
        if (request->as_json)
                r = cmd_print_json("sweep", document);
        else if (!to_stdout)
                r = sweep_print(document, request->rows) ? cmd_finish("sweep", CMD_DONE)
                                                         : out_of_memory();
        if (!r && request->svg)
                r = draw(request->svg, document);
        return r ? r : none ? CMD_NO : CMD_DONE;
}

static int go(struct sweep_request *request, char **folder)
{
        int signal = 0, r;

        r = request->resume ? load_again(request, folder) : take_folder(request->folder, folder);
        if (r)
                return r;
        if (!request->resume)
                note_surroundings(&request->sweep);
        if (sweep_go(&request->sweep, *folder, &signal) < 0)
                return CMD_NO;
        r = show(request, *folder);
        if (signal) {
                cmd_error("sweep", "interrupted; to go on: infprof sweep --resume %s", *folder);
                return 128 + signal;
        }
        return r;
}

int cmd_sweep(int argc, char **argv)
{
        _cleanup_(freep) char *folder = NULL;
        struct sweep_request request;
        int r;

        text_init();
        r = sweep_parse(&request, argc, argv);
        if (r < 0 && request.show) {
                sweep_done(&request.sweep);
                r = load(&request.sweep, request.show);
                if (!r)
                        r = show(&request, request.show);
        } else if (r < 0) {
                r = go(&request, &folder);
        }
        sweep_done(&request.sweep);
        return r;
}
