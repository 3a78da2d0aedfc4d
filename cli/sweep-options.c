/* SPDX-License-Identifier: MIT */
/*
 * The command line of infprof sweep. What would keep every run from being made is refused here,
 * before the first.
 */
#include "cli/sweep-options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/cmd.h"
#include "cli/screen.h"
#include "cli/units.h"
#include "common/cleanup.h"

#define RUNS   5
#define WARMUP 1
#define CUT    4.0
#define WITHIN 0.05

static void usage(void)
{
        puts("usage: infprof sweep [OPTION...] [--] [NAME=VALUE...] CMD [ARG...]\n"
             "       infprof sweep --resume FOLDER\n"
             "       infprof sweep --show FOLDER [--json | --svg FILE]\n"
             "\n"
             "Runs CMD with each combination of values, {name} standing for a value, and\n"
             "says which is best, how surely, where more brings no more, and why:\n"
             "\n"
             "    infprof sweep --threads 1,2,4,8 -- ./engine -t {threads}\n"
             "    infprof sweep --threads 1,2,...,8 -- OMP_NUM_THREADS={threads} ./engine\n"
             "    infprof sweep -P work=fine,coarse -P n=1,2,4,...,128 --compare work -- \\\n"
             "        ./engine --work {work} -n {n}\n"
             "\n"
             "  -P, --param NAME=V,V,...  a parameter; \\, is a comma within a value, and\n"
             "                         {NAME...} as many words as its value has\n"
             "      --threads V,V,...  the same as -P threads=V,V,...\n"
             "      --cpus SET,...     CPUs that CMD may use: 0,0-1,0-1+4\n"
             "      --numa POLICY,...  default, local, interleave[:NODES], preferred:NODE,\n"
             "                         bind:NODES\n"
             "  -E, --env NAME=VALUE   in CMD's environment, {name} as above\n"
             "  -r, --runs N           of each combination at most (5)\n"
             "  -w, --warmup N         runs that do not count, before all (1)\n"
             "      --max-time T       a run that takes longer (10s, 500ms) is stopped, and\n"
             "                         has failed\n"
             "      --memory-limit N   the same of resident memory (8G)\n"
             "      --full             no combination is stopped early, no run is cut\n"
             "      --cut N            a run is cut when it takes N times what the best took\n"
             "                         of those that do the same work (4; off)\n"
             "      --seed N           of the order of runs\n"
             "      --metric WHAT      what throughput is: tokens, requests or wall; by\n"
             "                         default the first that all runs tell\n"
             "      --units NAME       the parameter that says how much work a run does\n"
             "      --compare NAME     where which value of this parameter wins\n"
             "      --within SHARE     as good as the best is what comes so near (5%)\n"
             "      --bare             not under the profiler: by wall time, without reasons\n"
             "  -o, --output FOLDER    where the sweep and its runs are kept\n"
             "      --resume FOLDER    go on with a sweep that was interrupted\n"
             "      --show FOLDER      what is known of a sweep; nothing is run\n"
             "      --svg FILE         the plot as a picture (-: to stdout, no table)\n"
             "  -n, --rows N           rows of the table; 0: all\n"
             "  -j, --json             the whole document (infprof.sweep/1)\n"
             "  -h, --help             this help\n"
             "\n"
             "Options of infprof record, for each run: -k, --kernels SPEC; --kernels-level,\n"
             "--op, --op-file, --heap-interval, --allocator, --waits, --kernel, --offcpu.\n"
             "\n"
             "Exit codes: 0 some run succeeded, 1 none did, 2 usage, 3 there is no such\n"
             "command or sweep, 128 and the signal when interrupted.");
}

static int wrong(const char *why)
{
        cmd_error("sweep", "%s", why ? why : "out of memory");
        return why ? CMD_USAGE : CMD_NO;
}

static int no_value(const char *option, const char *wanted)
{
        cmd_error("sweep", "%s cannot be '%s'; it is %s", option, optarg, wanted);
        return CMD_USAGE;
}

int sweep_add_word(char ***words, const char *word)
{
        size_t n = 0;
        char **more;

        while (*words && (*words)[n])
                n++;
        more = realloc(*words, (n + 2) * sizeof(*more));
        if (!more)
                return wrong(NULL);
        *words = more;
        more[n] = strdup(word);
        more[n + 1] = NULL;
        return more[n] ? -1 : wrong(NULL);
}

static bool is_assignment(const char *s)
{
        size_t n = 0;

        while (isalnum((unsigned char)s[n]) || s[n] == '_')
                n++;
        return n && !isdigit((unsigned char)*s) && s[n] == '=';
}

/* ---- options ---------------------------------------------------------------------------- */

enum {
        THREADS = 256,
        CPUS,
        NUMA,
        MAX_TIME,
        MEMORY_LIMIT,
        FULL,
        CUT_AT,
        SEED,
        METRIC,
        UNITS,
        COMPARE,
        WITHIN_SHARE,
        BARE,
        RESUME,
        SHOW,
        SVG,
        RECORD, /* and after it those of infprof record */
};

static const char *const recorded[] = {"--kernels", "--kernels-level", "--op",
                                       "--op-file", "--heap-interval", "--allocator",
                                       "--waits",   "--kernel",        "--offcpu"};

static const struct option options[] = {{"param", required_argument, NULL, 'P'},
                                        {"threads", required_argument, NULL, THREADS},
                                        {"cpus", required_argument, NULL, CPUS},
                                        {"numa", required_argument, NULL, NUMA},
                                        {"env", required_argument, NULL, 'E'},
                                        {"runs", required_argument, NULL, 'r'},
                                        {"warmup", required_argument, NULL, 'w'},
                                        {"max-time", required_argument, NULL, MAX_TIME},
                                        {"memory-limit", required_argument, NULL, MEMORY_LIMIT},
                                        {"full", no_argument, NULL, FULL},
                                        {"cut", required_argument, NULL, CUT_AT},
                                        {"seed", required_argument, NULL, SEED},
                                        {"metric", required_argument, NULL, METRIC},
                                        {"units", required_argument, NULL, UNITS},
                                        {"compare", required_argument, NULL, COMPARE},
                                        {"within", required_argument, NULL, WITHIN_SHARE},
                                        {"bare", no_argument, NULL, BARE},
                                        {"output", required_argument, NULL, 'o'},
                                        {"resume", required_argument, NULL, RESUME},
                                        {"show", required_argument, NULL, SHOW},
                                        {"svg", required_argument, NULL, SVG},
                                        {"rows", required_argument, NULL, 'n'},
                                        {"json", no_argument, NULL, 'j'},
                                        {"help", no_argument, NULL, 'h'},
                                        {"kernels", required_argument, NULL, RECORD},
                                        {"kernels-level", required_argument, NULL, RECORD + 1},
                                        {"op", required_argument, NULL, RECORD + 2},
                                        {"op-file", required_argument, NULL, RECORD + 3},
                                        {"heap-interval", required_argument, NULL, RECORD + 4},
                                        {"allocator", required_argument, NULL, RECORD + 5},
                                        {"waits", required_argument, NULL, RECORD + 6},
                                        {"kernel", required_argument, NULL, RECORD + 7},
                                        {"offcpu", no_argument, NULL, RECORD + 8},
                                        {}};

static int take_parameter(struct sweep *s, const char *name, enum sweep_kind kind)
{
        _cleanup_(freep) char *why = NULL;
        int r = name ? sweep_grid_add(&s->grid, name, kind, optarg, &why)
                     : sweep_grid_take(&s->grid, optarg, &why);

        return r ? wrong(why) : -1;
}

static int take_name(char **ret)
{
        free(*ret);
        *ret = strdup(optarg);
        return *ret ? -1 : wrong(NULL);
}

static int take_env(struct sweep *s)
{
        if (is_assignment(optarg))
                return sweep_add_word(&s->env, optarg);
        return no_value("--env", "NAME=VALUE, as in OMP_NUM_THREADS={threads}");
}

static int take_runs(struct sweep *s)
{
        uint64_t n;

        if (!units_count(optarg, 1, SWEEP_MOST_RUNS, &n))
                return no_value("--runs", "a number of runs from 1 to 10000");
        s->n_runs = n;
        return -1;
}

static int take_warmup(struct sweep *s)
{
        uint64_t n;

        if (!units_count(optarg, 0, SWEEP_MOST_RUNS, &n))
                return no_value("--warmup", "a number of runs from 0 to 10000");
        s->n_warmup = n;
        return -1;
}

static int take_cut(struct sweep *s)
{
        char *end;

        s->cut = strtod(optarg, &end);
        if (!strcmp(optarg, "off"))
                s->cut = 0;
        else if (*end || end == optarg || !(s->cut >= 1.5 && s->cut <= 1e6))
                return no_value("--cut", "off, or how many times the best's time: 1.5 at least");
        return -1;
}

static int take_seed(struct sweep *s)
{
        uint64_t n;

        if (!units_count(optarg, 0, UINT32_MAX, &n))
                return no_value("--seed", "a number from 0 to 4294967295");
        s->seed = (uint32_t)n;
        return -1;
}

static int take_metric(struct sweep *s)
{
        for (unsigned i = SWEEP_TOKENS; i < SWEEP_N_METRICS; i++)
                if (!strcmp(optarg, sweep_metrics[i])) {
                        s->metric = (enum sweep_metric)i;
                        return -1;
                }
        return no_value("--metric", "tokens, requests or wall");
}

static int take_record(struct sweep *s, int option)
{
        int r = sweep_add_word(&s->record, recorded[option - RECORD]);

        return r < 0 && optarg ? sweep_add_word(&s->record, optarg) : r;
}

static int take_limit(struct sweep *s, int option)
{
        if (option == MAX_TIME && (!units_time(optarg, &s->time_ns) || !s->time_ns))
                return no_value("--max-time", "a time above 0, as in 10s, 500ms or 2min");
        if (option == MEMORY_LIMIT && (!units_bytes(optarg, &s->memory_bytes) || !s->memory_bytes))
                return no_value("--memory-limit", "a size above 0, as in 8G or 500M");
        if (option == WITHIN_SHARE &&
            (!units_share(optarg, &s->within) || !(s->within > 0 && s->within < 1)))
                return no_value("--within", "a share of the best, as in 5% or 0.05");
        return -1;
}

static int take_what(struct sweep_request *r, int option)
{
        switch (option) {
        case RESUME:
                r->resume = optarg;
                return -1;
        case SHOW:
                r->show = optarg;
                return -1;
        case SVG:
                r->svg = optarg;
                return -1;
        case 'o':
                r->folder = optarg;
                return *optarg ? -1 : no_value("--output", "the name of a folder");
        case 'n':
                return cmd_take_rows("sweep", optarg, &r->rows) ? CMD_USAGE : -1;
        case 'j':
                r->as_json = true;
                return -1;
        default:
                usage();
                return cmd_finish("sweep", CMD_DONE);
        }
}

static int take(struct sweep_request *r, int option, int argc, char **argv)
{
        struct sweep *s = &r->sweep;

        switch (option) {
        case 'P':
                return take_parameter(s, NULL, SWEEP_PLAIN);
        case THREADS:
                return take_parameter(s, "threads", SWEEP_PLAIN);
        case CPUS:
                return take_parameter(s, "cpus", SWEEP_CPUS);
        case NUMA:
                return take_parameter(s, "numa", SWEEP_NUMA);
        case 'E':
                return take_env(s);
        case 'r':
                return take_runs(s);
        case 'w':
                return take_warmup(s);
        case CUT_AT:
                return take_cut(s);
        case SEED:
                return take_seed(s);
        case METRIC:
                return take_metric(s);
        case UNITS:
                return take_name(&s->units);
        case COMPARE:
                return take_name(&s->compare);
        case FULL:
                s->full = true;
                return -1;
        case BARE:
                s->bare = true;
                return -1;
        case 'k':
                return take_record(s, RECORD);
        case MAX_TIME:
        case MEMORY_LIMIT:
        case WITHIN_SHARE:
                return take_limit(s, option);
        case ':':
        case '?':
                return cmd_bad_option(argc, argv, option);
        default:
                return option >= RECORD ? take_record(s, option) : take_what(r, option);
        }
}

/* ---- all of it --------------------------------------------------------------------------- */

static int take_command(struct sweep_request *r, int argc, char **argv)
{
        int code = -1;

        r->has_command = optind < argc;
        for (; code < 0 && optind < argc && is_assignment(argv[optind]); optind++)
                code = sweep_add_word(&r->sweep.env, argv[optind]);
        for (; code < 0 && optind < argc; optind++)
                code = sweep_add_word(&r->sweep.argv, argv[optind]);
        return code;
}

int sweep_parse(struct sweep_request *ret, int argc, char **argv)
{
        struct sweep *s = &ret->sweep;
        int option, code = -1;

        *ret = (struct sweep_request){.rows = SCREEN_FIT};
        *s = (struct sweep){.n_runs = RUNS, .n_warmup = WARMUP, .cut = CUT, .within = WITHIN};
        if (getrandom(&s->seed, sizeof(s->seed), 0) != sizeof(s->seed))
                s->seed = 1;
        s->seed %= 1000000; /* to be typed again */
        s->argv = calloc(1, sizeof(*s->argv));
        s->env = calloc(1, sizeof(*s->env));
        s->record = calloc(1, sizeof(*s->record));
        if (!s->argv || !s->env || !s->record)
                return wrong(NULL);
        opterr = 0;
        while (code < 0 &&
               (option = getopt_long(argc, argv, "+:P:E:r:w:o:n:k:jh", options, NULL)) != -1)
                code = take(ret, option, argc, argv);
        if (code < 0)
                code = take_command(ret, argc, argv);
        if (code >= 0)
                return code;
        if (ret->as_json && ret->svg && !strcmp(ret->svg, "-")) {
                cmd_error("sweep", "--svg - and --json both want stdout: give --svg a file");
                return CMD_USAGE;
        }
        if (ret->show && (ret->resume || ret->folder || ret->has_command || s->grid.n)) {
                cmd_error("sweep",
                          "--show FOLDER runs nothing: it takes --json, --svg and -n only");
                return CMD_USAGE;
        }
        if (ret->resume && (ret->folder || (s->grid.n && !ret->has_command))) {
                cmd_error("sweep", "--resume FOLDER goes on with what is in it: leave -o and "
                                   "parameters out");
                return CMD_USAGE;
        }
        return ret->show || (ret->resume && (!ret->has_command || !s->grid.n)) ? -1
                                                                               : sweep_check(s);
}
