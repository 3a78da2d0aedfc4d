/* SPDX-License-Identifier: MIT */
/*
 * infprof status: the daemon, and the processes it knows. It shows what is and
 * starts nothing.
 */
#include "cli/cmd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/api-client.h"
#include "cli/text.h"

static void usage(void)
{
        puts("usage: infprof status [--json]\n"
             "\n"
             "Shows the collector infprofd and the processes it profiles.\n"
             "\n"
             "  -j, --json   the answer as JSON (infprof.status/1)\n"
             "  -h, --help   this help\n"
             "\n"
             "Exit codes: 0 done, 3 no infprofd is running.");
}

static void print_daemon(const json_t *d)
{
        char up[TEXT_CELL], spans[TEXT_CELL], rss[TEXT_CELL];
        double up_ns = text_number(d, "uptime_ns"), cpu_ns = text_number(d, "cpu_ns");

        printf("infprofd %s, pid %.0f, up %s", text_string(d, "version", "?"),
               text_number(d, "pid"), text_duration(up, up_ns));
        if (up_ns > 0 && !isnan(cpu_ns))
                printf(", %.1f %% of a core", 100 * cpu_ns / up_ns);
        printf(", %sB resident, %s spans drained\n",
               text_bytes(rss, text_number(d, "resident_bytes")),
               text_count(spans, text_number(d, "spans_drained")));
        if (text_string(d, "state_dir", NULL))
                printf("runs are kept in %s\n", text_string(d, "state_dir", NULL));
        else
                puts("runs are not kept: it has no directory for them; infprof doctor says why");
}

static void print_process(const json_t *p)
{
        char *command = text_clean(text_string(p, "command", "?"), 10000), spans[TEXT_CELL];
        double paused = text_number(p, "paused_ops");
        const char *reason = text_string(p, "reason", NULL);

        printf("%8.0f  %-5s  %-8s  %7s  %-24s  %s", text_number(p, "pid"),
               text_string(p, "state", "?"), text_string(p, "phase", "-"),
               text_count(spans, text_number(p, "spans")), text_string(p, "run", "-"),
               command ? command : "?");
        if (paused > 0)
                printf("  (%.0f %s paused)", paused, paused == 1 ? "op" : "ops");
        if (reason)
                printf("  (%s)", reason);
        putchar('\n');
        free(command);
}

static void print_reasons(const json_t *list, const char *what)
{
        const json_t *p;
        size_t i;

        json_array_foreach(list, i, p) printf("pid %.0f %s: %s\n", text_number(p, "pid"), what,
                                              text_string(p, "reason", "?"));
}

static void print_status(const json_t *s)
{
        const json_t *processes = json_object_get(s, "processes"), *p;
        size_t i;

        print_daemon(json_object_get(s, "daemon"));
        if (json_array_size(processes) == 0)
                puts("no engine is being profiled; infprof record CMD… starts one");
        else
                printf("\n%8s  %-5s  %-8s  %7s  %-24s  %s\n", "PID", "STATE", "PHASE", "SPANS",
                       "RUN", "COMMAND");
        json_array_foreach(processes, i, p) print_process(p);
        print_reasons(json_object_get(s, "not_adoptable"), "cannot be adopted");
        print_reasons(json_object_get(s, "refused"), "was refused");
        json_array_foreach(json_object_get(s, "not_written"), i, p)
                printf("run %s is not written: %s\n", text_string(p, "run", "?"),
                       text_string(p, "reason", "?"));
}

int cmd_status(int argc, char **argv)
{
        bool as_json = false;
        json_t *status;
        char *why;
        int r, code;

        if (!cmd_json_option(argc, argv, false, usage, &as_json, &code))
                return code;
        if (optind < argc)
                return cmd_extra_operand(argv, argv[optind]);
        text_init();
        r = api_get("/v1/status", &status, &why);
        if (r)
                return api_failed("status", r, why);
        if (as_json)
                r = cmd_print_json("status", status);
        else {
                print_status(status);
                r = cmd_finish("status", CMD_DONE);
        }
        json_decref(status);
        return r;
}
