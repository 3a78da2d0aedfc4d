/* SPDX-License-Identifier: MIT */
#include "cli/flame-options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/memory-rows.h"

static void usage(void)
{
        printf("usage: infprof flame --heap | --alloc | --waits | --offcpu [OPTION...] [RUN]\n"
               "       infprof flame --heap | --alloc | --waits | --offcpu --diff [OPTION...] A B\n"
               "\n"
               "Draws where memory was asked for, or where threads waited, as a flame graph: one "
               "SVG\n"
               "file for any browser. RUN is an id, a run file, the pid of an engine that runs, "
               "or\n"
               "latest (the default).\n"
               "\n"
               "      --heap          what is in use: allocated and not freed (at the end, or "
               "now)\n"
               "      --alloc         all that was allocated\n"
               "      --waits         time that threads waited for each other, asleep or spinning\n"
               "      --offcpu        time off the CPU, as the kernel saw it (record --offcpu)\n"
               "      --objects       count blocks, not bytes\n"
               "      --kind KIND     waits of one kind: mutex, barrier, condition, join, ...\n"
               "  -o, --output FILE   write to FILE (- and the default: stdout)\n"
               "      --folded        a line a stack instead: outer;...;inner;[op NAME] COUNT\n"
               "      --from MARK     from this mark on (see infprof mark --help)\n"
               "      --to MARK       up to this mark\n"
               "  -p, --phase PHASE   of one phase: load, prefill, decode, idle or unknown\n"
               "      --by-phase      a level of phases upon the root\n"
               "      --diff          two runs, A and B: as wide as in B, red where that is more\n"
               "                      than in A, blue where less; folded: two counts a line\n"
               "  -t, --title TEXT    above the picture\n"
               "  -h, --help          this help\n"
               "\n"
               "In the picture: click or Enter zooms, Esc goes back, arrows move, / or Ctrl-F "
               "searches.\n"
               "Exit codes: 0 done, 2 usage, 3 there is no such run, or no stack to draw.\n");
}

enum {
        OPT_HEAP = 256,
        OPT_ALLOC,
        OPT_WAITS,
        OPT_OFFCPU,
        OPT_OBJECTS,
        OPT_KIND,
        OPT_FOLDED,
        OPT_FROM,
        OPT_TO,
        OPT_BY_PHASE,
        OPT_DIFF,
};

static const char *const names[] = {
        [FLAME_HEAP] = "--heap",
        [FLAME_ALLOC] = "--alloc",
        [FLAME_WAITS] = "--waits",
        [FLAME_OFFCPU] = "--offcpu",
};

static int take_what(struct flame_request *r, enum flame_what what)
{
        if (r->what && r->what != what) {
                cmd_error("flame", "%s and %s exclude each other; choose one", names[r->what],
                          names[what]);
                return 1 + CMD_USAGE;
        }
        r->what = what;
        return 0;
}

static int take_phase(struct flame_request *r, const char *name)
{
        if (!memory_is_phase(name)) {
                cmd_error("flame",
                          "there is no phase %s; it is one of: load, prefill, decode, idle, "
                          "unknown",
                          name);
                return 1 + CMD_USAGE;
        }
        r->flame.phase = name;
        return 0;
}

/* What goes with what. */
static int check_kind(const struct flame_request *r)
{
        static const char *const waits[] = {"mutex",   "rwlock",    "spinlock", "condition",
                                            "barrier", "semaphore", "join",     "futex",
                                            "sleep",   "yield",     "poll",     NULL};
        static const char *const blocks[] = {"futex", "io",    "fault",     "sleep",
                                             "poll",  "other", "preempted", NULL};
        const char *const *all = r->what == FLAME_WAITS ? waits : blocks;
        char list[160] = "";

        for (size_t i = 0; all[i]; i++) {
                if (!strcmp(all[i], r->kind))
                        return 0;
                strcat(list, i ? ", " : "");
                strcat(list, all[i]);
        }
        cmd_error("flame", "%s has no kind '%s'; it is one of: %s", names[r->what], r->kind, list);
        return 1 + CMD_USAGE;
}

static int check_time(const struct flame_request *r)
{
        const char *odd = r->objects       ? "--objects"
                          : r->memory.from ? "--from"
                          : r->memory.to   ? "--to"
                                           : NULL;

        if (!odd)
                return r->kind ? check_kind(r) : 0;
        cmd_error("flame", "%s is for --heap and --alloc; %s is of the whole run, as time", odd,
                  names[r->what]);
        return 1 + CMD_USAGE;
}

static void set_stacks(struct flame_request *r)
{
        switch (r->what) {
        case FLAME_HEAP:
                r->flame.value = r->objects ? "inuse_objects" : "inuse_bytes";
                break;
        case FLAME_ALLOC:
                r->flame.value = r->objects ? "alloc_objects" : "alloc_bytes";
                break;
        case FLAME_WAITS:
                r->flame.list = "sites";
                r->flame.wait = "kind";
                break;
        case FLAME_OFFCPU:
                r->flame.list = "off_cpu";
                r->flame.wait = "block";
                break;
        case FLAME_NOTHING:
                break;
        }
        if (flame_is_time(r))
                r->flame.value = "total_ns";
        r->flame.only = r->kind;
}

/* Once all is known. */
static int check(struct flame_request *r, int argc, char **argv)
{
        int code = 0;

        if (r->diff && argc - optind < 2) {
                cmd_error("flame",
                          "--diff holds one run against another: infprof flame --diff A B");
                return 1 + CMD_USAGE;
        }
        if (r->diff)
                r->before = argv[optind++];
        if (cmd_operand(argc, argv, &r->memory.run))
                return 1 + CMD_USAGE;
        if (r->what == FLAME_NOTHING) {
                cmd_error("flame", "say what to draw: --heap (in use), --alloc (all that was "
                                   "allocated), --waits or --offcpu");
                return 1 + CMD_USAGE;
        }
        if (flame_is_time(r))
                code = check_time(r);
        else if (r->kind) {
                cmd_error("flame", "--kind is for --waits and --offcpu, not for %s",
                          names[r->what]);
                code = 1 + CMD_USAGE;
        }
        if (code)
                return code;
        if (!r->folded && !r->output && isatty(STDOUT_FILENO)) {
                cmd_error("flame", "an SVG is nothing for a terminal; name a file with -o, or ask "
                                   "for --folded");
                return 1 + CMD_USAGE;
        }
        set_stacks(r);
        return 0;
}

/* 0; or 1 + exit code */
static int take(void *userdata, int option, int argc, char **argv)
{
        struct flame_request *r = userdata;

        switch (option) {
        case OPT_HEAP:
                return take_what(r, FLAME_HEAP);
        case OPT_ALLOC:
                return take_what(r, FLAME_ALLOC);
        case OPT_WAITS:
                return take_what(r, FLAME_WAITS);
        case OPT_OFFCPU:
                return take_what(r, FLAME_OFFCPU);
        case OPT_OBJECTS:
                r->objects = true;
                return 0;
        case OPT_KIND:
                r->kind = optarg;
                return 0;
        case OPT_FOLDED:
                r->folded = true;
                return 0;
        case OPT_FROM:
                r->memory.from = optarg;
                return 0;
        case OPT_TO:
                r->memory.to = optarg;
                return 0;
        case OPT_DIFF:
                r->diff = true;
                return 0;
        case OPT_BY_PHASE:
                r->flame.by_phase = true;
                return 0;
        case 'o':
                r->output = optarg;
                return 0;
        case 'p':
                return take_phase(r, optarg);
        case 't':
                r->title = optarg;
                return 0;
        case 'h':
                usage();
                return 1 + CMD_DONE;
        default:
                return 1 + cmd_bad_option(argc, argv, option);
        }
}

int flame_parse(int argc, char **argv, struct flame_request *ret)
{
        static const struct option options[] = {{"heap", no_argument, NULL, OPT_HEAP},
                                                {"alloc", no_argument, NULL, OPT_ALLOC},
                                                {"waits", no_argument, NULL, OPT_WAITS},
                                                {"offcpu", no_argument, NULL, OPT_OFFCPU},
                                                {"objects", no_argument, NULL, OPT_OBJECTS},
                                                {"kind", required_argument, NULL, OPT_KIND},
                                                {"output", required_argument, NULL, 'o'},
                                                {"folded", no_argument, NULL, OPT_FOLDED},
                                                {"from", required_argument, NULL, OPT_FROM},
                                                {"to", required_argument, NULL, OPT_TO},
                                                {"phase", required_argument, NULL, 'p'},
                                                {"by-phase", no_argument, NULL, OPT_BY_PHASE},
                                                {"title", required_argument, NULL, 't'},
                                                {"diff", no_argument, NULL, OPT_DIFF},
                                                {"help", no_argument, NULL, 'h'},
                                                {}};
        int r;

        *ret = (struct flame_request){};
        r = cmd_each_option(argc, argv, ":o:p:t:h", options, take, ret);
        return r ? r : check(ret, argc, argv);
}
