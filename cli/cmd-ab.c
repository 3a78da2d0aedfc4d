/* SPDX-License-Identifier: MIT */
/*
 * infprof ab: two commands, run in turns, kept as two sets of runs, and compared.
 */
#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ab.h"
#include "cli/diff-show.h"
#include "cli/screen.h"
#include "cli/text.h"
#include "cli/units.h"
#include "common/cleanup.h"

#define RUNS      10
#define MOST_RUNS 10000

static void usage(void)
{
        puts("usage: infprof ab [OPTION...] [--] CMD_A [ARG...] --- CMD_B [ARG...]\n"
             "\n"
             "Runs both commands again and again, in turns (A B B A), keeps the runs in two "
             "folders,\n"
             "and compares them as infprof diff does.\n"
             "\n"
             "  -r, --runs N      runs of each: 10 by default; 4 is the least that can tell "
             "anything\n"
             "  -w, --warmup N    runs of each before those that count; 1\n"
             "      --max-time T  a run that takes longer (10s, 2min) is stopped and has failed\n"
             "  -o, --output DIR  a new folder: DIR/a, DIR/b. Unless told, infprof-ab-TIME here\n"
             "      --bare        without the profiler: wall time alone\n"
             "  -k, --kernels SPEC, --op DECLARATION, --op-file FILE, --heap-interval N,\n"
             "      --waits on|off, --kernel on|off, --allocator NAME\n"
             "                    as with infprof record, for both\n"
             "      --by WHAT     token (default, where both make some) or wall\n"
             "  -n, --rows N      at most so many rows of each table, 0 = all\n"
             "  -j, --json        the document (infprof.diff/1)\n"
             "  -h, --help        this help\n"
             "\n"
             "The commands have no terminal and an empty standard input; what they write is "
             "dropped.\n"
             "When infprof is interrupted, what was measured is there: infprof diff DIR/a DIR/b.\n"
             "\n"
             "Exit codes: 0 done, 1 no run of a side succeeded or nothing could be kept, 2 usage, "
             "3\n"
             "there is no such command or it cannot be run, 128 and the signal when interrupted.");
}

static int no_value(const char *option, const char *wanted)
{
        cmd_error("ab", "%s cannot be '%s'; it is %s", option, optarg, wanted);
        return CMD_USAGE;
}

/* An option of infprof record, and its value. */
static int pass_on(struct ab_options *o, const char *option)
{
        char **more = reallocarray(o->record_args, o->n_record_args + 3, sizeof(*more));

        if (!more) {
                cmd_error("ab", "out of memory");
                return CMD_NO;
        }
        o->record_args = more;
        more[o->n_record_args++] = (char *)option;
        more[o->n_record_args++] = optarg;
        more[o->n_record_args] = NULL;
        return -1;
}

static const struct option options[] = {{"runs", required_argument, NULL, 'r'},
                                        {"warmup", required_argument, NULL, 'w'},
                                        {"max-time", required_argument, NULL, 't'},
                                        {"output", required_argument, NULL, 'o'},
                                        {"bare", no_argument, NULL, 'b'},
                                        {"by", required_argument, NULL, 'y'},
                                        {"rows", required_argument, NULL, 'n'},
                                        {"json", no_argument, NULL, 'j'},
                                        {"help", no_argument, NULL, 'h'},
                                        {"kernels", required_argument, NULL, 'k'},
                                        {"op", required_argument, NULL, 1},
                                        {"op-file", required_argument, NULL, 2},
                                        {"heap-interval", required_argument, NULL, 3},
                                        {"waits", required_argument, NULL, 4},
                                        {"kernel", required_argument, NULL, 5},
                                        {"allocator", required_argument, NULL, 6},
                                        {}};

static int take_by(struct ab_options *o)
{
        o->by = !strcmp(optarg, "wall") ? DIFF_BY_WALL : DIFF_BY_TOKENS;
        if (o->by == DIFF_BY_WALL || !strcmp(optarg, "token"))
                return -1;
        return no_value("--by", "token or wall");
}

static int take(struct ab_options *o, int option, int argc, char **argv)
{
        static const char *const passed[] = {NULL,      "--op",     "--op-file",  "--heap-interval",
                                             "--waits", "--kernel", "--allocator"};

        switch (option) {
        case 'r':
                return units_count(optarg, 1, MOST_RUNS, &o->runs)
                               ? -1
                               : no_value("--runs", "a number of runs from 1 to 10000");
        case 'w':
                return units_count(optarg, 0, MOST_RUNS, &o->warmup)
                               ? -1
                               : no_value("--warmup", "a number of runs from 0 to 10000");
        case 't':
                return units_time(optarg, &o->time_ns) && o->time_ns
                               ? -1
                               : no_value("--max-time", "a time above 0, as in 10s, 500ms or 2min");
        case 'o':
                o->output = optarg;
                return *optarg ? -1 : no_value("--output", "the name of a new folder");
        case 'b':
                o->bare = true;
                return -1;
        case 'y':
                return take_by(o);
        case 'n':
                return cmd_take_rows("ab", optarg, &o->rows) ? CMD_USAGE : -1;
        case 'j':
                o->as_json = true;
                return -1;
        case 'h':
                usage();
                return cmd_finish("ab", CMD_DONE);
        case 'k':
                return pass_on(o, "--kernels");
        default:
                return option >= 1 && option <= 6 ? pass_on(o, passed[option])
                                                  : cmd_bad_option(argc, argv, option);
        }
}

/* At "---"; NULL: there is none. */
static char **find_bar(char **argv)
{
        while (*argv && strcmp(*argv, "---") != 0)
                argv++;
        return *argv ? argv : NULL;
}

int ab_parse(struct ab_options *ret, int argc, char **argv)
{
        int option, r = -1;
        char **bar;

        *ret = (struct ab_options){.runs = RUNS, .warmup = 1, .rows = SCREEN_FIT};
        opterr = 0;
        while (r < 0 && (option = getopt_long(argc, argv, "+:r:w:o:n:k:jh", options, NULL)) != -1)
                r = take(ret, option, argc, argv);
        if (r >= 0)
                return r;
        bar = find_bar(argv + optind);
        if (!bar || bar == argv + optind || !bar[1]) {
                cmd_error("ab", "which two commands? infprof ab -- CMD_A --- CMD_B");
                return CMD_USAGE;
        }
        if (find_bar(bar + 1)) {
                cmd_error("ab", "there are more than two commands: --- stands between two");
                return CMD_USAGE;
        }
        if (ret->bare && ret->n_record_args) {
                cmd_error("ab", "%s is for the profiler, and --bare is without it",
                          ret->record_args[0]);
                return CMD_USAGE;
        }
        *bar = NULL;
        ret->argv[0] = argv + optind;
        ret->argv[1] = bar + 1;
        return -1;
}

void ab_options_done(struct ab_options *o)
{
        free(o->record_args);
}

/* --- what came of it --- */

static int say_interrupted(const struct ab *ab)
{
        char kept[4200];

        ab_say_kept(ab, kept, sizeof(kept));
        if (ab->sides[0].n && ab->sides[1].n)
                cmd_error("ab", "interrupted: %s", kept);
        else
                cmd_error("ab", "interrupted before each command had run once%s%s",
                          ab->sides[0].n || ab->sides[1].n ? "; " : "",
                          ab->sides[0].n || ab->sides[1].n ? kept : "");
        return 128 + ab->signal;
}

static int say_none(const struct ab *ab, int side)
{
        const struct ab_side *s = &ab->sides[side];
        const struct trial *last = &s->runs[s->n - 1].trial;
        char how[160];

        trial_say_end(last, &(struct trial_options){.time_ns = ab->options->time_ns}, how,
                      sizeof(how));
        cmd_error("ab", "no run of %c succeeded, of %zu; the last: %s%s%s%s", "AB"[side], s -> n,
                  how, last -> last_words[0] ? ", with \"" : "", last->last_words,
                  last->last_words[0] ? "\"" : "");
        return CMD_NO;
}

static int finish(const struct ab *ab)
{
        const struct ab_options *o = ab->options;
        int r;

        if (ab->signal)
                return say_interrupted(ab);
        for (int side = 0; side < 2; side++)
                if (ab->sides[side].n_failed == ab->sides[side].n)
                        return say_none(ab, side);
        for (int side = 0; side < 2; side++)
                if (ab->sides[side].n_failed)
                        cmd_error("ab", "%zu of %zu runs of %c failed, and are left out",
                                  ab->sides[side].n_failed, ab->sides[side].n, "AB"[side]);
        if (ab->trouble[0])
                cmd_error("ab", "%s", ab->trouble);
        r = diff_show(&(struct diff_request){.verb = "ab",
                                             .a = ab->sides[0].folder,
                                             .b = ab->sides[1].folder,
                                             .by = o->by,
                                             .as_json = o->as_json,
                                             .rows = o->rows});
        if (!r)
                fprintf(stderr,
                        "infprof: the runs are kept in %s; read them again with: infprof diff %s/a "
                        "%s/b\n",
                        ab->folder, ab->folder, ab->folder);
        return r;
}

int cmd_ab(int argc, char **argv)
{
        struct ab_options o;
        struct ab ab = {0};
        int r = ab_parse(&o, argc, argv);

        if (r < 0) {
                text_init();
                r = ab_run(&ab, &o);
                if (!r)
                        r = finish(&ab);
                ab_done(&ab);
        }
        ab_options_done(&o);
        return r;
}
