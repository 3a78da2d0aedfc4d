/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "cli/report-view.h"

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
