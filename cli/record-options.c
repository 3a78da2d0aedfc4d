/* SPDX-License-Identifier: MIT */
/*
 * The command line of infprof record. What would be refused or misread in the command's process is
 * refused here, before the command runs.
 */
#include "cli/record-options.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"

#define MAX_HEAP_INTERVAL (1ull << 30) /* the shim's own bound */

static void usage(void)
{
        puts("usage: infprof record [OPTION...] [--] CMD [ARG...]\n"
             "\n"
             "Runs CMD under the profiler and keeps the run. CMD's exit code is passed on; where a "
             "signal\n"
             "ended CMD, infprof ends by the same. Signals sent to infprof go on to CMD.\n"
             "\n"
             "  -o, --output FILE        keep the run in FILE, not in the state directory\n"
             "  -f, --force              replace FILE when it exists\n"
             "  -k, --kernels SPEC       further functions to time: OBJECT:SYMBOL,... where both "
             "are "
             "globs,\n"
             "                           as in 'libfoo.so*:conv_*,myengine:step_*'; =decode "
             "behind one\n"
             "                           says that each call makes a token\n"
             "      --op DECLARATION     what a kernel's integer arguments are, and what work they "
             "make:\n"
             "                           'libfoo.so:my_gemm(_, _, m:i32, n:i32, k:i32) "
             "flops=2*m*n*k\n"
             "                           bytes=4*(m*k+k*n+m*n)'; may be given several times\n"
             "      --op-file FILE       such declarations, one a line\n"
             "      --kernels-level LEVEL\n"
             "                           outer (default), or inner: also what kernels call inside\n"
             "      --heap-interval N    keep the stack of about one allocation every N bytes (K, "
             "M, G\n"
             "                           may follow): 512K by default, 1 = each, 0 = none. Counts "
             "are\n"
             "                           exact in any case\n"
             "      --allocator NAME     run CMD over another allocator: jemalloc, mimalloc or "
             "tcmalloc;\n"
             "                           system (default): what it has anyway\n"
             "      --waits on|off       what threads wait for, where they are made, where a "
             "token's time\n"
             "                           goes: on (default), off\n"
             "      --kernel on|off      what the kernel sees of the threads, where it permits: on "
             "(default),\n"
             "                           off; infprof doctor says whether it does\n"
             "      --offcpu             also the stacks of threads that leave a CPU, for infprof "
             "flame\n"
             "                           --offcpu\n"
             "      --series WHAT        each call of token, graph, op:NAME or marker:NAME in "
             "time\n"
             "  -h, --help               this help\n"
             "\n"
             "Exit codes of infprof itself: 2 wrong usage, 125 it failed, 126 CMD cannot be run,\n"
             "127 CMD is not found.");
}

/* What may stand behind an equals sign: a phase that the function begins. */
static bool phase_ok(const char *item, size_t n)
{
        const char *equals = memchr(item, '=', n), *phase = equals ? equals + 1 : NULL;
        size_t len = equals ? (size_t)(item + n - phase) : 0;

        if (!equals || (len == 6 && !strncmp(phase, "decode", 6)) ||
            (len == 7 && !strncmp(phase, "prefill", 7)))
                return true;
        cmd_error("record",
                  "--kernels: behind an equals sign stands decode or prefill; '%.*s' has neither",
                  (int)n, item);
        return false;
}

/* Does each item read OBJECT:SYMBOL? (The shim says the same of the variable, and goes on.) */
static bool kernels_ok(const char *spec)
{
        for (const char *item = spec; *item; item += strcspn(item, ", \n")) {
                size_t n;

                item += strspn(item, ", \n");
                n = strcspn(item, ", \n");
                if (n) {
                        const char *colon = memchr(item, ':', n);

                        if (colon && colon != item && colon + 1 != item + n) {
                                if (!phase_ok(item, n))
                                        return false;
                                continue;
                        }
                        cmd_error("record",
                                  "--kernels: each item must read OBJECT:SYMBOL, as in "
                                  "libfoo.so*:conv_*; '%.*s' does not",
                                  (int)n, item);
                        return false;
                }
        }
        return true;
}

/* "512K" as bytes. */
static bool parse_bytes(const char *s, uint64_t *ret)
{
        static const char units[] = "KMG";
        uint64_t v = 0;
        const char *unit;

        if (!isdigit((unsigned char)*s))
                return false;
        for (; isdigit((unsigned char)*s); s++) {
                v = v * 10 + (uint64_t)(*s - '0');
                if (v > MAX_HEAP_INTERVAL)
                        return false;
        }
        unit = *s ? strchr(units, toupper((unsigned char)*s)) : NULL;
        if (unit) {
                v <<= 10 * (unit - units + 1); /* 2^30 shifted by 30 fits */
                s++;
        }
        *ret = v;
        return !*s && v <= MAX_HEAP_INTERVAL;
}

static bool series_ok(const char *s)
{
        return !strcmp(s, "token") || !strcmp(s, "graph") || (!strncmp(s, "op:", 3) && s[3]) ||
               (!strncmp(s, "marker:", 7) && s[7]);
}

static int take_interval(struct record_options *o, const char *value)
{
        uint64_t bytes;

        if (!parse_bytes(value, &bytes)) {
                cmd_error(
                        "record",
                        "--heap-interval cannot be '%s'; it is a number of bytes from 0 to 1G, as "
                        "in 512K",
                        value);
                return CMD_USAGE;
        }
        snprintf(o->heap_interval, sizeof(o->heap_interval), "%" PRIu64, bytes);
        return -1;
}

static int take_allocator(struct record_options *o, const char *value)
{
        o->allocator = allocator_named(value);
        if (o->allocator || !strcmp(value, "system"))
                return -1;
        cmd_error("record",
                  "--allocator cannot be '%s'; it is one of: system, jemalloc, mimalloc, tcmalloc",
                  value);
        return CMD_USAGE;
}

static int take_switch(const char **ret, const char *option, const char *value, const char *more)
{
        if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0) {
                cmd_error("record", "%s is on or off, not '%s'%s", option, value, more);
                return CMD_USAGE;
        }
        *ret = value;
        return -1;
}

static int take(struct record_options *o, int option, int argc, char **argv)
{
        switch (option) {
        case 'o':
                o->output = optarg;
                return -1;
        case 'f':
                o->force = true;
                return -1;
        case 'k':
                o->kernels = optarg;
                return -1;
        case 'p':
                return record_ops_add(&o->ops, optarg);
        case 'P':
                return record_ops_add_file(&o->ops, optarg);
        case 'l':
                o->level = optarg;
                return -1;
        case 'i':
                return take_interval(o, optarg);
        case 'a':
                return take_allocator(o, optarg);
        case 'w':
                return take_switch(&o->waits, "--waits", optarg, "");
        case 'K':
                return take_switch(&o->kernel, "--kernel", optarg,
                                   "; functions to time are named by --kernels");
        case 'c':
                o->offcpu = true;
                return -1;
        case 's':
                o->series = optarg;
                return -1;
        case 'h':
                usage();
                return CMD_DONE;
        default:
                return cmd_bad_option(argc, argv, option);
        }
}

int record_parse(struct record_options *ret, int argc, char **argv)
{
        static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                                {"force", no_argument, NULL, 'f'},
                                                {"kernels", required_argument, NULL, 'k'},
                                                {"op", required_argument, NULL, 'p'},
                                                {"op-file", required_argument, NULL, 'P'},
                                                {"kernels-level", required_argument, NULL, 'l'},
                                                {"heap-interval", required_argument, NULL, 'i'},
                                                {"allocator", required_argument, NULL, 'a'},
                                                {"waits", required_argument, NULL, 'w'},
                                                {"kernel", required_argument, NULL, 'K'},
                                                {"offcpu", no_argument, NULL, 'c'},
                                                {"series", required_argument, NULL, 's'},
                                                {"help", no_argument, NULL, 'h'},
                                                {}};
        int option, code;

        *ret = (struct record_options){0};
        opterr = 0;
        while ((option = getopt_long(argc, argv, "+:o:fk:h", options, NULL)) != -1) {
                code = take(ret, option, argc, argv);
                if (code >= 0)
                        return code;
        }
        if (ret->kernels && !kernels_ok(ret->kernels))
                return CMD_USAGE;
        if (ret->level && strcmp(ret->level, "outer") != 0 && strcmp(ret->level, "inner") != 0) {
                cmd_error("record", "--kernels-level is outer or inner, not %s", ret->level);
                return CMD_USAGE;
        }
        if (ret->offcpu && ret->kernel && !strcmp(ret->kernel, "off")) {
                cmd_error("record", "--offcpu is the kernel's to tell, and --kernel off forbids to "
                                    "ask it; leave one of them out");
                return CMD_USAGE;
        }
        if (ret->series && !series_ok(ret->series)) {
                cmd_error("record", "--series is token, graph, op:NAME or marker:NAME, not '%s'",
                          ret->series);
                return CMD_USAGE;
        }
        if (ret->output && !*ret->output) {
                cmd_error("record", "-o needs the name of a file");
                return CMD_USAGE;
        }
        if (optind >= argc) {
                cmd_error("record", "which command? infprof record [OPTION...] [--] CMD [ARG...]");
                return CMD_USAGE;
        }
        ret->argv = argv + optind;
        return -1;
}

void record_options_done(struct record_options *o)
{
        record_ops_done(&o->ops);
}
