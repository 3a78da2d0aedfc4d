/* SPDX-License-Identifier: MIT */
/*
 * infprof stop: ends the daemon. It finishes its run files first, and engines go on; so we wait
 * until its socket answers no more and its process is gone, for who says "stop" wants it gone.
 */
#include "cli/cmd.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cli/api-client.h"
#include "common/cleanup.h"

#define STOP_TIMEOUT_MS 30000
#define STOP_POLL_MS    20

static void usage(void)
{
        puts("usage: infprof stop [--json]\n"
             "\n"
             "Ends infprofd after it has finished its run files. Engines go on; the next infprofd "
             "takes\n"
             "over those that allow it.\n"
             "\n"
             "  -j, --json   the answer as JSON\n"
             "  -h, --help   this help\n"
             "\n"
             "Exit codes: 0 it has ended (or none was running), 1 it has not.");
}

/* A pidfd, or -1: it is not there, or not to be seen from here. */
static int daemons_process(void)
{
        json_t *status = NULL;
        json_int_t pid = 0;
        int fd = -1;

        if (!api_get("/v1/status", &status, NULL) &&
            !json_unpack(status, "{s:{s:I}}", "daemon", "pid", &pid) && pid > 0)
                fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
        json_decref(status);
        return fd;
}

/* Its children are gone before it is. */
static bool wait_until_gone(int process)
{
        struct timespec nap = {.tv_nsec = STOP_POLL_MS * 1000000L};
        struct pollfd end = {.fd = process, .events = POLLIN};

        for (int waited = 0; waited < STOP_TIMEOUT_MS; waited += STOP_POLL_MS) {
                if (api_get("/v1/status", NULL, NULL) == API_E_ABSENT)
                        return process < 0 || poll(&end, 1, STOP_TIMEOUT_MS - waited) > 0;
                nanosleep(&nap, NULL);
        }
        return false;
}

static int stop(bool as_json)
{
        _cleanup_(closep) int process = daemons_process();
        json_t *answer = NULL;
        bool running = true;
        char *why = NULL;
        int r;

        r = api_send("POST", "/v1/stop", NULL, &answer, &why);
        if (r == API_E_ABSENT)
                running = false;
        else if (r)
                return api_failed("stop", r, why);
        free(why);
        json_decref(answer);
        if (running && !wait_until_gone(process)) {
                cmd_error("stop",
                          "infprofd has not ended after %d s; it may still be writing: infprof "
                          "status",
                          STOP_TIMEOUT_MS / 1000);
                return CMD_NO;
        }
        if (!as_json) {
                puts(running ? "infprofd has ended" : "no infprofd was running");
                return cmd_finish("stop", CMD_DONE);
        }
        answer = json_pack("{s:s, s:b}", "schema", "infprof.stop/1", "stopped", running);
        r = cmd_print_json("stop", answer);
        json_decref(answer);
        return r;
}

int cmd_stop(int argc, char **argv)
{
        bool as_json = false;
        int code;

        if (!cmd_json_option(argc, argv, false, usage, &as_json, &code))
                return code;
        if (optind < argc)
                return cmd_extra_operand(argv, argv[optind]);
        return stop(as_json);
}
