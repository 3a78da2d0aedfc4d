/* SPDX-License-Identifier: MIT */
/*
 * infprof check: conditions that a run has to meet, as a gate. Documents are fetched when the first
 * condition asks for them.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/check.h"
#include "cli/out-file.h"
#include "cli/run-find.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/check.h"
#include "common/cleanup.h"
#include "common/report-explain.h"
#include "common/report-layers.h"
#include "common/report-ledger.h"
#include "common/report-memory.h"
#include "common/report-roofline.h"
#include "common/report-spawns.h"
#include "common/report-threads.h"
#include "common/report-waits.h"

#define LINE_MAX_BYTES 4096

typedef int (*build_fn)(json_t **ret, const char *path, char **ret_why);

static int memory_file(json_t **ret, const char *path, char **ret_why)
{
        return report_memory_file(ret, path, &(struct memory_options){0}, ret_why);
}

static const struct {
        const char *name;
        build_fn build; /* NULL: run-find.c knows how */
} kinds[] = {
        {"report", NULL},
        {"memory", memory_file},
        {"spawns", report_spawns_file},
        {"waits", report_waits_file},
        {"ledger", report_ledger_file},
        {"threads", report_threads_file},
        {"layers", report_layers_file},
        {"explain", report_explain_file},
        {"roofline", report_roofline_file},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct request {
        const char *run, *baseline, *junit;
        char **conditions; /* texts */
        char **places;     /* "FILE:LINE: " of one from a file, else "" */
        size_t n, room;
        bool as_json;
};

static void request_done(struct request *r)
{
        for (size_t i = 0; i < r->n; i++) {
                free(r->conditions[i]);
                free(r->places[i]);
        }
        free(r->conditions);
        free(r->places);
}

static void usage(void)
{
        puts("usage: infprof check [OPTION...] [RUN] [CONDITION...]\n"
             "\n"
             "Holds a run against conditions, as a gate:\n"
             "\n"
             "    infprof check 'p99(decode) < 20ms' 'alloc.per_token == 0' 'spawns.per_token < "
             "0.01'\n"
             "    infprof check --baseline A B 'tokens_per_second >= baseline * 0.97'\n"
             "\n"
             "RUN is an id, a run file, the pid of an engine that runs, or latest (the default).\n"
             "Quantities, functions and units are in infprof(1).\n"
             "\n"
             "  -f, --file FILE      conditions from FILE, one a line; # begins a comment\n"
             "  -b, --baseline RUN   the run that `baseline` is of\n"
             "      --junit FILE     the results also as JUnit XML (- is stdout, instead of the "
             "table)\n"
             "  -j, --json           the whole document (infprof.check/1)\n"
             "  -h, --help           this help\n"
             "\n"
             "Exit codes: 0 all are met, 1 one is not, or is not known, 2 usage, or a condition "
             "that\n"
             "makes no sense, 3 there is no such run, or it cannot be read.");
}

/* ---- conditions ---------------------------------------------------------------------- */

static int no_memory(void)
{
        cmd_error("check", "out of memory");
        return CMD_NO;
}

static int add(struct request *r, const char *text, size_t n, const char *file, size_t line)
{
        if (r->n == r->room) {
                size_t room = r->room ? 2 * r->room : 16;
                char **more = realloc(r->conditions, room * sizeof(*more));

                if (more)
                        r->conditions = more;
                more = more ? realloc(r->places, room * sizeof(*more)) : NULL;
                if (!more)
                        return no_memory();
                r->places = more;
                r->room = room;
        }
        r->conditions[r->n] = strndup(text, n);
        r->places[r->n] = NULL;
        if (!r->conditions[r->n])
                return no_memory();
        if ((file ? asprintf(&r->places[r->n], "%s:%zu: ", file, line)
                  : asprintf(&r->places[r->n], "%s", "")) < 0) {
                free(r->conditions[r->n]);
                return no_memory();
        }
        r->n++;
        return 0;
}

/* A condition's length: up to a comment, without blanks at its end. */
static size_t length(const char *line)
{
        char quote = 0;
        size_t n = 0;

        for (; line[n] && (quote || line[n] != '#'); n++)
                if (quote ? line[n] == quote : line[n] == '\'' || line[n] == '"')
                        quote = quote ? 0 : line[n];
        while (n && strchr(" \t\r\n", line[n - 1]))
                n--;
        return n;
}

static int add_file(struct request *r, const char *path)
{
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        char line[LINE_MAX_BYTES];
        size_t number = 0;
        int e = 0;

        if (!f) {
                cmd_error("check", "cannot open %s: %s", path, strerror(errno));
                return CMD_USAGE;
        }
        while (!e && fgets(line, sizeof(line), f)) {
                const char *at = line + strspn(line, " \t");
                size_t n = length(at);

                number++;
                if (strlen(line) == sizeof(line) - 1 && line[sizeof(line) - 2] != '\n') {
                        cmd_error("check", "%s:%zu: the line is longer than %d bytes", path, number,
                                  LINE_MAX_BYTES - 2);
                        return CMD_USAGE;
                }
                if (n)
                        e = add(r, at, n, path, number);
        }
        if (ferror(f)) {
                cmd_error("check", "cannot read %s: %s", path, strerror(errno));
                return CMD_USAGE;
        }
        return e;
}

static bool is_condition(const char *s)
{
        return strpbrk(s, "<>=!") != NULL;
}

static int take_option(void *userdata, int o, int argc, char **argv)
{
        struct request *r = userdata;
        int e = 0;

        switch (o) {
        case 'f':
                e = add_file(r, optarg);
                return e ? 1 + e : 0;
        case 'b':
                r->baseline = optarg;
                return 0;
        case 'u':
                r->junit = optarg;
                return 0;
        case 'j':
                r->as_json = true;
                return 0;
        case 'h':
                usage();
                return 1 + cmd_finish("check", CMD_DONE);
        default:
                return 1 + cmd_bad_option(argc, argv, o);
        }
}

/* 0; or 1 + exit code */
static int parse(int argc, char **argv, struct request *r)
{
        static const struct option options[] = {
                {"file", required_argument, NULL, 'f'},  {"baseline", required_argument, NULL, 'b'},
                {"junit", required_argument, NULL, 'u'}, {"json", no_argument, NULL, 'j'},
                {"help", no_argument, NULL, 'h'},        {}};
        int e = cmd_each_option(argc, argv, ":f:b:jh", options, take_option, r);

        if (e)
                return e;
        if (optind < argc && !is_condition(argv[optind]))
                r->run = argv[optind++];
        for (; optind < argc; optind++) {
                if (!is_condition(argv[optind])) {
                        cmd_error("check",
                                  "'%s' is no condition: it has no comparison (< <= > >= == !=)",
                                  argv[optind]);
                        return 1 + CMD_USAGE;
                }
                e = add(r, argv[optind], strlen(argv[optind]), NULL, 0);
                if (e)
                        return 1 + e;
        }
        if (!r->n) {
                cmd_error("check", "which conditions? infprof check 'p99(decode) < 20ms', or "
                                   "--file FILE");
                return 1 + CMD_USAGE;
        }
        if (r->as_json && r->junit && !strcmp(r->junit, "-")) {
                cmd_error("check", "--junit - and --json both want stdout: give --junit a file");
                return 1 + CMD_USAGE;
        }
        return 0;
}

/* ---- documents ----------------------------------------------------------------------- */

struct documents {
        const struct request *request;
        json_t *of[2][N_KINDS];
        int failed; /* exit code, once one could not be had */
};

static int build(const char *file, const void *userdata, json_t **ret, char **ret_why)
{
        const build_fn *fn = userdata;

        return (*fn)(ret, file, ret_why);
}

static const json_t *get(void *userdata, enum check_run run, const char *name)
{
        struct documents *d = userdata;
        const char *of = run == CHECK_RUN ? d->request->run : d->request->baseline;
        size_t i = 0;

        while (i < N_KINDS && strcmp(kinds[i].name, name) != 0)
                i++;
        if (i == N_KINDS)
                return NULL;
        if (!d->of[run][i] && !d->failed)
                d->failed = kinds[i].build ? run_find_document("check", of,
                                                               &(struct run_document){
                                                                       .path = name,
                                                                       .build = build,
                                                                       .userdata = &kinds[i].build},
                                                               &d->of[run][i])
                                           : run_find_report("check", of, &d->of[run][i]);
        return d->of[run][i];
}

static void documents_done(struct documents *d)
{
        for (size_t i = 0; i < N_KINDS; i++) {
                json_decref(d->of[CHECK_RUN][i]);
                json_decref(d->of[CHECK_BASELINE][i]);
        }
}

/* ---- the document infprof.check/1 ---------------------------------------------------- */

static const char *const verdicts[] = {"pass", "fail", "unknown"};
static const char *const units[] = {NULL, "ns", "bytes"};

static json_t *number(double v)
{
        return v - v == 0 ? json_real(v) : json_null();
}

static void put_result(json_t *list, const char *condition, const struct check_result *r)
{
        json_array_append_new(
                list, json_pack("{s:s, s:s, s:o, s:s, s:o, s:s?, s:s?}", "condition", condition,
                                "verdict", verdicts[r->verdict], "value", number(r->left.number),
                                "comparison", r->comparison, "limit", number(r->right.number),
                                "unit", units[r->left.unit], "why", r->why[0] ? r->why : NULL));
}

static const char *id_of(const json_t *report)
{
        return text_string(json_object_get(report, "run"), "id", "?");
}

static json_t *document(struct documents *d, json_t *list, const size_t counts[3])
{
        const json_t *run = get(d, CHECK_RUN, "report"),
                     *baseline = d->request->baseline ? get(d, CHECK_BASELINE, "report") : NULL;

        if (!run || (d->request->baseline && !baseline)) {
                json_decref(list);
                return NULL;
        }
        return json_pack("{s:s, s:O, s:o, s:i, s:i, s:i, s:o}", "schema", "infprof.check/1", "run",
                         json_object_get(run, "run"), "baseline",
                         baseline ? json_string(id_of(baseline)) : json_null(), "passed",
                         (int)counts[CHECK_PASSED], "failed", (int)counts[CHECK_FAILED], "unknown",
                         (int)counts[CHECK_UNKNOWN], "conditions", list);
}

/* All of them are read before the first is worked out. The exit code, or 0. */
static int run_all(const struct request *q, struct documents *d, json_t *list, size_t counts[3])
{
        const struct check_source from = {get, d, q->baseline != NULL};
        _cleanup_(freep) struct check **checks = calloc(q->n, sizeof(struct check *));
        _cleanup_(freep) char *why = NULL;
        struct check_result result;
        size_t i;
        int r = checks ? 0 : -ENOMEM;

        for (i = 0; !r && i < q->n; i++)
                r = check_parse(&checks[i], q->conditions[i], &why);
        if (r == CHECK_E_MALFORMED)
                cmd_error("check", "%s%s: %s", q->places[i - 1], q->conditions[i - 1], why);
        for (i = 0; !r && i < q->n; i++) {
                r = check_run(&result, checks[i], &from, &why);
                if (r == CHECK_E_MALFORMED)
                        cmd_error("check", "%s%s: %s", q->places[i], q->conditions[i], why);
                if (r)
                        break;
                put_result(list, q->conditions[i], &result);
                counts[result.verdict]++;
        }
        for (i = 0; checks && i < q->n; i++)
                check_free(checks[i]);
        if (r == CHECK_E_MALFORMED)
                return CMD_USAGE;
        if (d->failed)
                return d->failed;
        return r ? no_memory() : 0;
}

static int write_junit(const char *path, const json_t *o)
{
        _cleanup_(freep) char *text = NULL;
        size_t bytes = 0;
        FILE *f = open_memstream(&text, &bytes);

        if (f)
                check_junit(f, o);
        if (!f || fclose(f) == EOF)
                return no_memory();
        return out_file_write("check", path, text, bytes);
}

static int show(const struct request *q, const json_t *o)
{
        int r = q->junit ? write_junit(q->junit, o) : CMD_DONE;

        if (r)
                return r;
        if (q->as_json)
                return cmd_print_json("check", o);
        if (q->junit && !strcmp(q->junit, "-"))
                return CMD_DONE;
        if (!check_print(o, table_output_width(), stdout))
                return no_memory();
        return cmd_finish("check", CMD_DONE);
}

int cmd_check(int argc, char **argv)
{
        struct request q = {0};
        struct documents d = {.request = &q};
        _cleanup_(json_decrefp) json_t *o = NULL;
        json_t *list = json_array();
        size_t counts[3] = {0};
        int r = parse(argc, argv, &q);

        if (!r) {
                text_init();
                r = run_all(&q, &d, list, counts);
                r = r ? 1 + r : 0;
        }
        if (!r) {
                o = document(&d, json_incref(list), counts);
                r = o ? 0 : 1 + (d.failed ? d.failed : no_memory());
        }
        if (!r)
                r = 1 + show(&q, o);
        json_decref(list);
        documents_done(&d);
        request_done(&q);
        if (r > 1)
                return r - 1;
        return o && (counts[CHECK_FAILED] || counts[CHECK_UNKNOWN]) ? CMD_NO : CMD_DONE;
}
