/* SPDX-License-Identifier: MIT */
/* infprof.machine/1 for people. */
#include <math.h>
#include <string.h>

#include "cli/machine.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/fmt.h"
#include "common/machine.h"

#define MAX_COUNTS 16

static void print_caches(const struct view *v, const json_t *topology)
{
        const json_t *cache;
        char line[512] = "", size[FMT_SIZE];
        size_t used = 0, i;

        json_array_foreach(json_object_get(topology, "caches"), i, cache)
        {
                int n = snprintf(line + used, sizeof(line) - used, "%sL%.0f %s", used ? ", " : "",
                                 text_number(cache, "level"),
                                 view_bytes(size, cache, "size_bytes"));

                used += n > 0 && (size_t)n < sizeof(line) - used ? (size_t)n : 0;
                n = snprintf(line + used, sizeof(line) - used,
                             text_number(cache, "shared_by_cpus") > 1
                                     ? " (x%.0f, each of %.0f CPUs)"
                                     : " (x%.0f)",
                             text_number(cache, "count"), text_number(cache, "shared_by_cpus"));
                used += n > 0 && (size_t)n < sizeof(line) - used ? (size_t)n : 0;
        }
        view_say(v, "caches", "%s", used ? line : "not known");
}

/* Instructions that products of quantised and short types are made of, beyond the tiers. */
static bool is_of_products(const char *feature)
{
        return strstr(feature, "vnni") || strstr(feature, "bf16") || strstr(feature, "amx");
}

static void print_head(const struct view *v, const json_t *doc)
{
        const json_t *t = json_object_get(doc, "topology"), *tier, *feature;
        char line[256] = "", quota[64] = "";
        size_t used = 0, i;

        view_say(v, "machine", "%s", text_string(doc, "model", "unknown"));
        if (json_is_number(json_object_get(t, "quota_cpus")))
                snprintf(quota, sizeof(quota), ", at most %.2f of them at a time (cgroup)",
                         text_number(t, "quota_cpus"));
        view_say(v, "CPUs",
                 "%.0f on %.0f cores, %.0f package%s, %.0f NUMA node%s; %.0f usable here%s",
                 text_number(t, "cpus"), text_number(t, "cores"), text_number(t, "packages"),
                 text_number(t, "packages") == 1 ? "" : "s", text_number(t, "numa_nodes"),
                 text_number(t, "numa_nodes") == 1 ? "" : "s", text_number(t, "usable_cpus"),
                 quota);
        print_caches(v, t);
        json_array_foreach(json_object_get(json_object_get(doc, "isa"), "tiers"), i, tier)
        {
                int n = snprintf(line + used, sizeof(line) - used, "%s%s", used ? ", " : "",
                                 json_string_value(tier) ? json_string_value(tier) : "?");

                used += n > 0 && (size_t)n < sizeof(line) - used ? (size_t)n : 0;
        }
        json_array_foreach(json_object_get(json_object_get(doc, "isa"), "features"), i, feature)
        {
                const char *name = json_string_value(feature);
                int n = 0;

                if (name && is_of_products(name))
                        n = snprintf(line + used, sizeof(line) - used, ", %s", name);
                used += n > 0 && (size_t)n < sizeof(line) - used ? (size_t)n : 0;
        }
        view_say(v, "ISA", "%s", line);
        view_say(v, "measured", "%s%s%s", text_string(doc, "measured_at", "?"),
                 json_is_true(json_object_get(doc, "quick")) ? ", in a hurry" : "",
                 json_is_true(json_object_get(doc, "noisy")) ? ", while it was busy" : "");
}

/* A row for each two names, a column for each number of threads. */
static bool print_table(const struct view *v, const json_t *list, const char *a, const char *b,
                        const char *unit, const char *title)
{
        struct table_column columns[2 + MAX_COUNTS + 1] = {{a, false, false, 0},
                                                           {b, false, false, 0}};
        static char titles[MAX_COUNTS][32];
        double counts[MAX_COUNTS];
        const json_t *o, *p;
        size_t n = 0, i, k;
        struct table *t;
        bool ok;

        json_array_foreach(list, i, o)
        {
                double threads = text_number(o, "threads");

                for (k = 0; k < n && counts[k] != threads; k++)
                        ;
                if (k == n && n < MAX_COUNTS) {
                        counts[n] = threads;
                        snprintf(titles[n], sizeof(titles[n]), "%.0f thread%s", threads,
                                 threads == 1 ? "" : "s");
                        columns[2 + n] = (struct table_column){titles[n], true, false, 0};
                        n++;
                }
        }
        columns[2 + n] = (struct table_column){"worst spread", true, false, 1};
        view_heading(v, "%s", title);
        t = table_new(columns, n + 3);
        if (!t)
                return false;
        json_array_foreach(list, i, o)
        {
                char cells[MAX_COUNTS][TEXT_CELL], spread[FMT_SIZE];
                const char *texts[2 + MAX_COUNTS + 1] = {text_string(o, a, "?"),
                                                         text_string(o, b, "?")};
                double worst = 0;

                if (i && !strcmp(texts[0], text_string(json_array_get(list, i - 1), a, "")) &&
                    !strcmp(texts[1], text_string(json_array_get(list, i - 1), b, "")))
                        continue;
                for (k = 0; k < n; k++)
                        texts[2 + k] = "-";
                for (size_t at = i; (p = json_array_get(list, at)); at++) {
                        if (strcmp(texts[0], text_string(p, a, "")) ||
                            strcmp(texts[1], text_string(p, b, "")))
                                break;
                        for (k = 0; k < n; k++)
                                if (counts[k] == text_number(p, "threads"))
                                        texts[2 + k] = text_count(cells[k], text_number(p, unit));
                        worst = fmax(worst, text_number(p, "spread"));
                }
                texts[2 + n] = fmt_share(spread, worst);
                table_add(t, texts);
        }
        ok = table_print(t, v->f, v->width);
        table_free(t);
        return ok;
}

/* What more threads do less of than fewer, by so much that it is no chance. */
#define SLOWER 0.9

static bool is_slower(const json_t *list, size_t at, const char *a, const char *b, const char *unit)
{
        const json_t *row = json_array_get(list, at),
                     *before = at ? json_array_get(list, at - 1) : NULL;

        return before && !strcmp(text_string(row, a, ""), text_string(before, a, "")) &&
               !strcmp(text_string(row, b, ""), text_string(before, b, "")) &&
               text_number(row, unit) < SLOWER * text_number(before, unit);
}

static void print_slower(const struct view *v, const json_t *ceilings)
{
        static const char *const lists[][4] = {{"compute", "type", "isa", "gflops"},
                                               {"bandwidth", "level", "op", "gbps"}};
        char text[96] = "", more[32] = "";
        size_t n = 0;

        for (size_t l = 0; l < 2; l++) {
                const json_t *list = json_object_get(ceilings, lists[l][0]);

                for (size_t i = 0; i < json_array_size(list); i++) {
                        const json_t *row = json_array_get(list, i);

                        if (!is_slower(list, i, lists[l][1], lists[l][2], lists[l][3]) || n++)
                                continue;
                        snprintf(text, sizeof(text), "%s %s at %.0f threads",
                                 text_string(row, lists[l][1], "?"),
                                 text_string(row, lists[l][2], "?"), text_number(row, "threads"));
                }
        }
        if (n > 1)
                snprintf(more, sizeof(more), ", and %zu more", n - 1);
        if (!n)
                return;
        view_line(v, "slower with more threads: %s%s", text, more);
        view_line(v, "  (CPUs share a core or its power, or the machine was busy: `infprof "
                     "machine --measure`)");
}

void machine_print(const struct view *v, const json_t *doc)
{
        const json_t *c = json_object_get(doc, "ceilings");

        print_head(v, doc);
        (void)print_table(v, json_object_get(c, "compute"), "type", "isa", "gflops",
                          "multiply-adds, GFLOP/s (a multiply-add is two)");
        (void)print_table(v, json_object_get(c, "bandwidth"), "level", "op", "gbps",
                          "bandwidth, GB/s (copy counts two arrays, triad three)");
        print_slower(v, c);
        view_line(v, "%s",
                  "worst spread: of a row's figures the largest; how far the run in the middle "
                  "stayed behind the best, which is shown");
}
