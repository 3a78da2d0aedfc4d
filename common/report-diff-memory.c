/* SPDX-License-Identifier: MIT */
/*
 * Two documents of memory beside each other. Rows meet by name: ops by theirs, whatever library
 * they are in; stacks by their op, phase and functions, whatever lines and offsets, so that
 * two builds of one engine can be compared. Rows of one document that meet the same are summed. A
 * row that is only in one of them is 0 in the other: that is what was counted there, or sampled.
 */
#include "common/report-diff-memory.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/report-diff-private.h"
#include "common/report-memory.h"
#include "common/report-private.h"
#include "common/runfile-private.h"

static char *key_of_name(const json_t *row)
{
        const char *name = json_string_value(json_object_get(row, "name"));

        return strdup(name ? name : "\n"); /* no name: unmatched */
}

static char *key_of_class(const json_t *row)
{
        char *key = NULL;

        return asprintf(&key, "%lld", (long long)report_get_integer(row, "from_bytes")) < 0 ? NULL
                                                                                            : key;
}

/* Who provides operator new, and whether it is on the stack, is the allocator's business: without
 * it, a stack is the same over another one. */
static bool is_allocator(const json_t *frame)
{
        const char *function = json_string_value(json_object_get(frame, "function"));

        return function && !strncmp(function, "operator new", 12);
}

static char *key_of_stack(const json_t *row)
{
        bool inside = true; /* the allocator, as yet */
        const json_t *frame, *frames = json_object_get(row, "frames");
        const char *op = json_string_value(json_object_get(row, "op"));
        const char *phase = json_string_value(json_object_get(row, "phase"));
        char *key = NULL;
        size_t size, i;
        FILE *f = open_memstream(&key, &size);

        if (!f)
                return NULL;
        fprintf(f, "%s\n%s\n%d", op ? op : "", phase ? phase : "",
                json_is_true(json_object_get(row, "other")));
        json_array_foreach(frames, i, frame)
        {
                const char *function = json_string_value(json_object_get(frame, "function"));
                const char *library = json_string_value(json_object_get(frame, "library"));
                const char *slash = library ? strrchr(library, '/') : NULL;

                inside = inside && is_allocator(frame);
                if (inside)
                        continue;
                if (function)
                        fprintf(f, "\n%s", function);
                else
                        fprintf(f, "\n%s+%lld",
                                slash     ? slash
                                : library ? library
                                          : "",
                                (long long)report_get_integer(frame, "offset"));
        }
        return fclose(f) ? free(key), NULL : key;
}

static const struct diff_kind ops = {
        .rows = "ops",
        .members = {"calls", "asked_bytes", "usable_bytes", "frees", "freed_bytes", "failed_calls",
                    "mapped_bytes", "net_bytes"},
        .copied = {"name", "kind"},
        .key = key_of_name,
        .order = "asked_bytes",
        .order2 = "calls",
};
static const struct diff_kind classes = {
        .rows = "size_classes",
        .members = {"calls", "asked_bytes", "usable_bytes", "frees"},
        .copied = {"from_bytes", "to_bytes"},
        .key = key_of_class,
};
static const struct diff_kind categories = {
        .rows = "categories",
        .members = {"alloc_bytes", "alloc_objects", "alloc_share", "inuse_bytes", "inuse_objects",
                    "stacks"},
        .copied = {"name"},
        .key = key_of_name,
        .order = "alloc_bytes",
        .order2 = "inuse_bytes",
};
static const struct diff_kind stacks = {
        .rows = "stacks",
        .members = {"alloc_bytes", "alloc_objects", "inuse_bytes", "inuse_objects", "samples"},
        .copied = {"op", "phase", "category", "other", "frames"},
        .key = key_of_stack,
        .order = "alloc_bytes",
        .order2 = "inuse_bytes",
};

static const char *const alloc_members[] = {"calls", "asked_bytes",  "usable_bytes",
                                            "frees", "freed_bytes",  "failed_calls",
                                            "maps",  "mapped_bytes", NULL};
static const char *const total_members[] = {
        "calls",        "asked_bytes", "usable_bytes", "frees",      "freed_bytes",
        "failed_calls", "maps",        "mapped_bytes", "unmaps",     "unmapped_bytes",
        "maps_failed",  "live_bytes",  "growth_bytes", "peak_bytes", NULL};
static const char *const distribution_members[] = {"mean", "p50", "p99", "max", NULL};
static const char *const outside_members[] = {"rss",          "pss",  "anonymous", "file",
                                              "huge",         "swap", "rss_peak",  "minor_faults",
                                              "major_faults", NULL};
static const char *const allocator_members[] = {
        "allocated",  "active",          "metadata",      "resident", "mapped",
        "retained",   "free_bytes",      "releasable",    "useful",   "held",
        "efficiency", "mean_efficiency", "fragmentation", NULL};

static json_t *diff_part(const json_t *a, const json_t *b, const char *name,
                         const char *const *members)
{
        json_t *o = json_object();

        diff_put_cells(o, json_object_get(a, name), json_object_get(b, name), members);
        return o;
}

/* Null where one of them has it not. */
static json_t *diff_per_token(const json_t *a, const json_t *b)
{
        const json_t *p = json_object_get(a, "per_token"), *q = json_object_get(b, "per_token");
        json_t *o;

        if (!json_is_object(p) || !json_is_object(q))
                return json_null();
        o = json_object();
        report_set(o, "tokens", diff_cell(diff_member(p, "tokens"), diff_member(q, "tokens")));
        report_set(o, "calls", diff_part(p, q, "calls", distribution_members));
        report_set(o, "bytes", diff_part(p, q, "bytes", distribution_members));
        report_set(o, "tokens_without_allocation",
                   diff_cell(diff_member(p, "tokens_without_allocation"),
                             diff_member(q, "tokens_without_allocation")));
        return o;
}

static json_t *diff_kv(const json_t *a, const json_t *b)
{
        static const char error[] = "stderr_bytes_per_token";
        const json_t *p = json_object_get(a, "kv"), *q = json_object_get(b, "kv");
        double x = diff_member(p, error), y = diff_member(q, error);
        json_t *o;

        if (!json_is_object(p) || !json_is_object(q))
                return json_null();
        o = json_object();
        report_set(o, "bytes_per_token",
                   diff_estimate(diff_member(p, "bytes_per_token"),
                                 diff_member(q, "bytes_per_token"), x * x + y * y));
        return o;
}

/* A phase that one of them has not is nothing there. */
static json_t *diff_phases(const json_t *a, const json_t *b)
{
        json_t *phases = json_object();

        for (int i = 0; i < IFP_N_PHASES; i++) {
                const char *name = report_phase_names[i];
                const json_t *p = json_object_get(json_object_get(a, "phases"), name);
                const json_t *q = json_object_get(json_object_get(b, "phases"), name);
                json_t *o;

                if (!p && !q)
                        continue;
                o = json_object();
                for (const char *const *key = alloc_members; *key; key++)
                        report_set(o, *key,
                                   diff_cell(p ? diff_member(p, *key) : 0,
                                             q ? diff_member(q, *key) : 0));
                report_set(phases, name, o);
        }
        return phases;
}

static json_t *diff_leaks(const json_t *a, const json_t *b)
{
        const json_t *p = json_object_get(a, "leaks"), *q = json_object_get(b, "leaks");
        double x = diff_member(p, "stderr_bytes"), y = diff_member(q, "stderr_bytes");
        json_t *o = json_object();

        report_set(o, "objects", diff_cell(diff_member(p, "objects"), diff_member(q, "objects")));
        report_set(o, "bytes",
                   diff_estimate(diff_member(p, "bytes"), diff_member(q, "bytes"), x * x + y * y));
        return o;
}

static json_t *kind_of_allocator(const json_t *document)
{
        json_t *kind = json_object_get(json_object_get(document, "allocator"), "kind");

        return kind ? json_incref(kind) : json_null();
}

static json_t *diff_allocator(const json_t *a, const json_t *b)
{
        json_t *o = diff_part(a, b, "allocator", allocator_members);

        report_set(o, "kind",
                   json_pack("{s:o,s:o}", "a", kind_of_allocator(a), "b", kind_of_allocator(b)));
        return o;
}

static int diff(json_t *o, const json_t *a, const json_t *b)
{
        static const struct diff_kind *const kinds[] = {&ops, &classes, &categories, &stacks};
        bool estimates = json_is_true(json_object_get(a, "estimates")) ||
                         json_is_true(json_object_get(b, "estimates"));
        int r = 0;

        report_set(o, "estimates", json_boolean(estimates));
        report_set(o, "totals", diff_part(a, b, "totals", total_members));
        report_set(o, "per_token", diff_per_token(a, b));
        report_set(o, "kv", diff_kv(a, b));
        report_set(o, "phases", diff_phases(a, b));
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !r; i++)
                r = diff_put_rows(o, kinds[i], a, b);
        report_set(o, "leaks", diff_leaks(a, b));
        report_set(o, "allocator", diff_allocator(a, b));
        report_set(o, "outside", diff_part(a, b, "outside", outside_members));
        return r;
}

/* The run and its window. */
static json_t *build_side(const json_t *document)
{
        static const char *const members[] = {"id", "command", "started_at", "duration_ns", NULL};
        json_t *o = json_object(), *window = json_object_get(document, "window");

        for (const char *const *key = members; *key; key++) {
                json_t *v = json_object_get(json_object_get(document, "run"), *key);

                report_set(o, *key, v ? json_incref(v) : json_null());
        }
        report_set(o, "window", window ? json_incref(window) : json_null());
        return o;
}

static json_t *build_notes(const json_t *a, const json_t *b)
{
        double x = diff_member(a, "heap_interval_bytes"), y = diff_member(b, "heap_interval_bytes");
        json_t *notes = json_array();

        if (isfinite(x) != isfinite(y))
                report_note(notes,
                            "allocations were sampled in one of the two only: its stacks and "
                            "categories have nothing to be held against");
        else if (isfinite(x) && x != y)
                report_note(notes,
                            "the two were sampled at different intervals (%.0f and %.0f "
                            "bytes): their estimates are not equally good",
                            x, y);
        if (json_is_object(json_object_get(a, "window")) !=
            json_is_object(json_object_get(b, "window")))
                report_note(notes, "one of the two is a part of its run, between marks");
        return notes;
}

int report_diff_memory(json_t **ret, const json_t *a, const json_t *b, char **ret_why)
{
        const json_t *sides[] = {a, b};
        json_t *o, *memory;
        int r;

        for (int i = 0; i < 2; i++) {
                const char *schema = json_string_value(json_object_get(sides[i], "schema"));

                if (!schema || strcmp(schema, MEMORY_SCHEMA) != 0)
                        return runfile_explain(ret_why, DIFF_E_FOREIGN,
                                               "the %s of the two is no document %s",
                                               i ? "second" : "first", MEMORY_SCHEMA);
        }
        o = json_object();
        memory = json_object();
        report_set(o, "schema", json_string(DIFF_MEMORY_SCHEMA));
        report_set(o, "a", build_side(a));
        report_set(o, "b", build_side(b));
        report_set(o, "memory", memory);
        report_set(o, "notes", build_notes(a, b));
        r = diff(memory, a, b);
        if (r) {
                json_decref(o);
                return runfile_explain(ret_why, r, "%s", strerror(-r));
        }
        *ret = o;
        return 0;
}
