/* SPDX-License-Identifier: MIT */
/*
 * Findings in prose: a view of infprof.explain/1. What was looked at and not found is said, too,
 * and what could not be looked at.
 */
#include "cli/run-verb.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

/* A figure with its unit, in buf[FMT_SIZE]; "" where there is none. */
static const char *figure(char *buf, const json_t *evidence)
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
                unsigned w = text_width(figure(buf, e));

                widest = w > widest ? w : widest;
        }
        json_array_foreach(evidence, i, e)
        {
                snprintf(label, sizeof(label), "%-*s%*s%s", LABEL_WIDTH, i ? "" : "evidence",
                         (int)widest, figure(buf, e), widest ? "  " : "");
                table_wrap(p->v.f, label, text_string(e, "text", "?"), p->v.width);
        }
}

static void print_cost(const struct page *p, const json_t *cost)
{
        const char *text = text_string(cost, "text", NULL);

        if (text)
                view_say(&p->v, "cost", "%s", text);
}

static void print_gain(const struct page *p, const json_t *gain)
{
        double rate = text_number(gain, "tokens_per_second"), factor = text_number(gain, "factor");
        char of_rate[TEXT_CELL], then[96] = "";

        if (!json_is_object(gain))
                return;
        if (!isnan(rate) && !isnan(factor))
                snprintf(then, sizeof(then), " (to %s tokens/s, %.2fx)", text_count(of_rate, rate),
                         factor);
        else if (!isnan(factor))
                snprintf(then, sizeof(then), " (%.2fx)", factor);
        else if (!isnan(rate))
                snprintf(then, sizeof(then), " (to %s tokens/s)", text_count(of_rate, rate));
        view_say(&p->v, "gain", "%s%s", text_string(gain, "text", "not known"), then);
}

static void print_finding(const struct page *p, size_t place, const json_t *f)
{
        char label[32];
        _cleanup_(freep) char *head = NULL;

        if (asprintf(&head, "%s [%s]", text_string(f, "title", "?"), text_string(f, "id", "?")) < 0)
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

                if (!is(json_object_get(l, "found")))
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

static bool is_not_found(const json_t *found)
{
        return json_is_false(found);
}

static bool is_not_known(const json_t *found)
{
        return !json_is_boolean(found);
}

static size_t count_unknown(const json_t *document)
{
        const json_t *l;
        size_t i, n = 0;

        json_array_foreach(json_object_get(document, "looked_at"), i, l)
        {
                n += is_not_known(json_object_get(l, "found"));
        }
        return n;
}

bool explain_print(const struct page *p)
{
        const json_t *findings = json_object_get(p->document, "findings");
        size_t n = json_array_size(findings);

        view_run(&p->v, json_object_get(p->document, "run"));
        if (n)
                view_heading(&p->v, "%zu finding%s", n, n == 1 ? "" : "s");
        else if (count_unknown(p->document) > 0)
                view_heading(&p->v,
                             "nothing wrong was found in the figures of this run: nothing to fix "
                             "above 3 %%, but %zu of %zu could not be looked at",
                             count_unknown(p->document),
                             json_array_size(json_object_get(p->document, "looked_at")));
        else
                view_heading(&p->v, "nothing wrong was found in the figures of this run: nothing "
                                    "to fix above 3 %%");
        for (size_t i = 0; i < n; i++)
                print_finding(p, i + 1, json_array_get(findings, i));
        print_looked(p, n ? "also looked at, and not found" : "looked at, and not found",
                     is_not_found);
        print_looked(p, "could not be looked at", is_not_known);
        view_notes(&p->v, p->document);
        return true;
}
