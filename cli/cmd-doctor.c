/* SPDX-License-Identifier: MIT */
/*
 * infprof doctor: what this machine lets us do, and what to do about what it
 * does not. One line a check; the checks are in doctor-*.c.
 */
#include "cli/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/text.h"

#define MAX_FINDINGS 32

static const char *const levels[] = {"ok", "warn", "no"};

static void usage(void)
{
        puts("usage: infprof doctor [--json] [CMD]\n"
             "\n"
             "Says what this machine lets infprof do, a line a check: ok, warn (profiling works, "
             "but\n"
             "something is missing) or no (it does not), and what to do about it. With CMD also "
             "whether\n"
             "the shim can enter that program.\n"
             "\n"
             "  -j, --json   the findings as JSON (infprof.doctor/1)\n"
             "  -h, --help   this help\n"
             "\n"
             "Exit codes: 0 profiling works, 1 it does not.");
}

void finding_set(struct finding *f, enum finding_level level, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        vsnprintf(f->text, sizeof(f->text), format, ap);
        va_end(ap);
        f->level = level;
}

void finding_remedy(struct finding *f, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        vsnprintf(f->remedy, sizeof(f->remedy), format, ap);
        va_end(ap);
}

static size_t examine(struct finding *findings, const char *command)
{
        size_t n = 0;

        for (size_t i = 0; i < doctor_n_parts_checks; i++)
                doctor_parts_checks[i](&findings[n++]);
        for (size_t i = 0; i < doctor_n_machine_checks; i++)
                doctor_machine_checks[i](&findings[n++]);
        for (size_t i = 0; i < doctor_n_kernel_checks; i++)
                doctor_kernel_checks[i](&findings[n++]);
        for (size_t i = 0; i < doctor_n_memory_checks; i++)
                doctor_memory_checks[i](&findings[n++]);
        if (command)
                doctor_check_command(&findings[n++], command);
        return n;
}

static void print_findings(const struct finding *findings, size_t n, bool works)
{
        bool color = isatty(STDOUT_FILENO) && !(getenv("NO_COLOR") && *getenv("NO_COLOR"));
        static const char *const colors[] = {"\033[32m", "\033[33m", "\033[31m"};

        for (size_t i = 0; i < n; i++) {
                char *text = text_clean(findings[i].text, 10000);

                printf("%s%-4s%s  %-10s  %s\n", color ? colors[findings[i].level] : "",
                       levels[findings[i].level], color ? "\033[0m" : "", findings[i].check,
                       text ? text : "");
                if (findings[i].remedy[0])
                        printf("%16s-> %s\n", "", findings[i].remedy);
                free(text);
        }
        puts(works ? "\nProfiling works here."
                   : "\nProfiling does not work here; see the lines that begin with no.");
}

static json_t *findings_document(const struct finding *findings, size_t n, bool works)
{
        json_t *checks = json_array();

        for (size_t i = 0; i < n; i++)
                json_array_append_new(checks,
                                      json_pack("{s:s, s:s, s:s, s:s?}", "check", findings[i].check,
                                                "level", levels[findings[i].level], "text",
                                                findings[i].text, "remedy",
                                                findings[i].remedy[0] ? findings[i].remedy : NULL));
        return json_pack("{s:s, s:b, s:o}", "schema", "infprof.doctor/1", "works", works, "checks",
                         checks);
}

static int diagnose(const char *command, bool as_json)
{
        struct finding *findings = calloc(MAX_FINDINGS, sizeof(*findings));
        bool works = true;
        json_t *document;
        int r = CMD_DONE;
        size_t n;

        if (!findings) {
                cmd_error("doctor", "out of memory");
                return CMD_NO;
        }
        n = examine(findings, command);
        for (size_t i = 0; i < n; i++)
                works = works && findings[i].level != FINDING_NO;
        if (as_json) {
                document = findings_document(findings, n, works);
                r = cmd_print_json("doctor", document);
                json_decref(document);
        } else {
                print_findings(findings, n, works);
                r = cmd_finish("doctor", CMD_DONE);
        }
        free(findings);
        return r != CMD_DONE ? r : works ? CMD_DONE : CMD_NO;
}

int cmd_doctor(int argc, char **argv)
{
        const char *command = NULL;
        bool as_json = false;
        int code;

        if (!cmd_json_option(argc, argv, true, usage, &as_json, &code))
                return code;
        if (optind < argc)
                command = argv[optind++];
        text_init();
        return diagnose(command, as_json);
}
