/* SPDX-License-Identifier: MIT */
#include "cli/report-view.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "cli/text.h"
#include "cli/view.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define MAX_THREAD_ROWS 32

static double ratio(double part, double whole)
{
        return whole > 0 ? part / whole : NAN;
}

static void print_time(const struct view *h, const json_t *report)
{
        const json_t *rest = json_object_get(report, "not_in_any_op");
        char threads[FMT_SIZE], all[FMT_SIZE], in[FMT_SIZE], out[FMT_SIZE], part[FMT_SIZE];
        double fraction = ratio(text_number(rest, "in_ops_ns"), text_number(rest, "thread_ns"));
        size_t n = json_array_size(json_object_get(report, "threads"));

        view_say(h, "time", "%s on %s thread%s: %s in ops%s%s%s, %s not in any op",
                 view_figure(all, rest, "thread_ns", fmt_ns), fmt_count(threads, n),
                 n == 1 ? "" : "s", view_figure(in, rest, "in_ops_ns", fmt_ns),
                 isnan(fraction) ? "" : " (", isnan(fraction) ? "" : fmt_share(part, fraction),
                 isnan(fraction) ? "" : ")", view_figure(out, rest, "self_ns", fmt_ns));
}

static void print_phases(const struct view *h, const json_t *report)
{
        const char *name;
        json_t *phase;
        char line[512] = "", took[FMT_SIZE];
        size_t used = 0;

        json_object_foreach(json_object_get(report, "phases"), name, phase)
        {
                int n = snprintf(line + used, sizeof(line) - used, "%s%s %s", used ? ", " : "",
                                 name, view_figure(took, phase, "duration_ns", fmt_ns));

                used += n > 0 && (size_t)n < sizeof(line) - used ? (size_t)n : 0;
        }
        if (used)
                view_say(h, "phases", "%s", line);
}

static void print_tokens(const struct view *h, const json_t *t)
{
        char prompt[FMT_SIZE], generated[FMT_SIZE], first[FMT_SIZE], p50[FMT_SIZE], p95[FMT_SIZE],
                p99[FMT_SIZE], mean[FMT_SIZE], rate[TEXT_CELL];
        double per_second = text_number(t, "per_second");

        if (isnan(text_number(t, "generated")))
                return;
        if (isnan(per_second))
                strcpy(rate, "-");
        else
                snprintf(rate, sizeof(rate), per_second < 99.95 ? "%.2f" : "%.1f", per_second);
        view_say(h, "tokens", "%s prompt, %s generated; %s tokens/s; first after %s",
                 view_figure(prompt, t, "prompt", fmt_count),
                 view_figure(generated, t, "generated", fmt_count), rate,
                 view_figure(first, t, "ttft_ns", fmt_ns));
        if (!isnan(text_number(t, "mean_ns")))
                view_say(h, "per token", "mean %s, median %s, p95 %s, p99 %s",
                         view_figure(mean, t, "mean_ns", fmt_ns),
                         view_figure(p50, t, "p50_ns", fmt_ns),
                         view_figure(p95, t, "p95_ns", fmt_ns),
                         view_figure(p99, t, "p99_ns", fmt_ns));
}

static void print_memory(const struct view *h, const json_t *m)
{
        char calls[FMT_SIZE], frees[FMT_SIZE], asked[FMT_SIZE], usable[FMT_SIZE], freed[FMT_SIZE],
                live[FMT_SIZE], peak[FMT_SIZE];

        view_say(h, "memory", "%s allocations of %s (%s usable), %s frees of %s; live %s, peak %s",
                 view_figure(calls, m, "alloc_calls", fmt_count),
                 view_bytes(asked, m, "alloc_bytes"), view_bytes(usable, m, "usable_bytes"),
                 view_figure(frees, m, "free_calls", fmt_count),
                 view_bytes(freed, m, "freed_bytes"), view_bytes(live, m, "live_bytes"),
                 view_bytes(peak, m, "peak_bytes"));
}

static void print_self(const struct view *h, const json_t *s)
{
        char spans[FMT_SIZE], folded[FMT_SIZE], lost[FMT_SIZE], left[FMT_SIZE], segment[FMT_SIZE],
                part[FMT_SIZE], cpu[FMT_SIZE], cost[32];
        double per_span = text_number(s, "overhead_ns_per_span");

        if (isnan(per_span))
                strcpy(cost, "-");
        else
                snprintf(cost, sizeof(cost), "%.0fns", per_span);
        view_say(h, "profiler",
                 "%s spans, %s folded, %s lost, %s left; %s a span, %s of %s; %s shared memory, "
                 "collector %s CPU",
                 view_figure(spans, s, "spans", fmt_count),
                 view_figure(folded, s, "folded", fmt_count),
                 view_figure(lost, s, "lost", fmt_count), view_figure(left, s, "left", fmt_count),
                 cost, view_share(part, s, "overhead_fraction"),
                 strcmp(text_string(s, "overhead_of", ""), "cpu_time") ? "thread time" : "CPU time",
                 view_bytes(segment, s, "segment_bytes"),
                 view_figure(cpu, s, "daemon_cpu_ns", fmt_ns));
}

/* ---- tables ---- */

struct op_column {
        struct table_column column;
        const char *member;
        enum {
                CELL_COUNT,
                CELL_TIME,
                CELL_BYTES,
                CELL_SHARE,
                CELL_RATE,
                CELL_TEXT,
        } kind;
        bool estimated; /* of a hot op, an estimate */
        bool whole;     /* not known of one thread */
};

static const struct op_column op_columns[] = {
        {{"share", true, false, 0}, "share", CELL_SHARE, true},
        {{"self", true, false, 0}, "self_ns", CELL_TIME, true},
        {{"total", true, false, 0}, "total_ns", CELL_TIME, true},
        {{"calls", true, false, 0}, "calls", CELL_COUNT, false},
        {{"mean", true, false, 1}, "mean_ns", CELL_TIME, true},
        {{"min", true, false, 7}, "min_ns", CELL_TIME, false},
        {{"median", true, false, 3}, "p50_ns", CELL_TIME, false, true},
        {{"p95", true, false, 5}, "p95_ns", CELL_TIME, false, true},
        {{"p99", true, false, 2}, "p99_ns", CELL_TIME, false, true},
        {{"max", true, false, 4}, "max_ns", CELL_TIME, false},
        {{"stddev", true, false, 9}, "stddev_ns", CELL_TIME, false, true},
        {{"allocs", true, false, 8}, "alloc_calls", CELL_COUNT, false},
        {{"bytes", true, false, 6}, "alloc_bytes", CELL_BYTES, false},
        {{"GFLOP/s", true, false, 11}, "gflops", CELL_RATE, false, true},
        {{"GB/s", true, false, 10}, "gbps", CELL_RATE, false, true},
        {{"op", false, true, 0}, "name", CELL_TEXT, false},
};
#define N_OP_COLUMNS (sizeof(op_columns) / sizeof(op_columns[0]))

static const struct op_column shape_columns[] = {
        {{"self", true, false, 0}, "self_ns", CELL_TIME, false},
        {{"total", true, false, 2}, "total_ns", CELL_TIME, false},
        {{"calls", true, false, 0}, "calls", CELL_COUNT, false},
        {{"flops", true, false, 3}, "flops", CELL_RATE, false},
        {{"GFLOP/s", true, false, 0}, "gflops", CELL_RATE, false},
        {{"GB/s", true, false, 0}, "gbps", CELL_RATE, false},
        {{"flop/byte", true, false, 1}, "intensity", CELL_RATE, false},
        {{"of roof", true, false, 4}, "roof_share", CELL_SHARE, false},
        {{"bound", false, false, 5}, "bound", CELL_TEXT, false},
        {{"op", false, false, 0}, "name", CELL_TEXT, false},
        {{"shape", false, true, 0}, "shape", CELL_TEXT, false},
};
#define N_SHAPE_COLUMNS (sizeof(shape_columns) / sizeof(shape_columns[0]))
_Static_assert(N_SHAPE_COLUMNS <= N_OP_COLUMNS, "print_rows");

static const char *op_cell(char *buf, const json_t *row, const struct op_column *c)
{
        bool estimated = c->estimated && json_is_true(json_object_get(row, "estimated"));
        const json_t *v = json_object_get(row, c->member);
        char *to = buf + estimated;

        if (c->kind == CELL_TEXT)
                return text_string(row, c->member, "-");
        if (!json_is_number(v))
                return "-";
        if (estimated)
                buf[0] = '~';
        switch (c->kind) {
        case CELL_COUNT:
                view_figure(to, row, c->member, fmt_count);
                break;
        case CELL_TIME:
                view_figure(to, row, c->member, fmt_ns);
                break;
        case CELL_BYTES:
                view_bytes(to, row, c->member);
                break;
        case CELL_RATE:
                text_count(to, json_number_value(v));
                break;
        default:
                view_share(to, row, c->member);
        }
        return buf;
}

/* Has any row this figure? */
static bool has_figure(const json_t *rows, const char *member)
{
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                if (json_is_number(json_object_get(row, member)))
                        return true;
        }
        return false;
}

/* The rows [from, to) as one table. Without shapes nothing is known of the work. */
static bool print_rows(const json_t *rows, size_t from, size_t to, enum report_by by,
                       const struct view *h)
{
        struct table_column columns[N_OP_COLUMNS];
        const struct op_column *of[N_OP_COLUMNS];
        char cells[N_OP_COLUMNS][FMT_SIZE + 1];
        const char *texts[N_OP_COLUMNS];
        const struct op_column *all = by == REPORT_BY_SHAPE ? shape_columns : op_columns;
        size_t n_all = by == REPORT_BY_SHAPE ? N_SHAPE_COLUMNS : N_OP_COLUMNS, n = 0;
        struct table *t;
        bool ok;

        for (size_t i = 0; i < n_all; i++) {
                if ((by == REPORT_BY_THREAD && all[i].whole) ||
                    (all == op_columns && all[i].kind == CELL_RATE &&
                     !has_figure(rows, all[i].member)))
                        continue;
                columns[n] = all[i].column;
                of[n++] = &all[i];
        }
        t = table_new(columns, n);
        if (!t)
                return false;
        for (size_t i = from; i < to; i++) {
                for (size_t c = 0; c < n; c++)
                        texts[c] = op_cell(cells[c], json_array_get(rows, i), of[c]);
                table_add(t, texts);
        }
        ok = table_print(t, h->f, h->width);
        table_free(t);
        return ok;
}

/* Do these two rows belong under one heading? */
static bool same_group(const json_t *a, const json_t *b, enum report_by by)
{
        switch (by) {
        case REPORT_BY_PHASE:
                return json_equal(json_object_get(a, "phase"), json_object_get(b, "phase"));
        case REPORT_BY_THREAD:
                return json_equal(json_object_get(a, "tid"), json_object_get(b, "tid")) &&
                       json_equal(json_object_get(a, "pid"), json_object_get(b, "pid"));
        default:
                return true;
        }
}

static void print_group_heading(const struct view *h, const json_t *row, enum report_by by)
{
        _cleanup_(freep) char *name = NULL;

        if (by == REPORT_BY_PHASE) {
                fprintf(h->f, "\nphase %s\n", text_string(row, "phase", "?"));
        } else if (by == REPORT_BY_THREAD) {
                name = text_clean(text_string(row, "thread", "?"), 1u << 16);
                fprintf(h->f, "\nthread %.0f %s\n", text_number(row, "tid"), name ? name : "?");
        } else {
                fputc('\n', h->f);
        }
}

static bool print_ops(const struct view *h, const json_t *rows, enum report_by by)
{
        size_t n = json_array_size(rows), next;

        if (!n)
                fputs(by == REPORT_BY_SHAPE ? "\n(no op has a shape)\n" : "\n(no op matches)\n",
                      h->f);
        for (size_t i = 0; i < n; i = next) {
                const json_t *first = json_array_get(rows, i);

                for (next = i + 1; next < n && same_group(first, json_array_get(rows, next), by);
                     next++)
                        ;
                print_group_heading(h, first, by);
                if (!print_rows(rows, i, next, by, h))
                        return false;
        }
        return true;
}

/* "ggml_threadpool_new+0x1a2", or only the offset where the function is not known. */
static char *site_text(const json_t *site)
{
        const char *function = text_string(site, "function", NULL),
                   *library = text_string(site, "library", NULL);
        const char *base = library && strrchr(library, '/') ? strrchr(library, '/') + 1 : library;
        char *s;

        if (!json_is_object(site))
                return strdup("-");
        if (asprintf(&s, "%s%s0x%llx%s%s%s", function ? function : "", function ? "+" : "",
                     (unsigned long long)json_integer_value(json_object_get(site, "offset")),
                     base ? " (" : "", base ? base : "", base ? ")" : "") < 0)
                return NULL;
        return s;
}

static const struct table_column thread_columns[] = {
        {"tid", true, false, 0},        {"share", true, false, 0},      {"in ops", true, false, 0},
        {"not in ops", true, false, 1}, {"lifetime", true, false, 0},   {"cpu", true, false, 2},
        {"spans", true, false, 0},      {"allocs", true, false, 5},     {"bytes", true, false, 4},
        {"thread", false, false, 0},    {"spawned at", false, true, 3},
};
#define N_THREAD_COLUMNS (sizeof(thread_columns) / sizeof(thread_columns[0]))

static void add_thread(struct table *t, const json_t *thread, const char *id)
{
        const char *name = text_string(thread, "name", "");
        char part[FMT_SIZE], in[FMT_SIZE], out[FMT_SIZE], life[FMT_SIZE], cpu[FMT_SIZE],
                spans[FMT_SIZE], allocs[FMT_SIZE], size[FMT_SIZE];
        _cleanup_(freep) char *site = site_text(json_object_get(thread, "site"));

        table_add(t, (const char *[N_THREAD_COLUMNS]){
                             id,
                             view_share(part, thread, "share"),
                             view_figure(in, thread, "in_ops_ns", fmt_ns),
                             view_figure(out, json_object_get(thread, "not_in_any_op"), "self_ns",
                                         fmt_ns),
                             view_figure(life, thread, "lifetime_ns", fmt_ns),
                             view_figure(cpu, thread, "cpu_ns", fmt_ns),
                             view_figure(spans, thread, "spans", fmt_count),
                             view_figure(allocs, thread, "alloc_calls", fmt_count),
                             view_bytes(size, thread, "alloc_bytes"),
                             name[0] ? name : "-",
                             site,
                     });
}

static int compare_busy(const void *a, const void *b)
{
        double x = text_number(*(json_t *const *)a, "in_ops_ns"),
               y = text_number(*(json_t *const *)b, "in_ops_ns");

        if (isnan(x) || isnan(y))
                return isnan(x) - isnan(y);
        return x > y ? -1 : x < y;
}

/* All these as one row. A figure that one of them lacks, the sum lacks. */
static json_t *sum_threads(json_t *const *threads, size_t n)
{
        static const char *const members[] = {"in_ops_ns",   "lifetime_ns", "cpu_ns", "spans",
                                              "alloc_calls", "alloc_bytes", "share"};
        json_t *sum = json_object(), *rest = json_object();
        double outside = 0;

        for (size_t m = 0; m < sizeof(members) / sizeof(members[0]); m++) {
                double v = 0;

                for (size_t i = 0; i < n; i++)
                        v += text_number(threads[i], members[m]);
                if (!isnan(v))
                        json_object_set_new(sum, members[m],
                                            strcmp(members[m], "share")
                                                    ? json_integer((json_int_t)v)
                                                    : json_real(v));
        }
        for (size_t i = 0; i < n; i++)
                outside += text_number(json_object_get(threads[i], "not_in_any_op"), "self_ns");
        if (!isnan(outside))
                json_object_set_new(rest, "self_ns", json_integer((json_int_t)outside));
        json_object_set_new(sum, "not_in_any_op", rest);
        return sum;
}

/* The busiest, and what the others did in one row: an engine may make a thread for every token. */
static bool print_threads(const struct view *h, const json_t *report)
{
        json_t *array = json_object_get(report, "threads");
        size_t n = json_array_size(array), n_shown = n > MAX_THREAD_ROWS ? MAX_THREAD_ROWS - 1 : n;
        _cleanup_(freep) json_t **threads = calloc(n + 1, sizeof(*threads));
        struct table *t = table_new(thread_columns, N_THREAD_COLUMNS);
        char id[32];
        bool ok;

        if (!t || !threads) {
                table_free(t);
                return false;
        }
        for (size_t i = 0; i < n; i++)
                threads[i] = json_array_get(array, i);
        if (n_shown < n)
                qsort(threads, n, sizeof(*threads), compare_busy);
        for (size_t i = 0; i < n_shown; i++) {
                snprintf(id, sizeof(id), "%.0f", text_number(threads[i], "tid"));
                add_thread(t, threads[i], id);
        }
        if (n_shown < n) {
                _cleanup_(json_decrefp) json_t *sum = sum_threads(threads + n_shown, n - n_shown);
                char count[FMT_SIZE], name[64];

                snprintf(name, sizeof(name), "(%s more)", fmt_count(count, n - n_shown));
                json_object_set_new(sum, "name", json_string(name));
                add_thread(t, sum, "");
        }
        fputc('\n', h->f);
        ok = table_print(t, h->f, h->width);
        table_free(t);
        return ok;
}

static bool print_spawns(const struct view *h, const json_t *s)
{
        static const struct table_column columns[] = {{"count", true, false, 0},
                                                      {"asked for at", false, true, 0}};
        char total[FMT_SIZE], live[FMT_SIZE], peak[FMT_SIZE], unsited[FMT_SIZE], rate[TEXT_CELL];
        struct table *t;
        const json_t *site;
        bool ok;
        size_t i;

        fputc('\n', h->f);
        view_say(h, "spawns", "%s, %s live, at most %s thread%s at a time, %s a second",
                 view_figure(total, s, "total", fmt_count), view_figure(live, s, "live", fmt_count),
                 view_figure(peak, s, "peak_live", fmt_count),
                 text_number(s, "peak_live") == 1 ? "" : "s",
                 text_count(rate, text_number(s, "per_second")));
        if (!json_array_size(json_object_get(s, "sites")))
                return true;
        t = table_new(columns, 2);
        if (!t)
                return false;
        json_array_foreach(json_object_get(s, "sites"), i, site)
        {
                char count[FMT_SIZE];
                _cleanup_(freep) char *where = site_text(site);

                table_add(t, (const char *[]){view_figure(count, site, "count", fmt_count), where});
        }
        if (text_number(s, "unsited") > 0)
                table_add(t, (const char *[]){view_figure(unsited, s, "unsited", fmt_count),
                                              "(not known)"});
        ok = table_print(t, h->f, h->width);
        table_free(t);
        return ok;
}

bool report_print(const json_t *report, const json_t *rows, enum report_by by, unsigned width,
                  FILE *f)
{
        const struct view h = {f, width};

        view_run(&h, json_object_get(report, "run"));
        print_time(&h, report);
        print_phases(&h, report);
        print_tokens(&h, json_object_get(report, "tokens"));
        print_memory(&h, json_object_get(report, "memory"));
        print_self(&h, json_object_get(report, "self"));
        if (!print_ops(&h, rows, by) || !print_threads(&h, report) ||
            !print_spawns(&h, json_object_get(report, "spawns")))
                return false;
        view_notes(&h, report);
        return true;
}

/* ---- CSV ---- */

static void print_csv_text(FILE *f, const char *s)
{
        if (!s[strcspn(s, ",\"\r\n")]) {
                fputs(s, f);
                return;
        }
        fputc('"', f);
        for (; *s; s++) {
                if (*s == '"')
                        fputc('"', f);
                fputc(*s, f);
        }
        fputc('"', f);
}

static void print_csv_value(FILE *f, const json_t *v)
{
        if (json_is_string(v))
                print_csv_text(f, json_string_value(v));
        else if (json_is_integer(v))
                fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        else if (json_is_real(v))
                fprintf(f, "%.6g", json_real_value(v));
        else if (json_is_boolean(v))
                fputs(json_is_true(v) ? "true" : "false", f);
}

void report_print_csv(const json_t *rows, enum report_by by, FILE *f)
{
        static const char *const heads[][4] = {
                [REPORT_BY_OP] = {NULL},
                [REPORT_BY_THREAD] = {"pid", "tid", "thread", NULL},
                [REPORT_BY_PHASE] = {"phase", NULL},
                [REPORT_BY_SHAPE] = {"shape", NULL},
        };
        static const char *const members[] = {
                "name",
                "kernel",
                "library",
                "kind",
                "calls",
                "timed_calls",
                "estimated",
                "total_ns",
                "self_ns",
                "share",
                "min_ns",
                "max_ns",
                "mean_ns",
                "stddev_ns",
                "p50_ns",
                "p95_ns",
                "p99_ns",
                "threads",
                "left",
                "folded",
                "alloc_calls",
                "alloc_bytes",
                "usable_bytes",
                "free_calls",
                "freed_bytes",
                "net_bytes",
                "flops",
                "bytes",
                "gflops",
                "gbps",
                "intensity",
                "bound",
                "roof_gflops",
                "roof_share",
                "tokens_per_second_at_roof",
        };
        const size_t n = sizeof(members) / sizeof(members[0]);
        const json_t *row;
        size_t i;

        for (size_t c = 0; heads[by][c]; c++)
                fprintf(f, "%s,", heads[by][c]);
        for (size_t c = 0; c < n; c++)
                fprintf(f, "%s%s", c ? "," : "", members[c]);
        fputs("\r\n", f);
        json_array_foreach(rows, i, row)
        {
                for (size_t c = 0; heads[by][c]; c++) {
                        print_csv_value(f, json_object_get(row, heads[by][c]));
                        fputc(',', f);
                }
                for (size_t c = 0; c < n; c++) {
                        if (c)
                                fputc(',', f);
                        print_csv_value(f, json_object_get(row, members[c]));
                }
                fputs("\r\n", f);
        }
}
