/* SPDX-License-Identifier: MIT */
/*
 * Why a knee is where it is: what the run at it and the one beyond it tell differently. Findings of
 * infprof explain, the rows of a token's ledger, how long threads stood in line for a CPU, and what
 * binds the ops at the knee. Each sentence has figures of these two runs; where there are none,
 * nothing is said.
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep-document.h"
#include "cli/sweep-go.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/report-explain.h"
#include "common/report-ledger.h"
#include "common/report-roofline.h"
#include "common/report-threads.h"

#define ROWS_MOST     3    /* of the ledger */
#define ROW_LEAST     0.02 /* of a token's time */
#define FINDINGS_MOST 4
#define BOUND_LEAST   0.5 /* of the time in ops whose bound is known */

/* The documents of one run; NULL where there is none. */
struct told {
        json_t *explain, *ledger, *threads, *roofline;
};

static void told_done(struct told *t)
{
        json_decref(t->explain);
        json_decref(t->ledger);
        json_decref(t->threads);
        json_decref(t->roofline);
}

static void read_run(struct told *t, const struct sweep_row *row, const char *folder)
{
        _cleanup_(freep) char *file = NULL, *w1 = NULL, *w2 = NULL, *w3 = NULL, *w4 = NULL;

        *t = (struct told){0};
        if (!row || row->run == SIZE_MAX || !(file = sweep_run_file(folder, row->run)))
                return;
        if (report_explain_file(&t->explain, file, &w1))
                t->explain = NULL;
        if (report_ledger_file(&t->ledger, file, &w2))
                t->ledger = NULL;
        if (report_threads_file(&t->threads, file, &w3))
                t->threads = NULL;
        if (report_roofline_file(&t->roofline, file, &w4))
                t->roofline = NULL;
}

__attribute__((format(printf, 2, 3))) static void say(json_t *sentences, const char *format, ...)
{
        _cleanup_(freep) char *line = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&line, format, ap) < 0)
                line = NULL;
        va_end(ap);
        if (line)
                json_array_append_new(sentences, json_string(line));
}

/* ---- findings -------------------------------------------------------------------------- */

static bool has_finding(const json_t *explain, const char *id)
{
        const json_t *f;
        size_t i;

        json_array_foreach(json_object_get(explain, "findings"), i, f)
        {
                if (!strcmp(text_string(f, "id", ""), id))
                        return true;
        }
        return false;
}

/* Those that more workers bring about come first; who else is on the machine tells nothing of them.
 */
static unsigned rank(const char *id)
{
        static const char *const first[] = {"oversubscribed",  "spin-wait",    "small-work-units",
                                            "spawn-churn",     "lock-convoy",  "imbalance",
                                            "thread-overhead", "memory-bound", "beyond-cache"};
        static const char *const last[] = {"preempted", "migrations"};

        for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]); i++)
                if (!strcmp(id, first[i]))
                        return i;
        for (unsigned i = 0; i < sizeof(last) / sizeof(last[0]); i++)
                if (!strcmp(id, last[i]))
                        return 100 + i;
        return 50;
}

static int by_rank(const void *a, const void *b)
{
        unsigned x = rank(text_string(*(json_t *const *)a, "id", ""));
        unsigned y = rank(text_string(*(json_t *const *)b, "id", ""));

        return (x > y) - (x < y);
}

static json_t *findings_json(const struct told *at, const struct told *beyond)
{
        const json_t *found[FINDINGS_MOST * 4], *f;
        json_t *list = json_array();
        size_t i, n = 0;

        json_array_foreach(json_object_get(beyond->explain, "findings"), i, f)
        {
                if (n < FINDINGS_MOST * 4)
                        found[n++] = f;
        }
        qsort(found, n, sizeof(*found), by_rank);
        for (i = 0; i < n && i < FINDINGS_MOST; i++) {
                const char *id = text_string(f = found[i], "id", "?");

                json_array_append_new(
                        list, json_pack("{s:s, s:s, s:s, s:s, s:b}", "id", id, "title",
                                        text_string(f, "title", "?"), "cost",
                                        text_string(json_object_get(f, "cost"), "text", "?"),
                                        "remedy", text_string(f, "remedy", "?"), "at_knee",
                                        has_finding(at->explain, id)));
        }
        return list;
}

/* ---- a token's time -------------------------------------------------------------------- */

struct growth {
        const char *row;
        double ns;
};

static int larger_first(const void *a, const void *b)
{
        double x = fabs(((const struct growth *)a)->ns), y = fabs(((const struct growth *)b)->ns);

        return (x < y) - (x > y);
}

static double mean_of(const json_t *ledger, const char *row)
{
        const json_t *o;
        size_t i;

        json_array_foreach(json_object_get(ledger, "own"), i, o)
        {
                if (!strcmp(text_string(o, "row", ""), row))
                        return text_number(o, "mean_ns");
        }
        return NAN;
}

static void say_token(json_t *sentences, const struct told *at, const struct told *beyond,
                      const char *here, const char *there)
{
        double before = text_number(json_object_get(at->ledger, "wall"), "mean_ns");
        double after = text_number(json_object_get(beyond->ledger, "wall"), "mean_ns");
        _cleanup_(freep) char *list = NULL;
        char a[FMT_SIZE], b[FMT_SIZE];
        struct growth rows[16];
        size_t n = 0, i, bytes;
        const json_t *o;
        FILE *f;

        if (!(before > 0) || !(after > 0))
                return;
        json_array_foreach(json_object_get(beyond->ledger, "own"), i, o)
        {
                const char *row = text_string(o, "row", "");
                double grown = text_number(o, "mean_ns") - mean_of(at->ledger, row);

                if (n < 16 && isfinite(grown) && fabs(grown) > ROW_LEAST * fmax(before, after))
                        rows[n++] = (struct growth){row, grown};
        }
        qsort(rows, n, sizeof(*rows), larger_first);
        f = open_memstream(&list, &bytes);
        for (i = 0; f && i < n && i < ROWS_MOST; i++)
                fprintf(f, "%s%s %s%s", i ? ", " : ": ", rows[i].row, rows[i].ns < 0 ? "-" : "+",
                        fmt_ns(a, (uint64_t)fabs(rows[i].ns)));
        if (!f || fclose(f) == EOF)
                return;
        say(sentences, "a token takes %s at %s and %s at %s%s", fmt_ns(a, (uint64_t)before), here,
            fmt_ns(b, (uint64_t)after), there, list);
}

/* ---- CPUs ------------------------------------------------------------------------------ */

/* Share of the time that threads wanted a CPU in which they had none. */
static double in_line(const json_t *threads)
{
        double running = 0, runnable = 0, v;
        const json_t *t;
        size_t i;

        json_array_foreach(json_object_get(threads, "groups"), i, t)
        {
                v = text_number(t, "running_ns");
                running += isnan(v) ? 0 : v;
                v = text_number(t, "runnable_ns");
                runnable += isnan(v) ? 0 : v;
        }
        return running + runnable > 0 ? runnable / (running + runnable) : NAN;
}

static void say_cpus(json_t *sentences, const struct told *at, const struct told *beyond,
                     const char *here, const char *there)
{
        double before = in_line(at->threads), after = in_line(beyond->threads);
        double cpus = text_number(beyond->threads, "cpus");
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!(after > 0.05) || !(after > 2 * before))
                return;
        say(sentences,
            "threads that wanted a CPU had none for %s of that time at %s, %s at %s; there are "
            "%.0f CPUs",
            fmt_share(a, before), here, fmt_share(b, after), there, cpus);
}

/* ---- what binds ------------------------------------------------------------------------- */

static void say_bound(json_t *sentences, const struct told *at, const char *here)
{
        double by_memory = 0, by_compute = 0, of_roof = 0, all = 0, v;
        char share[FMT_SIZE], roof[FMT_SIZE];
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(at->roofline, "rows"), i, row)
        {
                const char *bound = text_string(row, "bound", "");
                double wall = text_number(row, "wall_ns"), ideal = text_number(row, "at_roof_ns");

                if (strcmp(text_string(row, "phase", ""), "decode") != 0 || isnan(wall))
                        continue;
                by_memory += !strcmp(bound, "memory") ? wall : 0;
                by_compute += !strcmp(bound, "compute") ? wall : 0;
                of_roof += isnan(ideal) ? 0 : ideal;
        }
        all = by_memory + by_compute;
        if (!(all > 0))
                return;
        v = fmax(by_memory, by_compute) / all;
        if (v >= BOUND_LEAST)
                say(sentences,
                    "at %s, ops bound by %s are %s of the time in ops whose roof is known, which "
                    "reach %s of their roof",
                    here, by_memory > by_compute ? "memory" : "compute", fmt_share(share, v),
                    fmt_share(roof, fmin(1, of_roof / all)));
}

/* ---- all of it -------------------------------------------------------------------------- */

static void say_counts(json_t *sentences, const struct sweep *s, const struct sweep_row *at,
                       const struct sweep_row *beyond, const char *here, const char *there)
{
        const struct {
                const char *what;
                double before, after;
        } of[] = {{"spawns", at->spawns, beyond->spawns}, {"waits", at->waits, beyond->waits}};
        char a[TEXT_CELL], b[TEXT_CELL];

        for (size_t i = 0; i < 2; i++)
                if (of[i].after >= 1 && of[i].after > 1.2 * of[i].before)
                        say(sentences, "%s of a %s: %s at %s, %s at %s", of[i].what,
                            sweep_counts_per(s), text_count(a, of[i].before), here,
                            text_count(b, of[i].after), there);
}

/* The sentence that is told first. */
static char *headline(const struct sweep *s, const struct sweep_row *rows,
                      const struct sweep_knee *k, const json_t *findings, const json_t *sentences)
{
        const struct sweep_row *beyond = k->beyond == SIZE_MAX ? NULL : &rows[k->beyond];
        const json_t *first = json_array_get(findings, 0);
        char *text = NULL;
        int r;

        if (!beyond)
                r = asprintf(&text, "%s", "no larger value was tried: there may be more beyond it");
        else if (first && rank(text_string(first, "id", "")) < 100)
                r = asprintf(&text, "beyond it, %s [%s]", text_string(first, "title", "?"),
                             text_string(first, "id", "?"));
        else if (!beyond->n)
                r = asprintf(&text, "beyond it: %s", beyond->why ? beyond->why : "it fails");
        else if (json_array_size(sentences))
                r = asprintf(&text, "%s", json_string_value(json_array_get(sentences, 0)));
        else
                r = asprintf(&text, "%s",
                             s->bare ? "not known: runs were not recorded (--bare)"
                                     : "not known: its runs tell no reason");
        return r < 0 ? NULL : text;
}

json_t *sweep_why(const struct sweep *s, const struct sweep_row *rows, const struct sweep_knee *k,
                  const char *folder)
{
        const struct sweep_row *beyond = k->beyond == SIZE_MAX ? NULL : &rows[k->beyond];
        size_t axis = sweep_axis(s, NULL);
        json_t *sentences = json_array(), *findings;
        _cleanup_(freep) char *here = NULL, *there = NULL, *text = NULL;
        struct told at, after;

        if (asprintf(&here, "%s %s", s->grid.parameters[axis].name,
                     sweep_grid_value(&s->grid, k->at, axis)) < 0 ||
            asprintf(&there, "%s", beyond ? sweep_grid_value(&s->grid, k->beyond, axis) : "") < 0) {
                json_decref(sentences);
                return NULL;
        }
        read_run(&at, &rows[k->at], folder);
        read_run(&after, beyond, folder);
        findings = findings_json(&at, &after);
        if (beyond && !beyond->n && beyond->why)
                say(sentences, "at %s: %s", there, beyond->why);
        if (beyond) {
                say_token(sentences, &at, &after, here, there);
                say_cpus(sentences, &at, &after, here, there);
                say_counts(sentences, s, &rows[k->at], beyond, here, there);
        }
        say_bound(sentences, &at, here);
        text = headline(s, rows, k, findings, sentences);
        told_done(&at);
        told_done(&after);
        return json_pack("{s:s, s:o, s:o}", "text", text ? text : "not known", "sentences",
                         sentences, "findings", findings);
}
