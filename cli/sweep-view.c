/* SPDX-License-Identifier: MIT */
/*
 * What a sweep found, in a terminal: a row for each configuration, broken ones with their reason,
 * then the verdict: the best, knees and why they are there, crossovers.
 */
#include "cli/sweep-view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/screen.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define MOST_COLUMNS 40u
#define MOST_BROKEN  5
#define DIFFER       1.05 /* counts are shown where they do by more */

struct page {
        struct view v;
        const json_t *document;
        size_t rows;
};

/* ---- figures ----------------------------------------------------------------------------- */

static const char *unit_of(const json_t *document)
{
        return text_string(json_object_get(document, "metric"), "unit", "1/s");
}

const char *sweep_rate_text(char *buf, const json_t *document, double rate)
{
        char figure[TEXT_CELL];
        const char *unit = unit_of(document);

        snprintf(buf, 64, "%s%s%s", text_count(figure, rate), *unit == '1' ? " a second" : " ",
                 *unit == '1' ? "" : unit);
        return buf;
}

char *sweep_values_text(const json_t *values)
{
        char *text = NULL;
        const char *name;
        const json_t *v;
        size_t bytes;
        bool first = true;
        FILE *f = open_memstream(&text, &bytes);

        if (!f)
                return NULL;
        json_object_foreach((json_t *)values, name, v)
        {
                fprintf(f, "%s%s=%s", first ? "" : " ", name, json_string_value(v));
                first = false;
        }
        if (fclose(f) != EOF)
                return text;
        free(text);
        return NULL;
}

static const char *range(char *buf, const json_t *interval)
{
        char low[TEXT_CELL], high[TEXT_CELL];

        if (!json_is_array(interval))
                return strcpy(buf, "-");
        snprintf(buf, 64, "%s..%s", text_count(low, json_number_value(json_array_get(interval, 0))),
                 text_count(high, json_number_value(json_array_get(interval, 1))));
        return buf;
}

static const json_t *row_at(const json_t *document, const json_t *index)
{
        return json_is_integer(index) ? json_array_get(json_object_get(document, "rows"),
                                                       (size_t)json_integer_value(index))
                                      : NULL;
}

static bool is_compared(const json_t *document)
{
        return json_is_string(json_object_get(json_object_get(document, "settings"), "compare"));
}

static bool is_failed(const json_t *row)
{
        const char *fate = text_string(row, "fate", "");

        return !strcmp(fate, "broken") || !strcmp(fate, "cut");
}

/* ---- the table ---------------------------------------------------------------------------- */

/* What there may be of columns behind those of the parameters. */
enum column {
        RATE,
        INTERVAL,
        P50,
        P95,
        EFFICIENCY,
        OVERHEAD,
        SPAWNS,
        WAITS,
        ALLOCATIONS,
        CPU,
        PEAK,
        RUNS,
        NOTE,
        N_COLUMNS,
};

static const char *const members[N_COLUMNS] = {
        [RATE] = "throughput",   [P50] = "p50_ns",
        [P95] = "p95_ns",        [EFFICIENCY] = "efficiency",
        [OVERHEAD] = "overhead", [SPAWNS] = "spawns",
        [WAITS] = "waits",       [ALLOCATIONS] = "allocations",
        [CPU] = "cpu_ns",        [PEAK] = "peak_bytes"};

/* Is the figure known of some row; and, of counts, does it differ? */
static bool is_shown(const json_t *document, enum column c)
{
        double least = HUGE_VAL, most = -HUGE_VAL;
        const json_t *row;
        size_t i;

        if (c == RUNS || c == NOTE || c == RATE)
                return true;
        json_array_foreach(json_object_get(document, "rows"), i, row)
        {
                const json_t *interval = json_object_get(row, "interval");
                double v = c == INTERVAL ? json_is_array(interval) ? 1 : NAN
                                         : text_number(row, members[c]);

                if (isfinite(v)) {
                        least = fmin(least, v);
                        most = fmax(most, v);
                }
        }
        if (c >= SPAWNS && c <= ALLOCATIONS)
                return most > DIFFER * least && most > 0.01;
        return most >= least;
}

static const char *cell(char *buf, const json_t *row, enum column c)
{
        double v = members[c] ? text_number(row, members[c]) : NAN;
        double bound = text_number(row, "at_most");
        char text[TEXT_CELL];

        switch (c) {
        case RATE:
                if (isnan(v) && isfinite(bound))
                        snprintf(buf, 64, "<%s", text_count(text, bound));
                else
                        text_count(buf, v);
                return buf;
        case INTERVAL:
                return range(buf, json_object_get(row, "interval"));
        case P50:
        case P95:
        case CPU:
                return text_duration(buf, v);
        case EFFICIENCY:
                return isnan(v) ? strcpy(buf, "-") : (snprintf(buf, 64, "%.0f%%", v * 100), buf);
        case OVERHEAD:
                return isnan(v) ? strcpy(buf, "-") : (snprintf(buf, 64, "%.2fx", v), buf);
        case PEAK:
                return text_bytes(buf, v);
        case RUNS:
                if (text_number(row, "failed") > 0)
                        snprintf(buf, 64, "%.0f/%.0f", text_number(row, "runs"),
                                 text_number(row, "runs") + text_number(row, "failed"));
                else
                        snprintf(buf, 64, "%.0f", text_number(row, "runs"));
                return buf;
        default:
                return text_count(buf, v);
        }
}

static const char *note(char *buf, const json_t *document, const json_t *row)
{
        const json_t *best = row_at(document, json_object_get(document, "best"));
        const char *fate = text_string(row, "fate", "");
        double lead = text_number(row, "lead");

        if (is_compared(document)) {
                if (!(lead > 1))
                        return is_failed(row) ? fate : "";
                snprintf(buf, 64, "wins, %.2fx", lead);
                return buf;
        }
        if (row == best)
                return "best";
        if (!strcmp(fate, "lost"))
                return "stopped early";
        if (!strcmp(fate, "waiting"))
                return "not done";
        return is_failed(row) ? fate : "";
}

static size_t make_columns(const struct page *p, struct table_column *columns, enum column *which,
                           char titles[][24])
{
        /* how soon they are left out: 0 never */
        static const unsigned expend[N_COLUMNS] = {
                [INTERVAL] = 4, [P95] = 6,         [EFFICIENCY] = 2, [OVERHEAD] = 3, [SPAWNS] = 1,
                [WAITS] = 1,    [ALLOCATIONS] = 1, [CPU] = 7,        [PEAK] = 8,     [RUNS] = 5};
        bool of_token = !strcmp(text_string(p->document, "latency_of", ""), "token");
        const char *const names[N_COLUMNS] = {unit_of(p->document),
                                              "95 %",
                                              of_token ? "p50" : "run p50",
                                              of_token ? "p95" : "run p95",
                                              "effic",
                                              "ovhd",
                                              "spawns",
                                              "waits",
                                              "allocs",
                                              "CPU",
                                              "peak",
                                              "runs",
                                              ""};
        _cleanup_(json_decrefp) json_t *parameters = sweep_ordered_parameters(p->document);
        const json_t *parameter;
        size_t i, n = 0;

        json_array_foreach(parameters, i, parameter)
        {
                if (n == MOST_COLUMNS - N_COLUMNS)
                        break;
                snprintf(titles[n], 24, "%s", text_string(parameter, "name", "?"));
                columns[n] = (struct table_column){.title = titles[n],
                                                   .right = json_array_size(parameters) != i + 1 ||
                                                            !is_compared(p->document)};
                which[n++] = N_COLUMNS;
        }
        for (int c = 0; c < N_COLUMNS; c++) {
                if (!is_shown(p->document, (enum column)c))
                        continue;
                columns[n] = (struct table_column){.title = names[c],
                                                   .right = c != NOTE,
                                                   .flexible = c == NOTE,
                                                   .narrow = c == NOTE ? 13 : 0,
                                                   .expend = expend[c]};
                which[n++] = (enum column)c;
        }
        return n;
}

static bool print_table(const struct page *p)
{
        struct table_column columns[MOST_COLUMNS];
        enum column which[MOST_COLUMNS];
        char titles[MOST_COLUMNS][24], cells[MOST_COLUMNS][64];
        size_t n = make_columns(p, columns, which, titles), i;
        _cleanup_(json_decrefp) json_t *rows = sweep_ordered(p->document);
        size_t shown = view_shown(p->rows, json_array_size(rows));
        struct table *t = rows ? table_new(columns, n) : NULL;
        const json_t *row;
        bool ok;

        if (!t)
                return false;
        json_array_foreach(rows, i, row)
        {
                const char *text[MOST_COLUMNS];

                if (i == shown)
                        break;
                for (size_t c = 0; c < n; c++)
                        text[c] = which[c] == N_COLUMNS
                                          ? text_string(json_object_get(row, "values"), titles[c],
                                                        "?")
                                  : which[c] == NOTE ? note(cells[c], p->document, row)
                                                     : cell(cells[c], row, which[c]);
                table_add(t, text);
        }
        ok = screen_table(&p->v, t);
        table_free(t);
        screen_say_more(&p->v, p->rows, json_array_size(rows), "row");
        return ok;
}

/* ---- the verdict --------------------------------------------------------------------------- */

static void say_best(const struct page *p)
{
        const json_t *best = row_at(p->document, json_object_get(p->document, "best"));
        const json_t *interval = json_object_get(best, "interval");
        _cleanup_(freep) char *values = sweep_values_text(json_object_get(best, "values"));
        char rate[64], span[64];

        if (!best) {
                view_say(&p->v, "best", "none: no run succeeded");
                return;
        }
        sweep_rate_text(rate, p->document, text_number(best, "throughput"));
        if (json_is_array(interval))
                view_say(&p->v, "best", "%s: %s (95 %% interval %s)", values ? values : "?", rate,
                         range(span, interval));
        else
                view_say(&p->v, "best", "%s: %s (of one run)", values ? values : "?", rate);
}

/* Configurations of which no run succeeded, and why. */
static void say_broken(const struct page *p)
{
        size_t i, n = 0,
                  most = screen_shows(&p->v, SCREEN_ALL) && !p->rows ? SIZE_MAX : MOST_BROKEN;
        const json_t *row;

        json_array_foreach(json_object_get(p->document, "rows"), i, row)
        {
                _cleanup_(freep) char *values = NULL;
                const char *why = text_string(row, "why", "?");

                if (!is_failed(row) || n++ >= most)
                        continue;
                values = sweep_values_text(json_object_get(row, "values"));
                view_say_briefly(&p->v, text_string(row, "fate", "?"), "%s: %s",
                                 values ? values : "?", why);
        }
        if (n > most)
                screen_leave(&p->v, n - most, "reason");
}

static void say_knee(const struct page *p, const json_t *knee)
{
        const json_t *why = json_object_get(knee, "why"), *line, *settings;
        const json_t *others = json_object_get(knee, "others");
        _cleanup_(freep) char *at = json_object_size(others) ? sweep_values_text(others) : NULL;
        const char *text = text_string(why, "text", "not known");
        char share[FMT_SIZE];
        size_t i;

        settings = json_object_get(p->document, "settings");
        view_say(&p->v, "knee", "%s=%s%s%s%s: the smallest within %s of the best. %s",
                 text_string(knee, "axis", "?"), text_string(knee, "at", "?"), at ? " (" : "",
                 at ? at : "", at ? ")" : "", fmt_share(share, text_number(settings, "within")),
                 text);
        if (!screen_shows(&p->v, 1)) {
                screen_leave(&p->v, 0, "why the knee is there");
                return;
        }
        json_array_foreach(json_object_get(why, "sentences"), i, line)
        {
                if (strcmp(json_string_value(line), text) != 0)
                        view_say(&p->v, "", "%s", json_string_value(line));
        }
        json_array_foreach(json_object_get(why, "findings"), i, line)
        {
                view_say(&p->v, i ? "" : "findings", "[%s] %s%s: %s", text_string(line, "id", "?"),
                         text_string(line, "title", "?"),
                         json_is_true(json_object_get(line, "at_knee")) ? " (at the knee, too)"
                                                                        : "",
                         text_string(line, "remedy", "?"));
        }
}

static void say_crossover(const struct page *p, const json_t *c)
{
        const json_t *interval = json_object_get(c, "interval");
        const json_t *others = json_object_get(c, "others");
        _cleanup_(freep) char *where = json_object_size(others) ? sweep_values_text(others) : NULL;
        const char *winner = text_string(c, "winner", "?"), *loser = text_string(c, "loser", "?");
        const char *axis = text_string(c, "axis", "?"), *low, *high;
        double at = text_number(c, "at");
        char figure[TEXT_CELL], sure[160] = "";

        if (json_is_array(interval)) {
                low = json_string_value(json_array_get(interval, 0));
                high = json_string_value(json_array_get(interval, 1));
                snprintf(sure, sizeof(sure), "; 95 %% interval %s..%s", low ? low : "never",
                         high ? high : "never");
        }
        if (json_is_true(json_object_get(c, "everywhere")))
                view_say(&p->v, "crossover", "none%s%s: %s wins over %s at every %s%s",
                         where ? " at " : "", where ? where : "", winner, loser, axis, sure);
        else
                view_say(&p->v, "crossover",
                         "%s%s%s wins over %s from %s=%s on (both alike at "
                         "about %s%s)",
                         where ? where : "", where ? ": " : "", winner, loser, axis,
                         text_string(c, "from", "?"), text_count(figure, at), sure);
}

static void say_head(const struct page *p)
{
        const json_t *settings = json_object_get(p->document, "settings");
        double made = text_number(p->document, "runs_made");
        char took[FMT_SIZE];

        view_say_briefly(&p->v, "command", "%s", text_string(p->document, "command", "?"));
        if (screen_shows(&p->v, SCREEN_ALL))
                view_say(&p->v, "machine", "%s", text_string(p->document, "machine", "not known"));
        view_say(&p->v, "measured", "%.0f run%s of %.0f at most, %s in all; seed %.0f%s%s", made,
                 made == 1 ? "" : "s", text_number(p->document, "runs_at_most"),
                 view_figure(took, p->document, "took_ns", fmt_ns), text_number(settings, "seed"),
                 json_is_true(json_object_get(settings, "full")) ? "; --full" : "",
                 json_is_true(json_object_get(p->document, "complete")) ? "" : "; NOT COMPLETE");
        if (screen_shows(&p->v, 2))
                view_say(&p->v, "throughput", "%s",
                         text_string(json_object_get(p->document, "metric"), "what", "?"));
}

static bool print_page(const struct view *v, size_t rows, const void *userdata)
{
        struct page p = {.v = *v, .document = userdata, .rows = rows};
        const json_t *o;
        size_t i;

        say_head(&p);
        fputc('\n', v->f);
        if (!print_table(&p))
                return false;
        if (screen_shows(v, 2)) {
                if (!sweep_print_bars(v, p.document, rows))
                        return false;
        } else {
                screen_leave(v, 0, "the plot");
        }
        fputc('\n', v->f);
        say_broken(&p);
        if (!is_compared(p.document) || json_is_null(json_object_get(p.document, "best")))
                say_best(&p);
        json_array_foreach(json_object_get(p.document, "knees"), i, o)
        {
                say_knee(&p, o);
        }
        json_array_foreach(json_object_get(p.document, "crossovers"), i, o)
        {
                say_crossover(&p, o);
        }
        view_say_briefly(v, "kept", "in %s", text_string(p.document, "folder", "?"));
        view_notes(v, p.document);
        return true;
}

bool sweep_print(const json_t *document, size_t rows)
{
        struct view v = {stdout, table_output_width(), NULL};

        return screen_print(&v, rows, 8, print_page, document);
}
