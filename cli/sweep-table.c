/* SPDX-License-Identifier: MIT */
/* A sweep as a table: a row for each configuration, columns for what is known and tells something.
 */
#include <math.h>
#include <string.h>

#include "cli/screen.h"
#include "cli/sweep-view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"

#define MOST_COLUMNS 40u
#define DIFFER       1.05 /* counts are shown where they do by more */

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
                return sweep_range_text(buf, json_object_get(row, "interval"));
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
        const json_t *best = sweep_row_at(document, json_object_get(document, "best"));
        const char *fate = text_string(row, "fate", "");
        double lead = text_number(row, "lead");

        if (sweep_is_compared(document)) {
                if (!(lead > 1))
                        return sweep_is_failed(row) ? fate : "";
                snprintf(buf, 64, "wins, %.2fx", lead);
                return buf;
        }
        if (row == best)
                return "best";
        if (!strcmp(fate, "lost"))
                return "stopped early";
        if (!strcmp(fate, "waiting"))
                return "not done";
        return sweep_is_failed(row) ? fate : "";
}

static size_t make_columns(const json_t *document, struct table_column *columns, enum column *which,
                           char titles[][24])
{
        /* how soon they are left out: 0 never */
        static const unsigned expend[N_COLUMNS] = {
                [INTERVAL] = 4, [P95] = 6,         [EFFICIENCY] = 2, [OVERHEAD] = 3, [SPAWNS] = 1,
                [WAITS] = 1,    [ALLOCATIONS] = 1, [CPU] = 7,        [PEAK] = 8,     [RUNS] = 5};
        bool of_token = !strcmp(text_string(document, "latency_of", ""), "token");
        const char *const names[N_COLUMNS] = {
                text_string(json_object_get(document, "metric"), "unit", "1/s"),
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
        _cleanup_(json_decrefp) json_t *parameters = sweep_ordered_parameters(document);
        const json_t *parameter;
        size_t i, n = 0;

        json_array_foreach(parameters, i, parameter)
        {
                if (n == MOST_COLUMNS - N_COLUMNS)
                        break;
                snprintf(titles[n], 24, "%s", text_string(parameter, "name", "?"));
                columns[n] = (struct table_column){.title = titles[n],
                                                   .right = json_array_size(parameters) != i + 1 ||
                                                            !sweep_is_compared(document)};
                which[n++] = N_COLUMNS;
        }
        for (int c = 0; c < N_COLUMNS; c++) {
                if (!is_shown(document, (enum column)c))
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

bool sweep_print_table(const struct view *v, const json_t *document, size_t n_most)
{
        struct table_column columns[MOST_COLUMNS];
        enum column which[MOST_COLUMNS];
        char titles[MOST_COLUMNS][24], cells[MOST_COLUMNS][64];
        size_t n = make_columns(document, columns, which, titles), i;
        _cleanup_(json_decrefp) json_t *rows = sweep_ordered(document);
        size_t shown = view_shown(n_most, json_array_size(rows));
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
                                  : which[c] == NOTE ? note(cells[c], document, row)
                                                     : cell(cells[c], row, which[c]);
                table_add(t, text);
        }
        ok = screen_table(v, t);
        table_free(t);
        screen_say_more(v, n_most, json_array_size(rows), "row");
        return ok;
}
