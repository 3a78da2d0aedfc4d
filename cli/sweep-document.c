/* SPDX-License-Identifier: MIT */
/* What follows from a sweep, as JSON. It is worked out anew from the runs each time. */
#include "cli/sweep-document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <infprof/version.h>

#include "cli/sweep-go.h"
#include "common/cleanup.h"

#define BUSY     0.2 /* CPUs */
#define TROUBLES 3

static const char *const fates[] = {"measured", "lost", "broken", "cut", "waiting"};
static const char *const units[] = {"", "tokens/s", "requests/s", "1/s"};
static const char *const what[] = {"", "tokens decoded a second of decoding",
                                   "requests that succeeded, as the program tells, a second",
                                   "runs a second, by the wall time of each"};

static json_t *number(double v)
{
        return isfinite(v) ? json_real(v) : json_null();
}

/* Whole, for what counts ns or bytes. */
static json_t *whole(double v)
{
        return isfinite(v) ? json_integer((json_int_t)llround(v)) : json_null();
}

static json_t *row_ref(size_t row)
{
        return row == SIZE_MAX ? json_null() : json_integer((json_int_t)row);
}

static json_t *words_json(char *const *words)
{
        json_t *list = json_array();

        for (; *words; words++)
                json_array_append_new(list, json_string(*words));
        return list;
}

char *sweep_command_line(char *const *env, char *const *argv)
{
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "_-+=./,:@%^{}";
        char *line = NULL;
        size_t bytes;
        FILE *f = open_memstream(&line, &bytes);
        bool first = true;

        for (int list = 0; f && list < 2; list++)
                for (char *const *w = list ? argv : env; *w; w++) {
                        if (!first)
                                putc(' ', f);
                        first = false;
                        if (**w && !(*w)[strspn(*w, plain)]) {
                                fputs(*w, f);
                                continue;
                        }
                        putc('\'', f);
                        for (const char *c = *w; *c; c++)
                                *c == '\'' ? (void)fputs("'\\''", f) : (void)putc(*c, f);
                        putc('\'', f);
                }
        if (f && fclose(f) != EOF)
                return line;
        free(line);
        return NULL;
}

static json_t *values_json(const struct sweep *s, size_t point)
{
        json_t *o = json_object();

        for (size_t i = 0; i < s->grid.n; i++)
                json_object_set_new(o, s->grid.parameters[i].name,
                                    json_string(sweep_grid_value(&s->grid, point, i)));
        return o;
}

static json_t *parameters_json(const struct sweep *s)
{
        static const char *const kinds[] = {"plain", "cpus", "numa"};
        json_t *list = json_array();

        for (size_t i = 0; i < s->grid.n; i++) {
                const struct sweep_parameter *p = &s->grid.parameters[i];
                json_t *values = json_array();

                for (size_t v = 0; v < p->n; v++)
                        json_array_append_new(values, json_string(p->values[v]));
                json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "name", p->name, "kind",
                                                      kinds[p->kind], "values", values));
        }
        return list;
}

static json_t *settings_json(const struct sweep *s)
{
        return json_pack("{s:I, s:I, s:I, s:b, s:b, s:f, s:f, s:o, s:o, s:s, s:s?, s:s?}", "runs",
                         (json_int_t)s->n_runs, "warmup", (json_int_t)s->n_warmup, "seed",
                         (json_int_t)s->seed, "full", s->full, "bare", s->bare, "cut", s->cut,
                         "within", s->within, "max_time_ns",
                         s->time_ns ? json_integer((json_int_t)s->time_ns) : json_null(),
                         "memory_limit_bytes",
                         s->memory_bytes ? json_integer((json_int_t)s->memory_bytes) : json_null(),
                         "metric", sweep_metrics[s->metric], "compare", s->compare, "units",
                         s->units);
}

static json_t *interval_json(const struct stats_interval *i)
{
        return isfinite(i->low) ? json_pack("[f, f]", i->low, i->high) : json_null();
}

static json_t *row_json(const struct sweep *s, const struct sweep_row *row)
{
        char file[48] = "";

        if (row->run != SIZE_MAX)
                snprintf(file, sizeof(file), "run-%04zu.infprof", row->run);
        return json_pack(
                "{s:o, s:s, s:s?, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
                "s:o, s:o, s:o, s:o, s:s?}",
                "values", values_json(s, row->point), "fate", fates[row->fate], "why", row->why,
                "runs", (json_int_t)row->n, "failed", (json_int_t)row->n_failed, "throughput",
                number(row->throughput), "interval", interval_json(&row->interval), "at_most",
                number(row->at_most), "p50_ns", whole(row->p50_ns), "p95_ns", whole(row->p95_ns),
                "wall_ns", whole(row->wall_ns), "cpu_ns", whole(row->cpu_ns), "peak_bytes",
                whole(row->peak_bytes), "speedup", number(row->speedup), "efficiency",
                number(row->efficiency), "overhead", number(row->overhead), "lead",
                number(row->lead), "spawns", number(row->spawns), "waits", number(row->waits),
                "allocations", number(row->allocations), "file", *file ? file : NULL);
}

/* The other parameters of a point: {name: value}. */
static json_t *others_json(const struct sweep *s, size_t point, size_t p, size_t q)
{
        json_t *o = values_json(s, point);

        json_object_del(o, s->grid.parameters[p].name);
        if (q != SIZE_MAX)
                json_object_del(o, s->grid.parameters[q].name);
        return o;
}

static json_t *knees_json(const struct sweep *s, const struct sweep_row *rows, const char *folder)
{
        size_t axis = sweep_axis(s, NULL), n = sweep_grid_points(&s->grid);
        json_t *list = json_array();
        struct sweep_knee k;

        for (size_t i = 0; axis != SIZE_MAX && i < n; i++) {
                if (sweep_grid_index(&s->grid, i, axis) || !sweep_knee(&k, s, rows, axis, i))
                        continue;
                json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:o}", "axis",
                                                      s->grid.parameters[axis].name, "others",
                                                      others_json(s, i, axis, SIZE_MAX), "at",
                                                      sweep_grid_value(&s->grid, k.at, axis), "row",
                                                      row_ref(k.at), "best", row_ref(k.best),
                                                      "beyond", row_ref(k.beyond), "why",
                                                      sweep_why(s, rows, &k, folder)));
        }
        return list;
}

/* A value of an axis; null: beyond its end. */
static json_t *axis_value(const struct sweep *s, size_t axis, size_t i)
{
        const struct sweep_parameter *p = &s->grid.parameters[axis];

        return i < p->n ? json_string(p->values[i]) : json_null();
}

static json_t *crossover_json(const struct sweep *s, const struct sweep_crossover *c, size_t point)
{
        const struct sweep_parameter *axis = &s->grid.parameters[c->axis], *p;
        size_t compared = sweep_grid_find(&s->grid, s->compare);

        p = &s->grid.parameters[compared];
        return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:b, s:b}", "axis", axis->name,
                         "others", others_json(s, point, c->axis, compared), "winner",
                         p->values[c->b_wins ? c->b : c->a], "loser",
                         p->values[c->b_wins ? c->a : c->b], "from",
                         axis_value(s, c->axis, c->from), "at", number(c->at), "interval",
                         c->known ? json_pack("[o, o]", axis_value(s, c->axis, c->low),
                                              axis_value(s, c->axis, c->high))
                                  : json_null(),
                         "everywhere", c->from == 0, "nowhere", c->from == axis->n);
}

static json_t *crossovers_json(const struct sweep *s, const struct sweep_row *rows)
{
        size_t axis = sweep_crossover_axis(s), p, n = sweep_grid_points(&s->grid);
        json_t *list = json_array();
        struct sweep_crossover c;

        if (axis == SIZE_MAX)
                return list;
        p = sweep_grid_find(&s->grid, s->compare);
        for (size_t i = 0; i < n; i++) {
                if (sweep_grid_index(&s->grid, i, axis) || sweep_grid_index(&s->grid, i, p))
                        continue;
                for (size_t a = 0; a < s->grid.parameters[p].n; a++)
                        for (size_t b = a + 1; b < s->grid.parameters[p].n; b++)
                                if (sweep_crossover(&c, s, rows, axis, a, b, i))
                                        json_array_append_new(list, crossover_json(s, &c, i));
        }
        return list;
}

/* Who else was there. */
static void note_others(json_t *notes, const struct sweep *s)
{
        double sum = 0, n = 0, most = 0;
        char text[200];

        for (size_t i = 0; i < s->n; i++)
                if (isfinite(s->runs[i].others)) {
                        sum += s->runs[i].others;
                        most = fmax(most, s->runs[i].others);
                        n++;
                }
        if (!n || sum / n < BUSY)
                return;
        snprintf(
                text, sizeof(text),
                "other processes took %.2f CPUs on average while runs were made, %.2f at the most: "
                "on a quiet machine the best and the knee may be others",
                sum / n, most);
        json_array_append_new(notes, json_string(text));
}

/* What was wrong with runs, each kind once. */
static void note_troubles(json_t *notes, const struct sweep *s)
{
        size_t n_said = 0;

        for (size_t i = 0; i < s->n && n_said < TROUBLES; i++) {
                _cleanup_(freep) char *label = NULL, *line = NULL;
                const char *trouble = s->runs[i].trouble;
                bool said = !trouble;

                for (size_t k = 0; k < i && !said; k++)
                        said = s->runs[k].trouble && !strcmp(s->runs[k].trouble, trouble);
                label = said ? NULL : sweep_grid_label(&s->grid, s->runs[i].point);
                if (!label || asprintf(&line, "%s: %s", label, trouble) < 0)
                        continue;
                json_array_append_new(notes, json_string(line));
                n_said++;
        }
}

static json_t *notes_json(const struct sweep *s, const struct sweep_row *rows)
{
        json_t *notes = json_array();
        size_t n = sweep_grid_points(&s->grid), n_broken = 0;

        for (size_t i = 0; i < n; i++)
                n_broken += rows[i].fate == SWEEP_BROKEN;
        if (n_broken == n)
                json_array_append_new(notes, json_string("no run of any configuration succeeded"));
        if (!s->complete)
                json_array_append_new(
                        notes, json_string("the sweep is not complete: what is said of the best, "
                                           "of knees and crossovers is of what was measured"));
        note_others(notes, s);
        note_troubles(notes, s);
        if (s->compare && sweep_crossover_axis(s) == SIZE_MAX)
                json_array_append_new(
                        notes, json_string("no crossover is looked for: no other parameter has "
                                           "numbers that ascend"));
        return notes;
}

/* Was decoding seen? Else tokens are those that the program counts. */
static bool decodes(const struct sweep *s)
{
        for (size_t i = 0; i < s->n; i++)
                if (sweep_run_ok(&s->runs[i]) && s->runs[i].p50_ns > 0)
                        return true;
        return false;
}

/* Along which the rest is told; NULL: along none. */
static const char *axis_name(const struct sweep *s)
{
        size_t axis = s->compare ? sweep_crossover_axis(s) : sweep_axis(s, NULL);

        return axis == SIZE_MAX ? NULL : s->grid.parameters[axis].name;
}

const char *sweep_counts_per(const struct sweep *s)
{
        for (size_t i = 0; i < s->n; i++)
                if (s->runs[i].tokens > 0)
                        return "token";
        return s->units ? "unit" : "run";
}

json_t *sweep_document(const struct sweep *s, const char *folder)
{
        _cleanup_(freep) struct sweep_row *rows = sweep_rows(s);
        _cleanup_(freep) char *command = sweep_command_line(s->env, s->argv);
        enum sweep_metric metric = sweep_metric_of(s);
        json_t *list = json_array();
        double took = 0;

        if (!rows || !command || !list) {
                json_decref(list);
                return NULL;
        }
        for (size_t i = 0; i < sweep_grid_points(&s->grid); i++)
                json_array_append_new(list, row_json(s, &rows[i]));
        for (size_t i = 0; i < s->n; i++)
                took += s->runs[i].wall_ns;
        return json_pack(
                "{s:s, s:s, s:o, s:o, s:s, s:s?, s:s?, s:s, s:o, s:o, s:b, s:I, s:I, s:o, "
                "s:{s:s, s:s, s:s, s:s}, s:s, s:s, s:s?, s:o, s:o, s:o, s:o, s:o}",
                "schema", SWEEP_SCHEMA, "command", command, "argv", words_json(s->argv), "env",
                words_json(s->env), "folder", folder, "started_at", s->started_at, "machine",
                s->machine, "infprof", IFP_VERSION, "parameters", parameters_json(s), "settings",
                settings_json(s), "complete", s->complete, "runs_made", (json_int_t)s->n,
                "runs_at_most", (json_int_t)(sweep_grid_points(&s->grid) * s->n_runs), "took_ns",
                whole(took), "metric", "name", sweep_metrics[metric], "unit", units[metric], "what",
                metric == SWEEP_TOKENS && !decodes(s) ? "tokens that the program counts, a second"
                : metric == SWEEP_WALL && s->units ? "units of work a second, by the wall time of "
                                                     "each run"
                                                   : what[metric],
                "per",
                metric == SWEEP_TOKENS     ? "token"
                : metric == SWEEP_REQUESTS ? "request"
                : s->units                 ? "unit"
                                           : "run",
                "counts_per", sweep_counts_per(s), "latency_of",
                metric == SWEEP_TOKENS ? "token" : "run", "axis", axis_name(s), "rows", list,
                "best", row_ref(sweep_best(s, rows)), "knees", knees_json(s, rows, folder),
                "crossovers", crossovers_json(s, rows), "notes", notes_json(s, rows));
}
