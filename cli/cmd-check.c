/* SPDX-License-Identifier: MIT */
/*
 * infprof check: conditions that a run has to meet, as a gate. Every condition is looked at; one
 * that makes no sense is told on stderr, and is in the document like the others.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/check.h"
#include "cli/out-file.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/check.h"
#include "common/cleanup.h"
#include "common/fmt.h"

struct request {
        const char *run, *baseline, *junit;
        struct check_conditions conditions;
        bool as_json;
};

static void usage(void)
{
        puts("usage: infprof check [OPTION...] [RUN] [CONDITION...]\n"
             "\n"
             "Holds a run against conditions, as a gate:\n"
             "\n"
             "    infprof check 'p99(decode) < 20ms' 'spawns.per_token < 0.01'\n"
             "    infprof check --baseline A B 'tokens_per_second >= baseline * 0.97'\n"
             "\n"
             "RUN is an id, a run file, the pid of an engine that runs, or latest (default).\n"
             "Quantities, functions and units are in infprof(1).\n"
             "\n"
             "  -f, --file FILE      conditions from FILE, one a line; # begins a comment\n"
             "  -b, --baseline RUN   the run that `baseline` is of\n"
             "      --junit FILE     the results also as JUnit XML (-: to stdout, no table)\n"
             "  -j, --json           the whole document (infprof.check/1)\n"
             "  -h, --help           this help\n"
             "\n"
             "Exit codes: 0 all are met, 1 one is not, or is not known, 2 usage, or one makes\n"
             "no sense (the others are looked at), 3 there is no such run, or it cannot be\n"
             "read.");
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
                e = check_conditions_add_file(&r->conditions, optarg);
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
                e = check_conditions_add(&r->conditions, argv[optind]);
                if (e)
                        return 1 + e;
        }
        if (!r->conditions.n) {
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

/* ---- the document infprof.check/1 ---------------------------------------------------- */

enum { MALFORMED = CHECK_UNKNOWN + 1, N_VERDICTS };

static const char *const verdicts[] = {"pass", "fail", "unknown", "malformed"};
static const char *const units[] = {NULL, "ns", "bytes"};
static const char *const bounds[] = {NULL, "at least", "at most", NULL};

struct results {
        json_t *list;
        size_t counts[N_VERDICTS];
};

static int no_memory(void)
{
        cmd_error("check", "out of memory");
        return CMD_NO;
}

static json_t *number(double v)
{
        return v - v == 0 ? json_real(v) : json_null();
}

static int put(struct results *to, int verdict, json_t *o)
{
        to->counts[verdict]++;
        return json_array_append_new(to->list, o) ? -ENOMEM : 0;
}

static int put_result(struct results *to, const char *condition, const struct check_result *r)
{
        _cleanup_(freep) char *text = fmt_utf8(condition), *why = fmt_utf8(r->why);

        if (!text || !why)
                return -ENOMEM;
        return put(to, r->verdict,
                   json_pack("{s:s, s:s, s:o, s:s?, s:s, s:o, s:s?, s:s?, s:s?}", "condition", text,
                             "verdict", verdicts[r->verdict], "value", number(r->left.number),
                             "value_is", bounds[r->left.bound], "comparison", r->comparison,
                             "limit", number(r->right.number), "limit_is", bounds[r->right.bound],
                             "unit", units[r->left.unit], "why", *why ? why : NULL));
}

#define AROUND 60 /* bytes of a condition on each side of its column that are told */

static bool within(char c)
{
        return ((unsigned char)c & 0xc0) == 0x80;
}

/* One line on stderr, and an entry of the document. `why` begins with the column. */
static int put_malformed(struct results *to, const struct check_condition *c, const char *why)
{
        _cleanup_(freep) char *text = fmt_utf8(c->text), *told = fmt_utf8(why);
        size_t column = 1, n = strlen(c->text), from, end;

        if (!text || !told)
                return -ENOMEM;
        sscanf(why, "column %zu:", &column);
        from = column > AROUND ? column - AROUND : 0;
        end = n - from > 2 * AROUND ? from + 2 * AROUND : n;
        while (from && within(c->text[from]))
                from--;
        while (end < n && within(c->text[end]))
                end--;
        cmd_error("check", "%s: %s%.*s%s: %s", c->place, from ? "..." : "", (int)(end - from),
                  c->text + from, end < n ? "..." : "", why);
        return put(to, MALFORMED,
                   json_pack("{s:s, s:s, s:n, s:n, s:n, s:n, s:n, s:n, s:s}", "condition", text,
                             "verdict", verdicts[MALFORMED], "value", "value_is", "comparison",
                             "limit", "limit_is", "unit", "why", told));
}

static const char *id_of(const json_t *report)
{
        return text_string(json_object_get(report, "run"), "id", "?");
}

static json_t *document(struct check_documents *d, const struct results *results)
{
        const json_t *run = check_documents_get(d, CHECK_RUN, "report"),
                     *baseline =
                             d->baseline ? check_documents_get(d, CHECK_BASELINE, "report") : NULL;
        const size_t *counts = results->counts;

        if (!run || (d->baseline && !baseline))
                return NULL;
        return json_pack("{s:s, s:O, s:o, s:i, s:i, s:i, s:i, s:O}", "schema", "infprof.check/1",
                         "run", json_object_get(run, "run"), "baseline",
                         baseline ? json_string(id_of(baseline)) : json_null(), "passed",
                         (int)counts[CHECK_PASSED], "failed", (int)counts[CHECK_FAILED], "unknown",
                         (int)counts[CHECK_UNKNOWN], "malformed", (int)counts[MALFORMED],
                         "conditions", results->list);
}

/* 0, or a negative errno: -ENOENT, a document could not be had. */
static int look_at(const struct check_condition *one, const struct check_source *from,
                   struct results *to)
{
        _cleanup_(freep) char *why = NULL;
        struct check *c = NULL;
        struct check_result result;
        int r;

        if (one->wrong)
                return put_malformed(to, one, one->wrong);
        r = check_parse(&c, one->text, &why);
        if (!r)
                r = check_run(&result, c, from, &why);
        check_free(c);
        if (r == CHECK_E_MALFORMED)
                return put_malformed(to, one, why);
        return r ? r : put_result(to, one->text, &result);
}

/* The exit code, or 0. */
static int look_at_all(const struct request *q, struct check_documents *d, struct results *to)
{
        const struct check_source from = {check_documents_get, d, q->baseline != NULL,
                                          check_documents_schema};
        int r = to->list ? 0 : -ENOMEM;

        for (size_t i = 0; !r && i < q->conditions.n; i++)
                r = look_at(&q->conditions.all[i], &from, to);
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
        struct check_documents d = {0};
        struct results results = {.list = json_array()};
        _cleanup_(json_decrefp) json_t *o = NULL;
        int r = parse(argc, argv, &q);

        d.run = q.run;
        d.baseline = q.baseline;
        if (!r) {
                text_init();
                r = look_at_all(&q, &d, &results);
                r = r ? 1 + r : 0;
        }
        if (!r) {
                o = document(&d, &results);
                r = o ? 0 : 1 + (d.failed ? d.failed : no_memory());
        }
        if (!r)
                r = 1 + show(&q, o);
        json_decref(results.list);
        check_documents_done(&d);
        check_conditions_done(&q.conditions);
        if (r > 1)
                return r - 1;
        if (results.counts[MALFORMED])
                return CMD_USAGE;
        return results.counts[CHECK_FAILED] || results.counts[CHECK_UNKNOWN] ? CMD_NO : CMD_DONE;
}
