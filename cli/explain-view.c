/* SPDX-License-Identifier: MIT */
/*
 * Findings in prose: a view of infprof.explain/1. What was looked at and not found is said, too,
 * and what could not be looked at.
 */
#include "cli/explain-view-private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/screen.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

const char *explain_figure(char *buf, const json_t *evidence)
{
        const char *unit = text_string(evidence, "unit", "");
        double v = text_number(evidence, "value");
        char number[TEXT_CELL];

        buf[0] = '\0';
        if (isnan(v))
                return buf;
        if (!strcmp(unit, "ns"))
                return fmt_ns(buf, (uint64_t)llround(fmax(v, 0)));
        if (!strcmp(unit, "share"))
                return fmt_share(buf, v);
        if (!strcmp(unit, "bytes"))
                return fmt_bytes(buf, llround(v));
        if (!strcmp(unit, "count"))
                return fmt_count(buf, (uint64_t)llround(fmax(v, 0)));
        snprintf(buf, FMT_SIZE, "%s%s", text_count(number, v),
                 !strcmp(unit, "1/token")    ? "/token"
                 : !strcmp(unit, "1/s")      ? "/s"
                 : !strcmp(unit, "tokens/s") ? " tokens/s"
                 : !strcmp(unit, "GFLOP/s")  ? " GFLOP/s"
                 : !strcmp(unit, "GB/s")     ? " GB/s"
                                             : "");
        return buf;
}

#define LABEL_WIDTH 11

/* Figures below each other, each before what it is of. */
static void print_evidence(const struct page *p, const json_t *finding)
{
        const json_t *evidence = json_object_get(finding, "evidence"), *e;
        char buf[FMT_SIZE], label[LABEL_WIDTH + 2 * FMT_SIZE];
        unsigned widest = 0;
        size_t i;

        json_array_foreach(evidence, i, e)
        {
                unsigned w = text_width(explain_figure(buf, e));

                widest = w > widest ? w : widest;
        }
        json_array_foreach(evidence, i, e)
        {
                snprintf(label, sizeof(label), "%-*s%*s%s", LABEL_WIDTH, i ? "" : "evidence",
                         (int)widest, explain_figure(buf, e), widest ? "  " : "");
                table_wrap(p->v.f, label, text_string(e, "text", "?"), p->v.width);
        }
}

static void print_cost(const struct page *p, const json_t *cost)
{
        const char *text = text_string(cost, "text", NULL);

        if (text)
                view_say(&p->v, "cost", "%s", text);
}

const char *explain_gain(char *buf, const json_t *gain)
{
        double rate = text_number(gain, "tokens_per_second"), factor = text_number(gain, "factor");
        char of_rate[TEXT_CELL];

        buf[0] = '\0';
        if (!isnan(rate) && !isnan(factor))
                snprintf(buf, EXPLAIN_GAIN, "up to %s tokens/s, %.2fx", text_count(of_rate, rate),
                         factor);
        else if (!isnan(factor))
                snprintf(buf, EXPLAIN_GAIN, "up to %.2fx", factor);
        else if (!isnan(rate))
                snprintf(buf, EXPLAIN_GAIN, "up to %s tokens/s", text_count(of_rate, rate));
        return buf;
}

static void print_gain(const struct page *p, const json_t *gain)
{
        char then[EXPLAIN_GAIN];

        if (!json_is_object(gain))
                return;
        explain_gain(then, gain);
        view_say(&p->v, "gain", "%s%s%s%s", text_string(gain, "text", "not known"),
                 *then ? " (" : "", then, *then ? ")" : "");
}

const char *explain_small(const json_t *finding)
{
        return json_is_true(json_object_get(finding, "small")) ? " (below 3 %)" : "";
}

static void print_finding(const struct page *p, size_t place, const json_t *f)
{
        char label[32];
        _cleanup_(freep) char *head = NULL;

        if (asprintf(&head, "%s [%s]%s", text_string(f, "title", "?"), text_string(f, "id", "?"),
                     explain_small(f)) < 0)
                return;
        snprintf(label, sizeof(label), "%zu. ", place);
        fputc('\n', p->v.f);
        table_wrap(p->v.f, label, head, p->v.width);
        print_cost(p, json_object_get(f, "cost"));
        print_evidence(p, f);
        view_say(&p->v, "cause", "%s", text_string(f, "cause", "not known"));
        view_say(&p->v, "remedy", "%s", text_string(f, "remedy", "none is known"));
        print_gain(p, json_object_get(f, "gain"));
        view_say(&p->v, "confidence", "%s", text_string(f, "confidence", "?"));
}

static bool is_small(const json_t *looked)
{
        return json_is_false(json_object_get(looked, "found")) &&
               json_is_true(json_object_get(looked, "small"));
}

/* What was looked at, with this result, one a line. */
static void print_looked(const struct page *p, const char *heading, bool (*is)(const json_t *))
{
        const json_t *l;
        bool said = false;
        size_t i;

        json_array_foreach(json_object_get(p->document, "looked_at"), i, l)
        {
                const char *why = text_string(l, "why", NULL);
                _cleanup_(freep) char *label = NULL, *id = NULL;

                if (!is(l))
                        continue;
                if (!said)
                        view_heading(&p->v, "%s", heading);
                said = true;
                id = text_clean(text_string(l, "id", "?"), 40);
                if (asprintf(&label, "  %-19s", id ? id : "?") < 0)
                        label = NULL;
                if (why && label)
                        table_wrap(p->v.f, label, why, p->v.width);
                else
                        fprintf(p->v.f, "  %s\n", id ? id : "?");
        }
}

static bool is_not_found(const json_t *looked)
{
        return json_is_false(json_object_get(looked, "found")) && !is_small(looked);
}

static bool is_not_known(const json_t *looked)
{
        return !json_is_boolean(json_object_get(looked, "found"));
}

static size_t count(const json_t *document, bool (*is)(const json_t *))
{
        const json_t *l;
        size_t i, n = 0;

        json_array_foreach(json_object_get(document, "looked_at"), i, l)
        {
                n += is(l);
        }
        return n;
}

/* "3 small (below 3 %): batch, fusion" */
static void print_ids(const struct page *p, const char *label, bool (*is)(const json_t *))
{
        _cleanup_(freep) char *text = NULL;
        const json_t *l;
        size_t bytes, i;
        FILE *f = open_memstream(&text, &bytes);

        if (!f)
                return;
        fprintf(f, "%zu", count(p->document, is));
        json_array_foreach(json_object_get(p->document, "looked_at"), i, l)
        {
                if (is(l))
                        fprintf(f, "%s %s", ftell(f) > 3 ? "," : ":", text_string(l, "id", "?"));
        }
        if (fclose(f) != EOF)
                view_say_briefly(&p->v, label, "%s", text);
}

static void print_looked_briefly(const struct page *p)
{
        size_t n = count(p->document, is_not_found), small = count(p->document, is_small),
               unknown = count(p->document, is_not_known);

        fputc('\n', p->v.f);
        if (screen_shows(&p->v, 1)) {
                if (small)
                        print_ids(p, "below 3 %", is_small);
                if (unknown)
                        print_ids(p, "not known", is_not_known);
                if (n)
                        print_ids(p, "not found", is_not_found);
        } else {
                view_line(&p->v,
                          "looked at, too: %zu not found, %zu below 3 %%, %zu could not be known",
                          n, small, unknown);
        }
        screen_leave(&p->v, 0, "causes, and what was looked at");
}

static void print_heading(const struct page *p, size_t n)
{
        size_t unknown = count(p->document, is_not_known);

        if (n)
                view_heading(&p->v, "%zu finding%s", n, n == 1 ? "" : "s");
        else if (unknown)
                view_heading(&p->v,
                             "nothing wrong was found in the figures of this run: nothing to fix "
                             "above 3 %%, but %zu of %zu could not be looked at",
                             unknown, json_array_size(json_object_get(p->document, "looked_at")));
        else
                view_heading(&p->v, "nothing wrong was found in the figures of this run: nothing "
                                    "to fix above 3 %%");
}

bool explain_print(const struct page *p)
{
        const json_t *findings = json_object_get(p->document, "findings");
        size_t n = json_array_size(findings), shown = view_shown(p->rows, n);
        bool whole = screen_shows(&p->v, SCREEN_ALL);

        view_run(&p->v, json_object_get(p->document, "run"));
        if (whole || !n)
                print_heading(p, n);
        for (size_t i = 0; i < (whole ? shown : n); i++) {
                if (whole)
                        print_finding(p, i + 1, json_array_get(findings, i));
                else
                        explain_print_briefly(p, i + 1, json_array_get(findings, i), i < shown);
        }
        if (whole)
                screen_say_more(&p->v, p->rows, n, "finding");
        if (whole) {
                print_looked(p, n ? "also looked at, and not found" : "looked at, and not found",
                             is_not_found);
                print_looked(p, "found, but below 3 %", is_small);
                print_looked(p, "could not be looked at", is_not_known);
        } else {
                print_looked_briefly(p);
        }
        view_notes(&p->v, p->document);
        return true;
}
