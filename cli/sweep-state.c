/* SPDX-License-Identifier: MIT */
/*
 * A sweep as a file, "infprof.sweep-state/1". It may have been cut, or altered by anybody: what is
 * taken from it is checked as if it had been typed, and in one respect more: each figure has to be
 * one that a run can have.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep.h"
#include "common/cleanup.h"

#define SCHEMA     "infprof.sweep-state/1"
#define MOST_WORDS 10000u

static const char *const kinds[] = {"plain", "cpus", "numa"};
static const char *const ends[] = {"exited",      "killed",  "over-time",
                                   "over-memory", "not-run", "interrupted"};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))
#define N_ENDS  (sizeof(ends) / sizeof(ends[0]))

/* What a run has of figures. */
static const struct {
        const char *name;
        size_t at;
} figures[] = {
        {"limit_ns", offsetof(struct sweep_run, limit_ns)},
        {"wall_ns", offsetof(struct sweep_run, wall_ns)},
        {"cpu_ns", offsetof(struct sweep_run, cpu_ns)},
        {"peak_bytes", offsetof(struct sweep_run, peak_bytes)},
        {"tokens", offsetof(struct sweep_run, tokens)},
        {"tokens_per_second", offsetof(struct sweep_run, tokens_per_second)},
        {"requests", offsetof(struct sweep_run, requests)},
        {"p50_ns", offsetof(struct sweep_run, p50_ns)},
        {"p95_ns", offsetof(struct sweep_run, p95_ns)},
        {"spawns", offsetof(struct sweep_run, spawns)},
        {"waits", offsetof(struct sweep_run, waits)},
        {"allocations", offsetof(struct sweep_run, allocations)},
        {"others", offsetof(struct sweep_run, others)},
};
#define N_FIGURES (sizeof(figures) / sizeof(figures[0]))

static double *figure(const struct sweep_run *r, size_t i)
{
        return (double *)((char *)r + figures[i].at);
}

__attribute__((format(printf, 2, 3))) static int wrong(char **ret_why, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        if (vasprintf(ret_why, format, ap) < 0)
                *ret_why = NULL;
        va_end(ap);
        return *ret_why ? -EINVAL : -ENOMEM;
}

/* ---- reading --------------------------------------------------------------------------- */

/* A whole number of 0..most. */
static int take_whole(const json_t *o, const char *name, uint64_t most, uint64_t *ret,
                      char **ret_why)
{
        const json_t *v = json_object_get(o, name);

        if (!json_is_integer(v) || json_integer_value(v) < 0 ||
            (uint64_t)json_integer_value(v) > most)
                return wrong(ret_why, "%s has to be a whole number from 0 to %ju", name,
                             (uintmax_t)most);
        *ret = (uint64_t)json_integer_value(v);
        return 0;
}

static int take_bool(const json_t *o, const char *name, bool *ret, char **ret_why)
{
        const json_t *v = json_object_get(o, name);

        if (!json_is_boolean(v))
                return wrong(ret_why, "%s has to be true or false", name);
        *ret = json_is_true(v);
        return 0;
}

/* NaN for null. */
static int take_figure(const json_t *o, const char *name, double *ret, char **ret_why)
{
        const json_t *v = json_object_get(o, name);

        *ret = json_is_number(v) ? json_number_value(v) : NAN;
        if ((!json_is_number(v) && !json_is_null(v)) || *ret < 0 || isinf(*ret))
                return wrong(ret_why, "%s has to be a number that is not negative, or null", name);
        return 0;
}

static int take_text(const json_t *o, const char *name, char **ret, char **ret_why)
{
        const json_t *v = json_object_get(o, name);

        if (!v || json_is_null(v))
                return 0;
        if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
                return wrong(ret_why, "%s has to be text, or null", name);
        *ret = strdup(json_string_value(v));
        return *ret ? 0 : -ENOMEM;
}

static int take_choice(const json_t *o, const char *name, const char *const *names, size_t n,
                       unsigned *ret, char **ret_why)
{
        const char *s = json_string_value(json_object_get(o, name));

        for (size_t i = 0; s && i < n; i++)
                if (!strcmp(s, names[i])) {
                        *ret = (unsigned)i;
                        return 0;
                }
        return wrong(ret_why, "%s is none of those there are", name);
}

static int take_words(const json_t *o, const char *name, char ***ret, char **ret_why)
{
        const json_t *list = json_object_get(o, name), *v;
        size_t i;

        if (!json_is_array(list) || json_array_size(list) > MOST_WORDS)
                return wrong(ret_why, "%s has to be a list of words", name);
        *ret = calloc(json_array_size(list) + 1, sizeof(**ret));
        if (!*ret)
                return -ENOMEM;
        json_array_foreach(list, i, v)
        {
                if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
                        return wrong(ret_why, "%s has to be a list of words", name);
                (*ret)[i] = strdup(json_string_value(v));
                if (!(*ret)[i])
                        return -ENOMEM;
        }
        return 0;
}

static int take_parameter(struct sweep *s, const json_t *o, char **ret_why)
{
        const char *name = json_string_value(json_object_get(o, "name"));
        char **values = NULL;
        unsigned kind = 0;
        size_t n = 0;
        int r = take_words(o, "values", &values, ret_why);

        while (!r && values[n])
                n++;
        if (!r)
                r = take_choice(o, "kind", kinds, N_KINDS, &kind, ret_why);
        if (!r)
                r = sweep_grid_add_values(&s->grid, name ? name : "", (enum sweep_kind)kind,
                                          (const char *const *)values, n, ret_why);
        sweep_words_free(values);
        return r;
}

static int take_run(struct sweep *s, const json_t *o, char **ret_why)
{
        struct sweep_run run = {0};
        uint64_t point = 0, round = 0, code = 0;
        unsigned end = 0;
        int r = take_whole(o, "point", sweep_grid_points(&s->grid) - 1, &point, ret_why);

        if (!r)
                r = take_whole(o, "round", s->n_runs - 1, &round, ret_why);
        if (!r)
                r = take_whole(o, "code", 4096, &code, ret_why);
        if (!r)
                r = take_choice(o, "end", ends, N_ENDS, &end, ret_why);
        if (!r)
                r = take_bool(o, "cut", &run.cut, ret_why);
        if (!r)
                r = take_bool(o, "recorded", &run.recorded, ret_why);
        for (size_t i = 0; !r && i < N_FIGURES; i++)
                r = take_figure(o, figures[i].name, figure(&run, i), ret_why);
        if (!r)
                r = take_text(o, "why", &run.why, ret_why);
        if (!r)
                r = take_text(o, "trouble", &run.trouble, ret_why);
        run.point = point;
        run.round = (unsigned)round;
        run.code = (int)code;
        run.end = (enum trial_end)end;
        if (!r)
                r = sweep_add(s, &run);
        if (r) {
                free(run.why);
                free(run.trouble);
        }
        return r;
}

static int take_runs(struct sweep *s, const json_t *state, char **ret_why)
{
        const json_t *list = json_object_get(state, "measured"), *v;
        size_t i, n = sweep_grid_points(&s->grid);
        _cleanup_(freep) bool *seen = calloc(n * s->n_runs, sizeof(*seen));
        int r = 0;

        if (!seen)
                return -ENOMEM;
        if (!json_is_array(list))
                return wrong(ret_why, "measured has to be a list");
        json_array_foreach(list, i, v)
        {
                r = take_run(s, v, ret_why);
                if (!r && seen[s->runs[i].round * n + s->runs[i].point])
                        r = wrong(ret_why, "run %zu of measured is there twice", i);
                if (r)
                        return r;
                seen[s->runs[i].round * n + s->runs[i].point] = true;
        }
        return 0;
}

static int take_settings(struct sweep *s, const json_t *o, char **ret_why)
{
        uint64_t runs = 0, warmup = 0, seed = 0;
        unsigned metric = 0;
        int r = take_whole(o, "runs", SWEEP_MOST_RUNS, &runs, ret_why);

        if (!r)
                r = take_whole(o, "warmup", SWEEP_MOST_RUNS, &warmup, ret_why);
        if (!r)
                r = take_whole(o, "seed", UINT32_MAX, &seed, ret_why);
        if (!r)
                r = take_whole(o, "max_time_ns", INT64_MAX, &s->time_ns, ret_why);
        if (!r)
                r = take_whole(o, "memory_limit_bytes", INT64_MAX, &s->memory_bytes, ret_why);
        if (!r)
                r = take_bool(o, "full", &s->full, ret_why);
        if (!r)
                r = take_bool(o, "bare", &s->bare, ret_why);
        if (!r)
                r = take_bool(o, "complete", &s->complete, ret_why);
        if (!r)
                r = take_figure(o, "cut", &s->cut, ret_why);
        if (!r)
                r = take_figure(o, "within", &s->within, ret_why);
        if (!r)
                r = take_choice(o, "metric", sweep_metrics, SWEEP_N_METRICS, &metric, ret_why);
        if (!r && (!runs || isnan(s->cut) || !(s->within > 0 && s->within < 1)))
                r = wrong(ret_why, "runs, cut or within is out of its range");
        s->n_runs = runs;
        s->n_warmup = warmup;
        s->seed = (uint32_t)seed;
        s->metric = (enum sweep_metric)metric;
        return r;
}

/* Names of parameters, and names in the command: are they those there are? */
static int take_names(struct sweep *s, const json_t *state, char **ret_why)
{
        char **words = NULL;
        size_t p;
        int r = take_text(state, "compare", &s->compare, ret_why);

        if (!r)
                r = take_text(state, "units", &s->units, ret_why);
        if (!r)
                r = sweep_words(&s->grid, 0, s->argv, NULL, &words, ret_why);
        words = sweep_words_free(words);
        if (!r)
                r = sweep_words(&s->grid, 0, s->env, NULL, &words, ret_why);
        words = sweep_words_free(words);
        if (!r && !s->argv[0])
                r = wrong(ret_why, "there is no command");
        for (char **e = s->env; !r && *e; e++)
                if (**e == '=' || !strchr(*e, '='))
                        r = wrong(ret_why, "env has what is not NAME=VALUE");
        if (!r && s->compare && sweep_grid_find(&s->grid, s->compare) == SIZE_MAX)
                r = wrong(ret_why, "no parameter is named %s, which is compared", s->compare);
        p = !r && s->units ? sweep_grid_find(&s->grid, s->units) : 0;
        if (!r && s->units &&
            (p == SIZE_MAX || !sweep_grid_numeric(&s->grid, p, NULL) ||
             strtod(s->grid.parameters[p].values[0], NULL) <= 0))
                r = wrong(ret_why, "no parameter with numbers above 0 is named %s, which units are",
                          s->units);
        return r;
}

int sweep_decode(struct sweep *ret, const json_t *state, char **ret_why)
{
        const char *schema = json_string_value(json_object_get(state, "schema"));
        const json_t *list = json_object_get(state, "parameters"), *v;
        size_t i;
        int r = 0;

        *ret = (struct sweep){0};
        *ret_why = NULL;
        if (!schema || strcmp(schema, SCHEMA) != 0)
                return wrong(ret_why, "it is no " SCHEMA);
        if (!json_is_array(list))
                return wrong(ret_why, "parameters have to be a list");
        json_array_foreach(list, i, v)
        {
                r = take_parameter(ret, v, ret_why);
                if (r)
                        return r;
        }
        r = take_words(state, "argv", &ret->argv, ret_why);
        if (!r)
                r = take_words(state, "env", &ret->env, ret_why);
        if (!r)
                r = take_words(state, "record", &ret->record, ret_why);
        if (!r)
                r = take_settings(ret, state, ret_why);
        if (!r)
                r = take_names(ret, state, ret_why);
        if (!r)
                r = take_text(state, "machine", &ret->machine, ret_why);
        if (!r)
                r = take_text(state, "started_at", &ret->started_at, ret_why);
        return r ? r : take_runs(ret, state, ret_why);
}

/* ---- writing --------------------------------------------------------------------------- */

static json_t *words_json(char *const *words)
{
        json_t *list = json_array();

        for (; *words; words++)
                if (json_array_append_new(list, json_string(*words))) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}

static json_t *number_json(double v)
{
        return isfinite(v) ? json_real(v) : json_null();
}

static json_t *parameter_json(const struct sweep_parameter *p)
{
        json_t *values = json_array();

        for (size_t i = 0; i < p->n; i++)
                if (json_array_append_new(values, json_string(p->values[i]))) {
                        json_decref(values);
                        return NULL;
                }
        return json_pack("{s:s, s:s, s:o}", "name", p->name, "kind", kinds[p->kind], "values",
                         values);
}

static json_t *run_json(const struct sweep_run *r)
{
        json_t *o = json_pack("{s:I, s:I, s:s, s:i, s:b, s:b, s:s?, s:s?}", "point",
                              (json_int_t)r->point, "round", (json_int_t)r->round, "end",
                              ends[r->end], "code", r->code, "cut", r->cut, "recorded", r->recorded,
                              "why", r->why, "trouble", r->trouble);

        for (size_t i = 0; o && i < N_FIGURES; i++)
                if (json_object_set_new(o, figures[i].name, number_json(*figure(r, i)))) {
                        json_decref(o);
                        return NULL;
                }
        return o;
}

json_t *sweep_encode(const struct sweep *s)
{
        json_t *parameters = json_array(), *runs = json_array(), *o = NULL;
        bool ok = parameters && runs;

        for (size_t i = 0; ok && i < s->grid.n; i++)
                ok = !json_array_append_new(parameters, parameter_json(&s->grid.parameters[i]));
        for (size_t i = 0; ok && i < s->n; i++)
                ok = !json_array_append_new(runs, run_json(&s->runs[i]));
        if (ok)
                o = json_pack(
                        "{s:s, s:s?, s:s?, s:o, s:o, s:o, s:O, s:I, s:I, s:I, s:I, s:I, s:b, s:b, "
                        "s:b, s:f, s:f, s:s, s:s?, s:s?, s:O}",
                        "schema", SCHEMA, "started_at", s->started_at, "machine", s->machine,
                        "argv", words_json(s->argv), "env", words_json(s->env), "record",
                        words_json(s->record), "parameters", parameters, "runs",
                        (json_int_t)s->n_runs, "warmup", (json_int_t)s->n_warmup, "seed",
                        (json_int_t)s->seed, "max_time_ns", (json_int_t)s->time_ns,
                        "memory_limit_bytes", (json_int_t)s->memory_bytes, "full", s->full, "bare",
                        s->bare, "complete", s->complete, "cut", s->cut, "within", s->within,
                        "metric", sweep_metrics[s->metric], "compare", s->compare, "units",
                        s->units, "measured", runs);
        json_decref(parameters);
        json_decref(runs);
        return o;
}
