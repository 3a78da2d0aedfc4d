/* SPDX-License-Identifier: MIT */
/*
 * The tables of the memory view: one row a phase, category, size class, op, thread, file, mark.
 */
#include "cli/memory-view-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define BAR_CELLS 20

/* Rows of a list, as many as are to be shown, under a heading that stands already. */
#define PRINT_SHOWN(m, rows, columns)                                                              \
        (ROWS_PRINT(&m->v, rows, memory_shown(m, json_array_size(rows)), columns) &&               \
         (memory_say_more(m, json_array_size(rows)), true))

bool memory_print_phases(const struct memory_view *m)
{
        static const struct rows_column columns[] = {
                {{"phase", false, false, 0}, "name", ROWS_TEXT},
                {{"calls", true, false, 0}, "calls", ROWS_COUNT},
                {{"asked", true, false, 0}, "asked_bytes", ROWS_BYTES},
                {{"usable", true, false, 3}, "usable_bytes", ROWS_BYTES},
                {{"frees", true, false, 1}, "frees", ROWS_COUNT},
                {{"freed", true, false, 2}, "freed_bytes", ROWS_BYTES},
                {{"failed", true, false, 4}, "failed_calls", ROWS_COUNT},
                {{"mapped", true, false, 5}, "mapped_bytes", ROWS_BYTES},
        };
        _cleanup_(json_decrefp) json_t *rows = json_array();
        const char *name;
        json_t *phase;

        json_object_foreach(json_object_get(m->document, "phases"), name, phase)
        {
                json_t *row = json_copy(phase);

                json_object_set_new(row, "name", json_string(name));
                json_array_append_new(rows, row);
        }
        if (!json_array_size(rows))
                return true;
        fputc('\n', m->v.f);
        return ROWS_PRINT(&m->v, rows, json_array_size(rows), columns);
}

bool memory_print_categories(const struct memory_view *m)
{
        static const struct rows_column columns[] = {
                {{"allocated", true, false, 0}, "alloc_bytes", ROWS_BYTES},
                {{"share", true, false, 0}, "alloc_share", ROWS_SHARE},
                {{"error", true, false, 3}, "alloc_bytes_stderr", ROWS_BYTES},
                {{"blocks", true, false, 1}, "alloc_objects", ROWS_COUNT},
                {{"in use", true, false, 0}, "inuse_bytes", ROWS_BYTES},
                {{"share", true, false, 0}, "inuse_share", ROWS_SHARE},
                {{"stacks", true, false, 2}, "stacks", ROWS_COUNT},
                {{"category", false, true, 0}, "name", ROWS_TEXT, "(no rule matches)"},
        };
        const json_t *rows = json_object_get(m->document, "categories");
        char phase[32];

        if (!json_array_size(rows))
                return true;
        memory_heading(m, "categories%s%s", memory_in_phase(phase, m),
                       json_is_true(json_object_get(m->document, "estimates"))
                               ? ", estimated from samples"
                               : "");
        return ROWS_PRINT(&m->v, rows, json_array_size(rows), columns);
}

/* "1KiB", not "1.00KiB": a power of two. */
static const char *round_bytes(char *buf, uint64_t bytes)
{
        static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
        unsigned u = 0;

        for (; bytes >= 1024; bytes /= 1024)
                u++;
        snprintf(buf, FMT_SIZE, "%u%s", (unsigned)bytes, units[u]);
        return buf;
}

/* A bar of at most BAR_CELLS, in buf[4 * BAR_CELLS]; what is there has at least a piece of one. */
static const char *bar(char *buf, double v, double most)
{
        static const char *const parts[] = {"",       "\u258f", "\u258e", "\u258d",
                                            "\u258c", "\u258b", "\u258a", "\u2589"};
        unsigned eighths = v > 0 && most > 0 ? (unsigned)llround(v / most * BAR_CELLS * 8) : 0;
        char *p = buf;

        if (v > 0 && !eighths)
                eighths = 1;
        *p = '\0';
        if (!text_is_utf8()) {
                for (unsigned i = 0; i < (eighths + 7) / 8; i++)
                        p = stpcpy(p, "#");
                return buf;
        }
        for (unsigned i = 0; i < eighths / 8; i++)
                p = stpcpy(p, "\u2588");
        strcpy(p, parts[eighths % 8]);
        return buf;
}

bool memory_print_sizes(const struct memory_view *m)
{
        static const struct table_column columns[] = {
                {"size from", true, false, 0}, {"calls", true, false, 0},
                {"share", true, false, 0},     {"", false, false, 0},
                {"asked", true, false, 0},     {"usable", true, false, 2},
                {"not freed", true, false, 1},
        };
        const json_t *rows = json_object_get(m->document, "size_classes"), *row;
        double all = memory_sum(rows, "calls"), most = 0;
        struct table *t;
        bool ok;
        size_t i;

        if (!json_array_size(rows))
                return true;
        t = table_new(columns, 7);
        if (!t)
                return false;
        json_array_foreach(rows, i, row)
        {
                most = fmax(most, text_number(row, "calls"));
        }
        json_array_foreach(rows, i, row)
        {
                double calls = text_number(row, "calls"), left = calls - text_number(row, "frees");
                char from[FMT_SIZE], n[FMT_SIZE], part[FMT_SIZE], line[4 * BAR_CELLS],
                        asked[FMT_SIZE], usable[FMT_SIZE], kept[FMT_SIZE];

                table_add(t, (const char *[]){
                                     round_bytes(from, (uint64_t)text_number(row, "from_bytes")),
                                     view_count(n, row, "calls"),
                                     all > 0 ? fmt_share(part, calls / all) : "-",
                                     bar(line, calls, most), view_bytes(asked, row, "asked_bytes"),
                                     view_bytes(usable, row, "usable_bytes"),
                                     left < 0 ? "-" : fmt_count(kept, (uint64_t)left)});
        }
        memory_heading(m, "size classes, by usable size");
        ok = table_print(t, m->v.f, m->v.width);
        table_free(t);
        return ok;
}

bool memory_print_ops(const struct memory_view *m)
{
        static const struct rows_column columns[] = {
                {{"asked", true, false, 0}, "asked_bytes", ROWS_BYTES},
                {{"calls", true, false, 0}, "calls", ROWS_COUNT},
                {{"usable", true, false, 5}, "usable_bytes", ROWS_BYTES},
                {{"frees", true, false, 1}, "frees", ROWS_COUNT},
                {{"freed", true, false, 3}, "freed_bytes", ROWS_BYTES},
                {{"net", true, false, 2}, "net_bytes", ROWS_BYTES},
                {{"failed", true, false, 6}, "failed_calls", ROWS_COUNT},
                {{"mapped", true, false, 4}, "mapped_bytes", ROWS_BYTES},
                {{"op", false, true, 0}, "name", ROWS_TEXT},
        };
        const json_t *rows = json_object_get(m->document, "ops");
        char phase[32];

        if (!json_array_size(rows)) {
                if (m->o->phase)
                        memory_heading(m, "no op allocated in phase %s", m->o->phase);
                return true;
        }
        memory_heading(m, "ops%s: what each allocated itself, exact", memory_in_phase(phase, m));
        return PRINT_SHOWN(m, rows, columns);
}

bool memory_print_threads(const struct memory_view *m)
{
        static const struct rows_column columns[] = {
                {{"tid", true, false, 0}, "tid_text", ROWS_TEXT},
                {{"asked", true, false, 0}, "asked_bytes", ROWS_BYTES},
                {{"calls", true, false, 0}, "calls", ROWS_COUNT},
                {{"frees", true, false, 0}, "frees", ROWS_COUNT},
                {{"freed", true, false, 1}, "freed_bytes", ROWS_BYTES},
                {{"failed", true, false, 2}, "failed_calls", ROWS_COUNT},
                {{"mapped", true, false, 3}, "mapped_bytes", ROWS_BYTES},
                {{"thread", false, true, 0}, "name", ROWS_TEXT},
        };
        _cleanup_(json_decrefp) json_t *rows =
                rows_sorted(json_object_get(m->document, "threads"), "asked_bytes");
        json_t *row;
        size_t i;

        if (!rows)
                return false;
        if (!json_array_size(rows))
                return true;
        json_array_foreach(rows, i, row)
        {
                char tid[32];

                snprintf(tid, sizeof(tid), "%.0f", text_number(row, "tid"));
                json_array_set_new(rows, i, row = json_copy(row));
                json_object_set_new(row, "tid_text", json_string(tid));
        }
        memory_heading(m, "threads");
        return PRINT_SHOWN(m, rows, columns);
}

bool memory_print_files(const struct memory_view *m)
{
        static const struct rows_column columns[] = {
                {{"mapped", true, false, 0}, "mapped_bytes", ROWS_BYTES},
                {{"resident", true, false, 0}, "resident_bytes", ROWS_BYTES},
                {{"share", true, false, 0}, "share", ROWS_SHARE},
                {{"size", true, false, 1}, "size", ROWS_BYTES},
                {{"nodes", false, false, 2}, "nodes", ROWS_TEXT},
                {{"file", false, true, 0}, "path", ROWS_TEXT},
        };
        _cleanup_(json_decrefp) json_t *rows =
                rows_sorted(json_object_get(m->document, "mapped_files"), "mapped_bytes");
        json_t *row;
        size_t i;

        if (!rows)
                return false;
        if (!json_array_size(rows))
                return true;
        json_array_foreach(rows, i, row)
        {
                double whole = text_number(row, "mapped_bytes"),
                       part = text_number(row, "resident_bytes");

                json_array_set_new(rows, i, row = json_copy(row));
                if (whole > 0 && part >= 0)
                        json_object_set_new(row, "share", json_real(fmin(part / whole, 1)));
        }
        memory_heading(m, "mapped files");
        return PRINT_SHOWN(m, rows, columns);
}

bool memory_print_marks(const struct memory_view *m)
{
        static const struct rows_column columns[] = {
                {{"at", true, false, 0}, "at_ns", ROWS_TIME},
                {{"live", true, false, 0}, "live_bytes", ROWS_BYTES},
                {{"mark", false, true, 0}, "name", ROWS_TEXT},
        };
        const json_t *rows = json_object_get(m->document, "marks");

        if (!json_array_size(rows))
                return true;
        memory_heading(m, "marks; --from and --to take two of them");
        return ROWS_PRINT(&m->v, rows, json_array_size(rows), columns);
}
