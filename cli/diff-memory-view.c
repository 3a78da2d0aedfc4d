/* SPDX-License-Identifier: MIT */
/*
 * The view of a diff: figures of A and B side by side, then what differs most in categories, ops,
 * size classes and stacks. A difference that the samples' error can explain is marked with "~".
 */
#include "cli/diff-memory-view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/memory-view.h"
#include "cli/stack-view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/view.h"
#include "common/cleanup.h"
#include "common/fmt.h"

enum unit {
        UNIT_COUNT,
        UNIT_BYTES,
        UNIT_SHARE,
};

struct diff_view {
        struct view v;
        size_t rows;
};

/* The cells of one difference. */
struct cells {
        char a[FMT_SIZE], b[FMT_SIZE], delta[FMT_SIZE + 2], ratio[FMT_SIZE];
};

static const char *value(char *buf, double v, enum unit unit)
{
        if (isnan(v))
                return strcpy(buf, "-");
        if (unit == UNIT_BYTES)
                return fmt_bytes(buf, llround(v));
        if (unit == UNIT_SHARE) {
                snprintf(buf, FMT_SIZE, "%.1f%%", v * 100);
                return buf;
        }
        if (fabs(v) < 1e15 && v == floor(v)) {
                buf[0] = '-';
                fmt_count(v < 0 ? buf + 1 : buf, (uint64_t)llround(fabs(v)));
                return buf;
        }
        return text_count(buf, v);
}

static void fill(struct cells *c, const json_t *cell, enum unit unit)
{
        double delta = text_number(cell, "delta"), ratio = text_number(cell, "ratio");
        bool doubtful = json_is_false(json_object_get(cell, "significant")) && delta != 0;
        char text[FMT_SIZE];

        value(c->a, text_number(cell, "a"), unit);
        value(c->b, text_number(cell, "b"), unit);
        snprintf(c->delta, sizeof(c->delta), "%s%s%s", doubtful ? "~" : "", delta > 0 ? "+" : "",
                 value(text, delta, unit));
        if (isnan(ratio) || ratio < 0)
                strcpy(c->ratio, "-");
        else
                snprintf(c->ratio, sizeof(c->ratio), ratio < 99.995 ? "%.2f" : "%.0f", ratio);
}

static const struct table_column columns[] = {{"A", true, false, 0},
                                              {"B", true, false, 0},
                                              {"B - A", true, false, 0},
                                              {"B / A", true, false, 1},
                                              {"", false, true, 0}};

static void add(struct table *t, const json_t *cell, enum unit unit, const char *name)
{
        struct cells c;

        fill(&c, cell, unit);
        table_add(t, (const char *[]){c.a, c.b, c.delta, c.ratio, name});
}

static void add_if_known(struct table *t, const json_t *cell, enum unit unit, const char *name)
{
        if (!isnan(text_number(cell, "a")) || !isnan(text_number(cell, "b")))
                add(t, cell, unit, name);
}

static bool end_table(const struct diff_view *d, struct table *t)
{
        bool ok = t && table_print(t, d->v.f, d->v.width);

        table_free(t);
        return ok;
}

struct line {
        const char *part, *inner, *member; /* memory.PART[.INNER].MEMBER */
        enum unit unit;
        const char *name;
};

static const struct line lines[] = {
        {"totals", NULL, "asked_bytes", UNIT_BYTES, "bytes asked for"},
        {"totals", NULL, "usable_bytes", UNIT_BYTES, "bytes usable"},
        {"totals", NULL, "calls", UNIT_COUNT, "allocations"},
        {"totals", NULL, "frees", UNIT_COUNT, "frees"},
        {"totals", NULL, "failed_calls", UNIT_COUNT, "failed allocations"},
        {"totals", NULL, "live_bytes", UNIT_BYTES, "live at the end"},
        {"totals", NULL, "peak_bytes", UNIT_BYTES, "live at most"},
        {"totals", NULL, "mapped_bytes", UNIT_BYTES, "mapped by the engine"},
        {"per_token", "calls", "mean", UNIT_COUNT, "allocations a token, mean"},
        {"per_token", "calls", "p99", UNIT_COUNT, "allocations a token, p99"},
        {"per_token", "bytes", "mean", UNIT_BYTES, "bytes a token, mean"},
        {"per_token", NULL, "tokens_without_allocation", UNIT_COUNT, "tokens without allocation"},
        {"kv", NULL, "bytes_per_token", UNIT_BYTES, "growth a token"},
        {"leaks", NULL, "bytes", UNIT_BYTES, "never freed (sampled)"},
        {"outside", NULL, "rss_peak", UNIT_BYTES, "resident at most"},
        {"outside", NULL, "rss", UNIT_BYTES, "resident at the end"},
        {"outside", NULL, "anonymous", UNIT_BYTES, "anonymous at the end"},
        {"outside", NULL, "minor_faults", UNIT_COUNT, "minor faults"},
        {"allocator", NULL, "efficiency", UNIT_SHARE, "allocator's efficiency"},
        {"allocator", NULL, "fragmentation", UNIT_SHARE, "allocator's fragmentation"},
};

static bool print_figures(const struct diff_view *d, const json_t *memory)
{
        struct table *t = table_new(columns, 5);

        if (!t)
                return false;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                const json_t *o = json_object_get(memory, lines[i].part);

                if (lines[i].inner)
                        o = json_object_get(o, lines[i].inner);
                add_if_known(t, json_object_get(o, lines[i].member), lines[i].unit, lines[i].name);
        }
        fputc('\n', d->v.f);
        return end_table(d, t);
}

/* What a row of a list is called; to be freed. */
static char *name_of(const json_t *row)
{
        const char *name = text_string(row, "name", NULL);
        double from = text_number(row, "from_bytes");
        char buf[FMT_SIZE];
        char *s;

        if (json_object_get(row, "frames")) {
                _cleanup_(freep) char *site = stack_site(row);

                if (!site || asprintf(&s, "%s: %s", text_string(row, "phase", "?"), site) < 0)
                        return NULL;
                return s;
        }
        if (!isnan(from))
                return asprintf(&s, "from %s", fmt_bytes(buf, llround(from))) < 0 ? NULL : s;
        return strdup(name ? name : "(no rule matches)");
}

/* Those that differ, as many as are to be shown. */
static bool print_list(const struct diff_view *d, const json_t *memory, const char *list,
                       const char *member, enum unit unit, const char *heading)
{
        const json_t *row;
        size_t i, n = 0;
        struct table *t = table_new(columns, 5);

        if (!t)
                return false;
        json_array_foreach(json_object_get(memory, list), i, row)
        {
                const json_t *cell = json_object_get(row, member);
                _cleanup_(freep) char *name = NULL;

                if (text_number(cell, "delta") == 0 || (d->rows && n == d->rows))
                        continue;
                name = name_of(row);
                add(t, cell, unit, name ? name : "?");
                n++;
        }
        if (!n) {
                table_free(t);
                return true;
        }
        fprintf(d->v.f, "\n%s\n", heading);
        return end_table(d, t);
}

static void print_side(const struct diff_view *d, const char *label, const json_t *side,
                       const char *allocator)
{
        char took[FMT_SIZE], when[32];

        view_say(&d->v, label, "%s: %s", text_string(side, "id", "?"),
                 text_string(side, "command", "?"));
        view_say(&d->v, "", "started %s, ran %s%s%s", view_local_time(when, side),
                 view_figure(took, side, "duration_ns", fmt_ns), allocator ? "; allocator " : "",
                 allocator ? allocator : "");
}

bool diff_memory_print(const json_t *document, size_t rows, unsigned width, FILE *f)
{
        const struct diff_view d = {.v = {f, width}, .rows = rows};
        const json_t *memory = json_object_get(document, "memory");
        const json_t *kinds = json_object_get(json_object_get(memory, "allocator"), "kind");

        print_side(&d, "A", json_object_get(document, "a"), text_string(kinds, "a", NULL));
        print_side(&d, "B", json_object_get(document, "b"), text_string(kinds, "b", NULL));
        if (!print_figures(&d, memory) ||
            !print_list(&d, memory, "categories", "alloc_bytes", UNIT_BYTES,
                        "categories, bytes allocated") ||
            !print_list(&d, memory, "ops", "asked_bytes", UNIT_BYTES, "ops, bytes asked for") ||
            !print_list(&d, memory, "size_classes", "calls", UNIT_COUNT, "sizes, allocations") ||
            !print_list(&d, memory, "stacks", "alloc_bytes", UNIT_BYTES, "stacks, bytes allocated"))
                return false;
        if (json_is_true(json_object_get(memory, "estimates"))) {
                fputc('\n', f);
                table_wrap(f, "",
                           "A difference with ~ is one that the error of samples can explain.",
                           width);
        }
        view_notes(&d.v, document);
        return true;
}
