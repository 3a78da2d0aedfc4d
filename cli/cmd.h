/* SPDX-License-Identifier: MIT */
/*
 * What the verbs of infprof(1) have in common: exit codes, the one line an
 * error is, and the JSON form. Each verb is one file, cmd-<verb>.c, with one
 * public function; main.c has the table.
 */
#pragma once

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>

enum cmd_exit {
        CMD_DONE = 0,
        CMD_NO = 1, /* the answer is no: a check failed, or something could not be done */
        CMD_USAGE = 2,
        CMD_NOTHING = 3, /* nothing to answer from: no such run or process, no daemon */
};

/* The table of verbs, in main.c; a NULL name ends it. */
struct cmd_verb {
        const char *name;
        int (*run)(int argc, char **argv);
        const char *help; /* NULL: it is not for people */
};
extern const struct cmd_verb cmd_verbs[];
const struct cmd_verb *cmd_find(const char *name);

/* argv[0] is the verb. The result is the exit code. */
int cmd_ab(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_complete(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_flame(int argc, char **argv);
int cmd_help_verb(int argc, char **argv);
int cmd_layers(int argc, char **argv);
int cmd_ledger(int argc, char **argv);
int cmd_tokens(int argc, char **argv);
int cmd_machine(int argc, char **argv);
int cmd_mark(int argc, char **argv);
int cmd_memory(int argc, char **argv);
int cmd_pause(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_roofline(int argc, char **argv);
int cmd_runs(int argc, char **argv);
int cmd_spawns(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_sweep(int argc, char **argv);
int cmd_threads(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_waits(int argc, char **argv);

/* "infprof VERB: ..." as one line on stderr, control characters replaced. */
__attribute__((format(printf, 2, 3))) void cmd_error(const char *verb, const char *format, ...);

/*
 * Says what is wrong with the option that getopt_long() has just answered '?' or ':' to (opterr
 * must be 0, the option string begin with ':' or "+:"); returns CMD_USAGE.
 */
int cmd_bad_option(int argc, char **argv, int answer);

/*
 * The options of a verb that has --json and --help only; `leading`: they end at
 * the first operand. Afterwards optind is at the first operand. false: it is
 * over, with the exit code in *ret_code.
 */
bool cmd_json_option(int argc, char **argv, bool leading, void (*usage)(void), bool *ret_json,
                     int *ret_code);

/*
 * Hands each option that getopt_long() finds to `take`, until that answers anything but 0, which is
 * then the answer.
 */
int cmd_each_option(int argc, char **argv, const char *brief, const struct option *options,
                    int (*take)(void *userdata, int option, int argc, char **argv), void *userdata);

/* The N of -n, rows where 0 is all. 0, or CMD_USAGE after a line that says what is wrong. */
int cmd_take_rows(const char *verb, const char *value, size_t *ret);

/* Too many operands: says so; returns CMD_USAGE. */
int cmd_extra_operand(char **argv, const char *operand);

/* The operand of a verb that takes one or none (NULL), once options are read. 0, or CMD_USAGE after
 * a line where there are more. */
int cmd_operand(int argc, char **argv, const char **ret);

/* Prints `document` for people and programs both; returns CMD_DONE, or CMD_NO when stdout is
 * broken. */
int cmd_print_json(const char *verb, const json_t *document);

/* Flushes stdout; a broken one (a full disk) is said and becomes CMD_NO, else `code` is returned.
 */
int cmd_finish(const char *verb, int code);
