/* SPDX-License-Identifier: MIT */
/* Whether what was asked of a sweep goes together, and can be done here: before the first run. */
#include "cli/sweep-options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/exe-check.h"
#include "cli/record-options.h"
#include "cli/sweep-place.h"
#include "common/cleanup.h"

static int wrong(const char *why)
{
        cmd_error("sweep", "%s", why ? why : "out of memory");
        return why ? CMD_USAGE : CMD_NO;
}

static int check_names(const struct sweep *s)
{
        size_t p = s->units ? sweep_grid_find(&s->grid, s->units) : 0;

        if (s->compare && sweep_grid_find(&s->grid, s->compare) == SIZE_MAX) {
                cmd_error("sweep", "--compare: no parameter is named %s", s->compare);
                return CMD_USAGE;
        }
        if (s->compare && s->grid.parameters[sweep_grid_find(&s->grid, s->compare)].n < 2) {
                cmd_error("sweep", "--compare: %s has one value, and two are needed", s->compare);
                return CMD_USAGE;
        }
        if (s->units && (p == SIZE_MAX || !sweep_grid_numeric(&s->grid, p, NULL) ||
                         strtod(s->grid.parameters[p].values[0], NULL) <= 0)) {
                cmd_error("sweep", "--units: no parameter named %s has numbers above 0 that ascend",
                          s->units);
                return CMD_USAGE;
        }
        if (s->bare && (s->metric == SWEEP_TOKENS || s->metric == SWEEP_REQUESTS)) {
                cmd_error("sweep", "--metric %s is told by the profiler, and --bare is without it",
                          sweep_metrics[s->metric]);
                return CMD_USAGE;
        }
        if (s->bare && s->record[0]) {
                cmd_error("sweep", "%s is of runs under the profiler, and --bare has none",
                          s->record[0]);
                return CMD_USAGE;
        }
        return -1;
}

/* Every name in the command is a parameter, and every parameter is somewhere. */
static int check_words(const struct sweep *s)
{
        bool used[32] = {0};
        char **words = NULL;
        _cleanup_(freep) char *why = NULL;
        int r = sweep_words(&s->grid, 0, s->argv, used, &words, &why);

        words = sweep_words_free(words);
        if (!r)
                r = sweep_words(&s->grid, 0, s->env, used, &words, &why);
        sweep_words_free(words);
        if (r)
                return wrong(why);
        for (size_t i = 0; i < s->grid.n; i++)
                if (!used[i] && s->grid.parameters[i].kind == SWEEP_PLAIN) {
                        const char *name = s->grid.parameters[i].name;

                        cmd_error("sweep",
                                  "nothing uses {%s}: put it into the command, or into its "
                                  "environment (-E NAME={%s})",
                                  name, name);
                        return CMD_USAGE;
                }
        return -1;
}

static int check_places(const struct sweep *s)
{
        for (size_t i = 0; i < sweep_grid_points(&s->grid); i++) {
                _cleanup_(freep) char *why = NULL;
                struct sweep_place place;

                if (sweep_place(&place, &s->grid, i, &why))
                        return wrong(why);
        }
        return -1;
}

/* As infprof record will read them. */
static int check_record(const struct sweep *s)
{
        struct record_options o;
        char **words = NULL;
        int r = sweep_add_word(&words, "record");

        for (char **w = s->record; r < 0 && *w; w++)
                r = sweep_add_word(&words, *w);
        if (r < 0)
                r = sweep_add_word(&words, "--");
        if (r < 0)
                r = sweep_add_word(&words, "true");
        if (r < 0) {
                int n = 0;

                while (words[n])
                        n++;
                optind = 0;
                r = record_parse(&o, n, words);
                record_options_done(&o);
        }
        sweep_words_free(words);
        return r;
}

/* The program, where it is the same for all points. */
static int check_program(const struct sweep *s)
{
        bool used[32] = {0}, any = false;
        char *first[] = {s->argv[0], NULL}, **words = NULL;
        _cleanup_(freep) char *why = NULL, *exe = NULL;
        int r = sweep_words(&s->grid, 0, first, used, &words, &why);

        for (size_t i = 0; i < s->grid.n; i++)
                any |= used[i];
        if (!r && !any && words[0]) {
                int e = exe_find(words[0], &exe);

                if (e)
                        cmd_error("sweep", "cannot run %s: %s", words[0],
                                  e == -ENOENT ? "no such command" : strerror(-e));
                r = e ? CMD_NOTHING : 0;
        }
        sweep_words_free(words);
        return r ? r : -1;
}

int sweep_check(const struct sweep *s)
{
        int code;

        if (!s->argv[0]) {
                cmd_error("sweep", "which command? infprof sweep --threads 1,2,4 -- CMD -t "
                                   "{threads}");
                return CMD_USAGE;
        }
        if (!s->grid.n) {
                cmd_error("sweep", "over what? --threads 1,2,4, -P NAME=V,V,..., --cpus or --numa");
                return CMD_USAGE;
        }
        code = check_words(s);
        if (code < 0)
                code = check_names(s);
        if (code < 0)
                code = check_places(s);
        if (code < 0 && s->record[0])
                code = check_record(s);
        return code < 0 ? check_program(s) : code;
}
