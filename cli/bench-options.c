/* SPDX-License-Identifier: MIT */
/* The command line of infprof bench. */
#include "cli/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/units.h"

#define MOST_RUNS 100000

const char *const bench_work_names[BENCH_N_WORK] = {"requests", "tokens", "characters", "batches"};

static void usage(void)
{
        puts("usage: infprof bench [OPTION...] [--] CMD [ARG...]\n"
             "\n"
             "Runs CMD again and again, and says how long it takes and how surely that is\n"
             "known. With --per, runs it once, under the profiler, and says so of what it does\n"
             "again and again, so that loading a model is paid once.\n"
             "\n"
             "  -w, --warmup N         runs (or iterations) before those that count; 1\n"
             "  -r, --runs N           how many count: by default as many as take 5 s, but\n"
             "                         from 10 to 100; with --per all there are\n"
             "      --max-time T       a run that takes longer (10s, 500ms, 2min) is stopped,\n"
             "                         with all its processes, and has failed\n"
             "      --memory-limit N   the same of resident memory (8G, 500M)\n"
             "      --budget T         no run begins after so long\n"
             "  -s, --until-stable[=SHARE]\n"
             "                         until the 95 % interval of the median is narrower than\n"
             "                         so much of it (2%), or --runs are done (100)\n"
             "  -p, --per WHAT         token, graph, op NAME or marker NAME\n"
             "      --kernels SPEC     functions to time, as infprof record has it\n"
             "      --profile          each run under the profiler: tokens and counters are\n"
             "                         known\n"
             "      --work WHAT=N,...  what CMD does in a run: requests, tokens, characters,\n"
             "                         batches\n"
             "  -o, --export FILE      the document (infprof.bench/1) also to FILE\n"
             "  -j, --json             the document instead of the table\n"
             "  -h, --help             this help\n"
             "\n"
             "CMD has no terminal, an empty standard input, and a session of its own. What was\n"
             "measured is told also when infprof is interrupted.\n"
             "\n"
             "Exit codes: 0 some run succeeded, 1 none did, 2 usage, 3 there is no such\n"
             "command or it cannot be run, 128 and the signal when interrupted.");
}

static int no_value(const char *option, const char *value, const char *wanted)
{
        cmd_error("bench", "%s cannot be '%s'; it is %s", option, value, wanted);
        return CMD_USAGE;
}

static int take_time(const char *option, uint64_t *ret)
{
        if (units_time(optarg, ret) && *ret)
                return -1;
        return no_value(option, optarg, "a time above 0, as in 10s, 500ms or 2min");
}

static int take_runs(struct bench_options *o)
{
        if (units_count(optarg, 1, MOST_RUNS, &o->runs))
                return -1;
        return no_value("--runs", optarg, "a number of runs from 1 to 100000");
}

static int take_stable(struct bench_options *o)
{
        o->stable = 0.02;
        if (!optarg || (units_share(optarg, &o->stable) && o->stable > 0 && o->stable < 1))
                return -1;
        return no_value("--until-stable", optarg, "a share of the median, as in 2% or 0.02");
}

/* NAME is the next word, or stands behind a colon. */
static int take_per(struct bench_options *o, int argc, char **argv)
{
        static const char *const named[] = {[BENCH_OP] = "op", [BENCH_MARKER] = "marker"};

        o->name = NULL;
        if (!strcmp(optarg, "token") || !strcmp(optarg, "graph")) {
                o->per = optarg[0] == 't' ? BENCH_TOKEN : BENCH_GRAPH;
                return -1;
        }
        for (int i = BENCH_OP; i <= BENCH_MARKER; i++) {
                size_t n = strlen(named[i]);

                if (strncmp(optarg, named[i], n) != 0 || (optarg[n] && optarg[n] != ':'))
                        continue;
                o->per = i;
                if (optarg[n])
                        o->name = optarg + n + 1;
                else if (optind < argc && strcmp(argv[optind], "--") != 0)
                        o->name = argv[optind++];
                if (o->name && *o->name)
                        return -1;
                cmd_error("bench", "--per %s: which? give its name behind it", named[i]);
                return CMD_USAGE;
        }
        return no_value("--per", optarg, "token, graph, op NAME or marker NAME");
}

static int take_work(struct bench_options *o)
{
        const char *at = optarg;

        while (*at) {
                size_t n = strcspn(at, ","), i = 0;
                const char *equals = memchr(at, '=', n);
                char *end;

                while (equals && i < BENCH_N_WORK &&
                       (strlen(bench_work_names[i]) != (size_t)(equals - at) ||
                        strncmp(bench_work_names[i], at, (size_t)(equals - at)) != 0))
                        i++;
                if (!equals || i == BENCH_N_WORK)
                        break;
                o->work[i] = strtod(equals + 1, &end);
                if (end != at + n || end == equals + 1 || !isfinite(o->work[i]) || o->work[i] <= 0)
                        break;
                at += n + (at[n] == ',');
        }
        if (!*at && *optarg)
                return -1;
        return no_value("--work", optarg,
                        "requests, tokens, characters or batches with = and a number above 0, as "
                        "in tokens=32,batches=4");
}

static int take(struct bench_options *o, int option, int argc, char **argv)
{
        switch (option) {
        case 'w':
                if (units_count(optarg, 0, MOST_RUNS, &o->warmup))
                        return -1;
                return no_value("--warmup", optarg, "a number of runs from 0 to 100000");
        case 'r':
                return take_runs(o);
        case 't':
                return take_time("--max-time", &o->max_time_ns);
        case 'm':
                if (units_bytes(optarg, &o->memory_bytes) && o->memory_bytes)
                        return -1;
                return no_value("--memory-limit", optarg, "a size above 0, as in 8G or 500M");
        case 'b':
                return take_time("--budget", &o->budget_ns);
        case 's':
                return take_stable(o);
        case 'p':
                return take_per(o, argc, argv);
        case 'K':
                o->kernels = optarg;
                return -1;
        case 'P':
                o->profile = true;
                return -1;
        case 'k':
                return take_work(o);
        case 'o':
                o->export = optarg;
                return -1;
        case 'j':
                o->as_json = true;
                return -1;
        case 'h':
                usage();
                return cmd_finish("bench", CMD_DONE);
        default:
                return cmd_bad_option(argc, argv, option);
        }
}

int bench_parse(struct bench_options *ret, int argc, char **argv)
{
        static const struct option options[] = {{"warmup", required_argument, NULL, 'w'},
                                                {"runs", required_argument, NULL, 'r'},
                                                {"max-time", required_argument, NULL, 't'},
                                                {"memory-limit", required_argument, NULL, 'm'},
                                                {"budget", required_argument, NULL, 'b'},
                                                {"until-stable", optional_argument, NULL, 's'},
                                                {"per", required_argument, NULL, 'p'},
                                                {"kernels", required_argument, NULL, 'K'},
                                                {"profile", no_argument, NULL, 'P'},
                                                {"work", required_argument, NULL, 'k'},
                                                {"export", required_argument, NULL, 'o'},
                                                {"json", no_argument, NULL, 'j'},
                                                {"help", no_argument, NULL, 'h'},
                                                {}};
        int option, code;

        *ret = (struct bench_options){.warmup = 1, .work = {NAN, NAN, NAN, NAN}};
        opterr = 0;
        while ((option = getopt_long(argc, argv, "+:w:r:sp:o:jh", options, NULL)) != -1) {
                code = take(ret, option, argc, argv);
                if (code >= 0)
                        return code;
        }
        if (optind >= argc) {
                cmd_error("bench", "which command? infprof bench [OPTION...] [--] CMD [ARG...]");
                return CMD_USAGE;
        }
        ret->argv = argv + optind;
        return -1;
}

const char *bench_per_text(char *buf, const struct bench_options *o)
{
        static const char *const names[] = {"process", "token", "graph", "op ", "marker "};

        snprintf(buf, 160, "%s%s", names[o->per], o->name ? o->name : "");
        return buf;
}
