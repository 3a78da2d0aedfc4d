/* SPDX-License-Identifier: MIT */
/*
 * infprof: the command. One table of verbs and a dispatcher, nothing else;
 * what a verb does is in its own file.
 */
#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include <infprof/version.h>

static int cmd_version(int argc, char **argv);

const struct cmd_verb cmd_verbs[] = {
        {"record", cmd_record, "run a command under the profiler and keep the run"},
        {"top", cmd_top, "watch an engine live"},
        {"report", cmd_report, "what was measured in a run"},
        {"explain", cmd_explain, "what is wrong, what it costs, what to do about it"},
        {"ledger", cmd_ledger, "where the time of a token went"},
        {"layers", cmd_layers, "in which layers of the model the time went"},
        {"tokens", cmd_tokens, "prompts and tokens, and how a token's time grows"},
        {"threads", cmd_threads, "where the time of each thread went"},
        {"waits", cmd_waits, "what threads wait for, where, and for whom"},
        {"spawns", cmd_spawns, "who creates threads, and what that costs"},
        {"roofline", cmd_roofline, "which ceiling of the machine binds each op"},
        {"memory", cmd_memory, "who allocates, what stays, what it costs"},
        {"flame", cmd_flame, "a flame graph: of memory, of waits, of time off the CPU"},
        {"export", cmd_export, "a run in the format of another tool: pprof"},
        {"bench", cmd_bench, "how long a command takes, and how surely that is known"},
        {"sweep", cmd_sweep, "over numbers of threads and other values: which is best, and why"},
        {"ab", cmd_ab, "two commands in turns: is the second one faster, and why"},
        {"check", cmd_check, "conditions that a run has to meet: a gate for CI"},
        {"diff", cmd_diff, "two runs, or sets of them: what changed, and what explains it"},
        {"mark", cmd_mark, "put a named instant into the runs that go on"},
        {"runs", cmd_runs, "the runs that are kept, and their removal"},
        {"pause", cmd_pause, "switch ops off in running engines"},
        {"resume", cmd_resume, "switch them on again"},
        {"status", cmd_status, "what the collector is doing, and for whom"},
        {"stop", cmd_stop, "end the collector; engines go on"},
        {"machine", cmd_machine, "what this machine is made of, and the most it can do"},
        {"doctor", cmd_doctor, "what this machine lets us do, and what to do about the rest"},
        {"help", cmd_help_verb, "this list, or the help of one verb"},
        {"version", cmd_version, "the version of infprof"},
        {"complete", cmd_complete, NULL}, /* for shells */
        {NULL, NULL, NULL},
};

const struct cmd_verb *cmd_find(const char *name)
{
        for (const struct cmd_verb *v = cmd_verbs; v->name; v++)
                if (!strcmp(v->name, name))
                        return v;
        return NULL;
}

static int unknown_command(const char *name)
{
        cmd_error(NULL, "unknown verb %s; infprof --help lists them", name);
        return CMD_USAGE;
}

static void usage(FILE *f)
{
        fputs("usage: infprof VERB [OPTION...]\n"
              "\n"
              "infprof profiles an inference engine that nobody recompiles:\n"
              "\n"
              "    infprof record ./engine ...    run it under the profiler\n"
              "    infprof top                    watch it, in another terminal\n"
              "    infprof report                 read what was measured\n"
              "    infprof explain                what is wrong, and what to do about it\n"
              "\n"
              "Verbs:\n",
              f);
        for (const struct cmd_verb *v = cmd_verbs; v->name; v++)
                if (v->help)
                        fprintf(f, "    %-9s %s\n", v->name, v->help);
        fputs("\n"
              "infprof VERB --help explains a verb. Exit codes: 0 done, 1 the answer is no, 2 "
              "usage,\n"
              "3 nothing to answer from. Manual pages: infprof(1), infprofd(8), infprof-api(7).\n",
              f);
}

int cmd_help_verb(int argc, char **argv)
{
        char *help[] = {NULL, (char[]){"--help"}, NULL};
        const struct cmd_verb *c;

        if (argc > 2)
                return cmd_extra_operand(argv, argv[2]);
        if (argc == 2 && strcmp(argv[1], "--help") && strcmp(argv[1], "help")) {
                c = cmd_find(argv[1]);
                if (!c)
                        return unknown_command(argv[1]);
                help[0] = argv[1];
                return c->run(2, help);
        }
        usage(stdout);
        return cmd_finish("help", CMD_DONE);
}

static int cmd_version(int argc, char **argv)
{
        if (argc > 1 && strcmp(argv[1], "--help"))
                return cmd_extra_operand(argv, argv[1]);
        puts("infprof " IFP_VERSION);
        return cmd_finish("version", CMD_DONE);
}

int main(int argc, char **argv)
{
        const struct cmd_verb *c;

        if (argc < 2) {
                usage(stderr);
                return CMD_USAGE;
        }
        if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
                return cmd_help_verb(1, argv);
        if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
                return cmd_version(1, argv);
        if (argv[1][0] == '-') {
                cmd_error(NULL, "unknown option %s; infprof --help lists what there is", argv[1]);
                return CMD_USAGE;
        }
        c = cmd_find(argv[1]);
        return c ? c->run(argc - 1, argv + 1) : unknown_command(argv[1]);
}
