/* SPDX-License-Identifier: MIT */
/* What names in conditions stand for. */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check-private.h"
#include "common/cleanup.h"
#include "common/near.h"

#define NEAR_MOST 3 /* names that are offered */

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

/* Of an op; those with `token`: of decode, of a token. */
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

/* ---- names that are near ------------------------------------------------------------ */

struct near {
        const char *word;
        size_t far[NEAR_MOST];
        const char *names[NEAR_MOST];
        size_t n;
};

static void offer(struct near *near, const char *name)
{
        size_t far = near_distance(near->word, name), longest = strlen(near->word), i;

        if (strstr(name, near->word) && longest > 2)
                far = 1;
        if (far == SIZE_MAX || far > (longest > 6 ? longest / 3 : 2))
                return;
        for (i = near->n; i && near->far[i - 1] > far; i--)
                if (i < NEAR_MOST) {
                        near->far[i] = near->far[i - 1];
                        near->names[i] = near->names[i - 1];
                }
        if (i == NEAR_MOST)
                return;
        near->far[i] = far;
        near->names[i] = name;
        near->n += near->n < NEAR_MOST;
}

/* "there is no op 'X'; near: A, B". CHECK_E_MALFORMED or -ENOMEM. */
static int no_such(const char *what, const char *word, const struct near *near, char **ret_why)
{
        char list[256] = "";

        for (size_t i = 0; i < near->n; i++)
                snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
                         i ? ", " : "; near: ", near->names[i]);
        return asprintf(ret_why, "there is no %s '%s'%s", what, word, list) < 0 ? -ENOMEM
                                                                                : CHECK_E_MALFORMED;
}

/* ---- values -------------------------------------------------------------------------- */

static bool ends(const char *s, const char *with)
{
        size_t n = strlen(s), k = strlen(with);

        return n >= k && !strcmp(s + n - k, with);
}

static enum check_unit unit_of(const char *member)
{
        return ends(member, "_ns") ? CHECK_NS : ends(member, "bytes") ? CHECK_BYTES : CHECK_PLAIN;
}

static const json_t *get(const struct check_source *from, enum check_run run, const char *document)
{
        return from->get(from->userdata, run, document);
}

/* "tokens.p99_ns" of what a name asks for, for people. To be freed. */
static char *path_text(const struct check_name *name)
{
        char *text = NULL;
        size_t bytes = 0;
        FILE *f = open_memstream(&text, &bytes);

        for (size_t i = 0; f && i < name->n; i++)
                if (name->steps[i].of_list)
                        fprintf(f, "['%s']", name->steps[i].name);
                else
                        fprintf(f, "%s%s", i ? "." : "", name->steps[i].name);
        if (f && fclose(f) == EOF) {
                free(text);
                text = NULL;
        }
        return text;
}

/* A number, true, false or null; others are no quantity. */
static bool take(struct check_value *ret, const json_t *v, const char *member, const char *what,
                 char *why, size_t size)
{
        *ret = (struct check_value){NAN, unit_of(member)};
        if (json_is_boolean(v))
                ret->number = json_is_true(v);
        else if (json_is_number(v))
                ret->number = json_number_value(v);
        else if (json_is_null(v))
                snprintf(why, size, "the run has no figure for %s", what);
        else
                return false;
        return true;
}

static const char *name_of(const json_t *element)
{
        static const char *const keys[] = {"name", "id", "row", "kind", "shape", "op"};

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                const char *s = json_string_value(json_object_get(element, keys[i]));

                if (s)
                        return s;
        }
        return NULL;
}

/* By its name, else by its number. */
static const json_t *element_of(const json_t *list, const char *word, struct near *near)
{
        const json_t *e;
        char *end;
        unsigned long number = strtoul(word, &end, 10);
        size_t i;

        json_array_foreach(list, i, e)
        {
                const char *name = name_of(e);

                if (name && !strcmp(name, word))
                        return e;
                if (name)
                        offer(near, name);
        }
        return *word && !*end ? json_array_get(list, number) : NULL;
}

static const json_t *member_of(const json_t *object, const char *word, struct near *near)
{
        const json_t *v;
        const char *key;

        json_object_foreach((json_t *)(uintptr_t)object, key, v)
        {
                if (!strcmp(key, word))
                        return v;
                offer(near, key);
        }
        return NULL;
}

/* The rest of a path, from a document on. */
static int walk(struct check_value *ret, const json_t *at, const struct check_name *name,
                size_t first, char *why, size_t size, char **ret_why)
{
        _cleanup_(freep) char *text = path_text(name);

        if (!text)
                return -ENOMEM;
        for (size_t i = first; i < name->n; i++) {
                const char *word = name->steps[i].name;
                struct near near = {.word = word};
                const json_t *next = name->steps[i].of_list || json_is_array(at)
                                             ? element_of(at, word, &near)
                                             : member_of(at, word, &near);

                if (!next && json_is_null(at)) {
                        *ret = (struct check_value){NAN, unit_of(name->steps[name->n - 1].name)};
                        snprintf(why, size, "the run has no figure for %s", text);
                        return 0;
                }
                if (!next)
                        return no_such(i == first && !i ? "quantity" : "member", word, &near,
                                       ret_why);
                at = next;
        }
        if (!take(ret, at, name->steps[name->n - 1].name, text, why, size))
                return asprintf(ret_why, "%s is no number", text) < 0 ? -ENOMEM : CHECK_E_MALFORMED;
        return 0;
}

/* Of "document.member.member", whose names are all there. */
static int short_name(struct check_value *ret, const char *path, const char *name,
                      const struct check_source *from, enum check_run run, char *why, size_t size)
{
        char document[32], member[48];
        const char *at = strchr(path, '.'), *next;
        const json_t *v;

        snprintf(document, sizeof(document), "%.*s", (int)(at - path), path);
        v = get(from, run, document);
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
        if (!v || !take(ret, v, member, name, why, size)) {
                *ret = (struct check_value){NAN, unit_of(member)};
                snprintf(why, size, "the run has no figure for %s", name);
        }
        return 0;
}

static int sum_up(struct check_value *ret, size_t s, const struct check_source *from,
                  enum check_run run, char *why, size_t size)
{
        const json_t *o = get(from, run, sums[s].document), *list, *e;
        double tokens = NAN;
        size_t i;

        if (!o)
                return -ENOENT;
        list = json_object_get(o, sums[s].list);
        if (sums[s].per_token)
                tokens = json_number_value(json_object_get(o, "tokens"));
        *ret = (struct check_value){0, sums[s].member ? unit_of(sums[s].member) : CHECK_PLAIN};
        json_array_foreach(list, i, e) ret->number +=
                sums[s].member ? json_number_value(json_object_get(e, sums[s].member)) : 1;
        if (sums[s].per_token)
                ret->number /= tokens > 0 ? tokens : NAN;
        if (isnan(ret->number))
                snprintf(why, size, "no token was decoded");
        return 0;
}

/* ---- functions ----------------------------------------------------------------------- */

static int of_op(struct check_value *ret, const struct check_name *name,
                 const struct check_source *from, enum check_run run, char *why, size_t size,
                 char **ret_why)
{
        const char *word = name->steps[0].name;
        struct near near = {.word = name->function};
        const json_t *report, *op;
        char what[96];
        size_t f = 0;

        while (f < N_FUNCTIONS && strcmp(functions[f].name, name->function) != 0)
                offer(&near, functions[f++].name);
        if (f == N_FUNCTIONS)
                return no_such("function", name->function, &near, ret_why);
        report = get(from, run, "report");
        if (!report)
                return -ENOENT;
        snprintf(what, sizeof(what), "%s(%s)", name->function, word);
        if (!strcmp(word, "decode") && functions[f].token) {
                const json_t *tokens = json_object_get(report, "tokens");

                if (!take(ret, json_object_get(tokens, functions[f].token), functions[f].token,
                          what, why, size)) {
                        *ret = (struct check_value){NAN, CHECK_NS};
                        snprintf(why, size, "no token was decoded");
                }
                return 0;
        }
        near = (struct near){.word = word};
        op = element_of(json_object_get(report, "ops"), word, &near);
        if (!op)
                return no_such("op", word, &near, ret_why);
        if (!take(ret, json_object_get(op, functions[f].member), functions[f].member, what, why,
                  size)) {
                *ret = (struct check_value){NAN, unit_of(functions[f].member)};
                snprintf(why, size, "the run has no figure for %s", what);
        }
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
static int unknown(const struct check_name *name, const json_t *report, char **ret_why)
{
        _cleanup_(freep) char *text = path_text(name);
        struct near near = {.word = text};
        const json_t *v;
        const char *key;

        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i < N_NAMES; i++)
                offer(&near, names[i].name);
        for (size_t i = 0; i < N_SUMS; i++)
                offer(&near, sums[i].name);
        json_object_foreach((json_t *)(uintptr_t)report, key, v) offer(&near, key);
        for (size_t i = 0; i < N_DOCUMENTS; i++)
                offer(&near, documents[i]);
        return no_such("quantity", text, &near, ret_why);
}

int check_look_up(struct check_value *ret, const struct check_name *name,
                  const struct check_source *from, enum check_run run, char *why, size_t size,
                  char **ret_why)
{
        const char *document = "report", *word = name->steps[0].name;
        const json_t *o;
        size_t first = 0;

        if (name->function)
                return of_op(ret, name, from, run, why, size, ret_why);
        for (size_t i = 0; i < N_NAMES; i++)
                if (is_name(name, names[i].name))
                        return short_name(ret, names[i].path, names[i].name, from, run, why, size);
        for (size_t i = 0; i < N_SUMS; i++)
                if (is_name(name, sums[i].name))
                        return sum_up(ret, i, from, run, why, size);
        for (size_t i = 0; i < N_DOCUMENTS && name->n > 1; i++)
                if (!strcmp(word, documents[i])) {
                        document = word;
                        first = 1;
                }
        if (!strcmp(word, "report") && name->n > 1)
                first = 1;
        o = get(from, run, document);
        if (!o)
                return -ENOENT;
        if (!first && !json_object_get(o, word))
                return unknown(name, o, ret_why);
        return walk(ret, o, name, first, why, size, ret_why);
}
