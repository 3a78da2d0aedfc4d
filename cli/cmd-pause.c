/* SPDX-License-Identifier: MIT */
/*
 * infprof pause and infprof resume: switch ops off and on in engines that run.
 * An op that is off costs its engine next to nothing; its calls are not counted.
 */
#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/api-client.h"
#include "cli/daemon-start.h"

static void usage(bool on)
{
        printf("usage: infprof %s [--op GLOB] [--json] [RUN|PID]\n"
               "\n"
               "Switches ops %s in one engine, or in all that are being profiled. %s\n"
               "\n"
               "      --op GLOB   only the ops whose names match, as in 'MUL_*' (default: all)\n"
               "  -j, --json      the answer as JSON\n"
               "  -h, --help      this help\n"
               "\n"
               "Exit codes: 0 done, 1 no op matches, 3 no such engine, or none is being "
               "profiled.\n",
               on ? "resume" : "pause", on ? "on again" : "off",
               on ? "What happened meanwhile\nis not known."
                  : "Calls of an op that is\noff are neither timed nor counted.");
}

/* The answer in words; the exit code. */
static int print_answer(const char *verb, const json_t *answer, const char *glob, bool on)
{
        json_int_t changed = 0, matching = 0;

        json_unpack((json_t *)(size_t)answer, "{s?I, s?I}", "changed", &changed, "ops", &matching);
        if (!matching) {
                if (!strcmp(glob, "*"))
                        cmd_error(verb, "no op has been seen there yet");
                else
                        cmd_error(verb, "no op is named like %s; infprof top shows the names",
                                  glob);
                return CMD_NO;
        }
        printf("%lld of %lld ops %s\n", (long long)changed, (long long)matching,
               on ? "switched on" : "switched off");
        return cmd_finish(verb, CMD_DONE);
}

static int do_switch(const char *verb, const char *target, const char *glob, bool on, bool as_json)
{
        json_t *body, *answer = NULL;
        char *why = NULL;
        int r;

        r = daemon_ensure(&why);
        if (r < 0)
                return api_failed(verb, r, why);
        body = json_pack("{s:s, s:b}", "op", glob, "on", on);
        if (!body) {
                cmd_error(verb, "--op: the name is not UTF-8");
                return CMD_USAGE;
        }
        if (target && target[strspn(target, "0123456789")] == '\0')
                json_object_set_new(body, "pid", json_integer(strtoll(target, NULL, 10)));
        else if (target)
                json_object_set_new(body, "run", json_string(target));
        r = api_send("POST", "/v1/switch", body, &answer, &why);
        json_decref(body);
        if (r)
                return api_failed(verb, r, why);
        if (as_json) {
                r = cmd_print_json(verb, answer);
                if (r == CMD_DONE && json_integer_value(json_object_get(answer, "ops")) == 0)
                        r = CMD_NO;
        } else
                r = print_answer(verb, answer, glob, on);
        json_decref(answer);
        return r;
}

static int pause_or_resume(int argc, char **argv, bool on)
{
        static const struct option options[] = {{"op", required_argument, NULL, 'o'},
                                                {"json", no_argument, NULL, 'j'},
                                                {"help", no_argument, NULL, 'h'},
                                                {}};
        const char *glob = "*", *target = NULL;
        bool as_json = false;
        int o;

        opterr = 0;
        while ((o = getopt_long(argc, argv, ":jh", options, NULL)) != -1) {
                switch (o) {
                case 'o':
                        glob = optarg;
                        break;
                case 'j':
                        as_json = true;
                        break;
                case 'h':
                        usage(on);
                        return CMD_DONE;
                default:
                        return cmd_bad_option(argc, argv, o);
                }
        }
        if (cmd_operand(argc, argv, &target))
                return CMD_USAGE;
        return do_switch(argv[0], target, glob, on, as_json);
}

int cmd_pause(int argc, char **argv)
{
        return pause_or_resume(argc, argv, false);
}

int cmd_resume(int argc, char **argv)
{
        return pause_or_resume(argc, argv, true);
}
