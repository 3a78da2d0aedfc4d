/* SPDX-License-Identifier: MIT */
/*
 * What the verbs have in common. What reaches a terminal here may have been
 * named by a stranger (an op, a command line), so control characters never
 * pass.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cmd_error(const char *verb, const char *format, ...)
{
        char *line = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&line, format, ap);
        va_end(ap);
        if (r < 0) {
                fputs("infprof: out of memory\n", stderr);
                return;
        }
        for (char *p = line; *p; p++)
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                        *p = '?';
        fprintf(stderr, verb ? "infprof %s: %s\n" : "infprof%s: %s\n", verb ? verb : "", line);
        free(line);
}

int cmd_bad_option(int argc, char **argv, int answer)
{
        const char *given = optind > 0 && optind <= argc ? argv[optind - 1] : "";
        bool is_long = !strncmp(given, "--", 2);

        if (answer == ':' && is_long)
                cmd_error(argv[0], "%s needs a value; see infprof %s --help", given, argv[0]);
        else if (answer == ':')
                cmd_error(argv[0], "-%c needs a value; see infprof %s --help", optopt, argv[0]);
        else if (optopt && !is_long)
                cmd_error(argv[0], "unknown option -%c; see infprof %s --help", optopt, argv[0]);
        else if (optopt)
                cmd_error(argv[0], "%s takes no value; see infprof %s --help", given, argv[0]);
        else
                cmd_error(argv[0], "unknown option %s; see infprof %s --help", given, argv[0]);
        return CMD_USAGE;
}

bool cmd_json_option(int argc, char **argv, bool leading, void (*usage)(void), bool *ret_json,
                     int *ret_code)
{
        static const struct option options[] = {
                {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {}};
        int o;

        *ret_json = false;
        opterr = 0;
        while ((o = getopt_long(argc, argv, leading ? "+:jh" : ":jh", options, NULL)) == 'j')
                *ret_json = true;
        if (o == -1)
                return true;
        if (o == 'h')
                usage();
        *ret_code = o == 'h' ? CMD_DONE : cmd_bad_option(argc, argv, o);
        return false;
}

int cmd_each_option(int argc, char **argv, const char *brief, const struct option *options,
                    int (*take)(void *userdata, int option, int argc, char **argv), void *userdata)
{
        int option, r = 0;

        opterr = 0;
        while (!r && (option = getopt_long(argc, argv, brief, options, NULL)) != -1)
                r = take(userdata, option, argc, argv);
        return r;
}

int cmd_take_rows(const char *verb, const char *value, size_t *ret)
{
        size_t digits = strspn(value, "0123456789");

        if (!digits || value[digits] || digits > 9) {
                cmd_error(verb, "-n cannot be '%s'; it is a number of rows, 0 for all", value);
                return CMD_USAGE;
        }
        *ret = strtoul(value, NULL, 10);
        return 0;
}

int cmd_extra_operand(char **argv, const char *operand)
{
        cmd_error(argv[0], "one argument too many: %s; see infprof %s --help", operand, argv[0]);
        return CMD_USAGE;
}

int cmd_operand(int argc, char **argv, const char **ret)
{
        *ret = optind < argc ? argv[optind++] : NULL;
        return optind < argc ? cmd_extra_operand(argv, argv[optind]) : 0;
}

int cmd_print_json(const char *verb, const json_t *document)
{
        if (json_dumpf(document, stdout, JSON_INDENT(2)) < 0 || putchar('\n') == EOF) {
                cmd_error(verb, "cannot write to stdout: %s", strerror(errno));
                return CMD_NO;
        }
        return cmd_finish(verb, CMD_DONE);
}

int cmd_finish(const char *verb, int code)
{
        if (fflush(stdout) == EOF || ferror(stdout)) {
                cmd_error(verb, "cannot write to stdout: %s", strerror(errno));
                return CMD_NO;
        }
        return code;
}
