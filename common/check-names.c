/* SPDX-License-Identifier: MIT */
/*
 * What names in conditions stand for: short names, sums over lists, functions of ops, and paths
 * into documents. A document whose name the report has too goes first; what it has not is the
 * report's.
 */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check-private.h"
#include "common/cleanup.h"

/* ---- the tables --------------------------------------------------------------------- */

/* A short name, and the path that it stands for: document, then members. */
static const struct {
        const char *name, *path;
} names[] = {
        {"tokens_per_second", "report.tokens.per_second"},
        {"ttft", "report.tokens.ttft_ns"},
        {"wall", "report.run.duration_ns"},
        {"exit_code", "report.run.exit.code"},
        {"overhead", "report.self.overhead_fraction"},
        {"lost", "report.self.lost"},
        {"alloc.per_token", "memory.per_token.calls.mean"},
        {"alloc.bytes_per_token", "memory.per_token.bytes.mean"},
        {"memory.peak", "memory.totals.peak_bytes"},
        {"memory.live", "memory.totals.live_bytes"},
        {"memory.failed", "memory.totals.failed_calls"},
        {"ledger.overhead_factor", "ledger.overhead_factor"},
};
#define N_NAMES (sizeof(names) / sizeof(names[0]))

/* Sums over a list. */
static const struct {
        const char *name, *document, *list, *member;
        bool per_token;
} sums[] = {
        {"spawns.per_token", "spawns", "sites", "count", true},
        {"spawns.count", "spawns", "sites", "count", false},
        {"waits.count", "waits", "kinds", "count", false},
        {"waits.total", "waits", "kinds", "total_ns", false},
        {"findings", "explain", "findings", NULL, false},
};
#define N_SUMS (sizeof(sums) / sizeof(sums[0]))

/* Of an op; those with `token`: of decode, of a step. */
static const struct {
        const char *name, *member, *token;
} functions[] = {
        {"p50", "p50_ns", "p50_ns"},
        {"p95", "p95_ns", "p95_ns"},
        {"p99", "p99_ns", "p99_ns"},
        {"mean", "mean_ns", "mean_ns"},
        {"stddev", "stddev_ns", "stddev_ns"},
        {"max", "max_ns", NULL},
        {"min", "min_ns", NULL},
        {"total", "total_ns", NULL},
        {"self", "self_ns", NULL},
        {"share", "share", NULL},
        {"calls", "calls", NULL},
        {"gflops", "gflops", NULL},
        {"gbps", "gbps", NULL},
        {"intensity", "intensity", NULL},
        {"of_roof", "roof_share", NULL},
};
#define N_FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

static const char *const documents[] = {"memory",  "spawns", "waits",   "ledger",
                                        "threads", "layers", "explain", "roofline"};
#define N_DOCUMENTS (sizeof(documents) / sizeof(documents[0]))

/* ---- documents ----------------------------------------------------------------------- */

static const json_t *get(const struct check_look *l, const char *document)
{
        return l->from->get(l->from->userdata, l->run, document);
}

static const json_t *schema_of(const struct check_look *l, const char *document)
{
        return l->from->schema ? l->from->schema(l->from->userdata, document) : NULL;
}

/* Of "document.member.member", whose names are all there. */
static int short_name(struct check_value *ret, const struct check_look *l, size_t which)
{
        const char *at = strchr(names[which].path, '.'), *next;
        char document[32], member[48];
        const json_t *v;

        snprintf(document, sizeof(document), "%.*s", (int)(at - names[which].path),
                 names[which].path);
        v = get(l, document);
        if (!v)
                return -ENOENT;
        for (at++;; at = next + 1) {
                next = strchr(at, '.');
                snprintf(member, sizeof(member), "%.*s", next ? (int)(next - at) : (int)strlen(at),
                         at);
                v = json_object_get(v, member);
                if (!next)
                        break;
        }
        if (!v || !check_take(ret, l, v, member, names[which].name))
                *ret = check_no_figure(l, member, names[which].name);
        return 0;
}

static int sum_up(struct check_value *ret, const struct check_look *l, size_t s)
{
        const json_t *o = get(l, sums[s].document), *e;
        struct check_value one;
        size_t i;

        if (!o)
                return -ENOENT;
        *ret = (struct check_value){.unit = sums[s].member ? check_unit_of_member(sums[s].member)
                                                           : CHECK_PLAIN};
        json_array_foreach(json_object_get(o, sums[s].list), i, e)
        {
                const json_t *v = sums[s].member ? json_object_get(e, sums[s].member) : NULL;

                one = (struct check_value){.number = !sums[s].member, .unit = ret->unit};
                if (json_is_number(v))
                        check_take(&one, l, v, sums[s].member, sums[s].name);
                *ret = check_value_pair(CHECK_ADDED, *ret, one);
        }
        if (!sums[s].per_token)
                return 0;
        one = (struct check_value){0};
        if (!check_take(&one, l, json_object_get(o, "tokens"), "tokens", sums[s].name) ||
            !(one.number > 0)) {
                ret->number = NAN;
                snprintf(l->why, l->size, "no token was decoded%s",
                         l->run == CHECK_BASELINE ? " in the baseline run" : "");
        } else {
                *ret = check_value_pair(CHECK_DIVIDED, *ret, one);
        }
        return 0;
}

/* ---- functions ----------------------------------------------------------------------- */

static int of_decode(struct check_value *ret, const struct check_look *l, const json_t *report,
                     const char *member, const char *what)
{
        if (check_take(ret, l, json_object_get(json_object_get(report, "tokens"), member), member,
                       what))
                return 0;
        *ret = (struct check_value){.number = NAN, .unit = CHECK_NS};
        snprintf(l->why, l->size, "no token was decoded%s",
                 l->run == CHECK_BASELINE ? " in the baseline run" : "");
        return 0;
}

static int of_op(struct check_value *ret, const struct check_look *l)
{
        const struct check_name *name = l->name;
        const char *word = name->steps[0].name;
        struct check_near near = {.word = name->function};
        const json_t *report, *op;
        char what[96];
        size_t f = 0;

        while (f < N_FUNCTIONS && strcmp(functions[f].name, name->function) != 0)
                check_offer(&near, functions[f++].name);
        if (f == N_FUNCTIONS)
                return check_no_such(&(struct check_look){.ret_why = l->ret_why}, "function",
                                     &near);
        report = get(l, "report");
        if (!report)
                return -ENOENT;
        snprintf(what, sizeof(what), "%s(%.*s)", name->function, check_shown(word), word);
        if (!strcmp(word, "decode") && functions[f].token)
                return of_decode(ret, l, report, functions[f].token, what);
        near = (struct check_near){.word = word};
        op = check_element(json_object_get(report, "ops"), word, &near);
        if (!op)
                return check_no_such(l, "op", &near);
        if (!check_take(ret, l, json_object_get(op, functions[f].member), functions[f].member,
                        what))
                *ret = check_no_figure(l, functions[f].member, what);
        return 0;
}

/* ---- all of them --------------------------------------------------------------------- */

/* "memory.peak", if that is all of it. */
static bool is_name(const struct check_name *name, const char *text)
{
        for (size_t i = 0; i < name->n; i++) {
                size_t n = strlen(name->steps[i].name);

                if (name->steps[i].of_list || strncmp(text, name->steps[i].name, n) != 0)
                        return false;
                text += n;
                if (i + 1 < name->n && *text++ != '.')
                        return false;
        }
        return !*text;
}

/* One that is no path either: with what is near of all names. */
static int unknown(const struct check_look *l, const json_t *report)
{
        _cleanup_(freep) char *text = check_path_text(l->name);
        struct check_near near = {.word = text};
        const json_t *v;
        const char *key;

        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i < N_NAMES; i++)
                check_offer(&near, names[i].name);
        for (size_t i = 0; i < N_SUMS; i++)
                check_offer(&near, sums[i].name);
        json_object_foreach((json_t *)(uintptr_t)report, key, v) check_offer(&near, key);
        for (size_t i = 0; i < N_DOCUMENTS; i++)
                check_offer(&near, documents[i]);
        return check_no_such(l, "quantity", &near);
}

/* Does the report have it, and the document of that name not? Then *ret is the report. */
static int is_of_report(const json_t **ret, const struct check_look *l, const char *document)
{
        const struct check_step *second = &l->name->steps[1];
        const json_t *report = get(l, "report"), *member, *schema = schema_of(l, document), *o;
        struct check_near near;

        *ret = NULL;
        if (!report)
                return -ENOENT;
        member = json_object_get(report, document);
        if (!member || second->of_list != json_is_array(member) ||
            (!second->of_list && !json_object_get(member, second->name)))
                return 0;
        if (schema) {
                struct check_name two = *l->name;

                two.n = 2;
                if (!check_schema_has(schema, &two, 1, SIZE_MAX, &near))
                        *ret = report;
                return 0;
        }
        o = get(l, document);
        if (!o)
                return -ENOENT;
        if (second->of_list || !json_object_get(o, second->name))
                *ret = report;
        return 0;
}

static int of_document(struct check_value *ret, const struct check_look *l, const char *document)
{
        struct check_look both = *l;
        const json_t *o;
        int r = is_of_report(&o, l, document);

        if (r)
                return r;
        if (o)
                return check_walk(ret, l, o, schema_of(l, "report"), 0);
        both.others = json_object_get(get(l, "report"), document);
        o = get(l, document);
        return o ? check_walk(ret, &both, o, schema_of(l, document), 1) : -ENOENT;
}

int check_look_up(struct check_value *ret, const struct check_look *l)
{
        const struct check_name *name = l->name;
        const char *word = name->steps[0].name;
        const json_t *report;
        size_t first;

        if (name->function)
                return of_op(ret, l);
        for (size_t i = 0; i < N_NAMES; i++)
                if (is_name(name, names[i].name))
                        return short_name(ret, l, i);
        for (size_t i = 0; i < N_SUMS; i++)
                if (is_name(name, sums[i].name))
                        return sum_up(ret, l, i);
        for (size_t i = 0; i < N_DOCUMENTS && name->n > 1; i++)
                if (!strcmp(word, documents[i]))
                        return of_document(ret, l, documents[i]);
        first = !strcmp(word, "report") && name->n > 1;
        report = get(l, "report");
        if (!report)
                return -ENOENT;
        if (!first && !json_object_get(report, word))
                return unknown(l, report);
        return check_walk(ret, l, report, schema_of(l, "report"), first);
}
