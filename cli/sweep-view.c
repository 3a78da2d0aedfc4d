/* SPDX-License-Identifier: MIT */
/*
 * What a sweep found, in a terminal: the table, bars, then the verdict: what is broken, the best,
 * knees and why they are there, crossovers.
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

#define MOST_BROKEN 5

struct page {
        struct view v;
        const json_t *document;
        size_t rows;
};

/* ---- figures ----------------------------------------------------------------------------- */

const char *sweep_rate_text(char *buf, const json_t *document, double rate)
{
        char figure[TEXT_CELL];
        const char *unit = text_string(json_object_get(document, "metric"), "unit", "1/s");

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

const char *sweep_range_text(char *buf, const json_t *interval)
{
        char low[TEXT_CELL], high[TEXT_CELL];

        if (!json_is_array(interval))
                return strcpy(buf, "-");
        snprintf(buf, 64, "%s..%s", text_count(low, json_number_value(json_array_get(interval, 0))),
                 text_count(high, json_number_value(json_array_get(interval, 1))));
        return buf;
}

const json_t *sweep_row_at(const json_t *document, const json_t *index)
{
        return json_is_integer(index) ? json_array_get(json_object_get(document, "rows"),
                                                       (size_t)json_integer_value(index))
                                      : NULL;
}

bool sweep_is_compared(const json_t *document)
{
        return json_is_string(json_object_get(json_object_get(document, "settings"), "compare"));
}

bool sweep_is_failed(const json_t *row)
{
        const char *fate = text_string(row, "fate", "");

        return !strcmp(fate, "broken") || !strcmp(fate, "cut");
}

/* ---- the verdict --------------------------------------------------------------------------- */

static void say_best(const struct page *p)
{
        const json_t *best = sweep_row_at(p->document, json_object_get(p->document, "best"));
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
                         sweep_range_text(span, interval));
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

                if (!sweep_is_failed(row) || n++ >= most)
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
        if (!sweep_print_table(v, p.document, rows))
                return false;
        if (screen_shows(v, 2)) {
                if (!sweep_print_bars(v, p.document, rows))
                        return false;
        } else {
                screen_leave(v, 0, "the plot");
        }
        fputc('\n', v->f);
        say_broken(&p);
        if (!sweep_is_compared(p.document) || json_is_null(json_object_get(p.document, "best")))
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
