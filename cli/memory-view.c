/* SPDX-License-Identifier: MIT */
/*
 * The order of the view's sections, and its head: which run, its totals, what a token costs.
 */
#include "cli/memory-view-private.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

const char *const memory_section_names[MEMORY_N_SECTIONS] = {
        "totals", "timeline",  "stacks",  "categories", "sizes", "ops",   "threads",
        "leaks",  "allocator", "outside", "files",      "marks", "notes",
};

void memory_line(const struct memory_view *m, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        view_vline(&m->v, format, ap);
        va_end(ap);
}

void memory_heading(const struct memory_view *m, const char *format, ...)
{
        va_list ap;

        fputc('\n', m->v.f);
        va_start(ap, format);
        view_vline(&m->v, format, ap);
        va_end(ap);
}

const char *memory_in_phase(char *buf, const struct memory_view *m)
{
        snprintf(buf, 32, "%s%s", m->o->phase ? " in phase " : "", m->o->phase ? m->o->phase : "");
        return buf;
}

size_t memory_shown(const struct memory_view *m, size_t n)
{
        return view_shown(m->o->rows, n);
}

void memory_say_more(const struct memory_view *m, size_t n)
{
        view_say_more(&m->v, m->o->rows, n);
}

/* "start" and "end" for what is not a mark. */
static void print_window(const struct memory_view *m)
{
        const json_t *w = json_object_get(m->document, "window");
        char from[FMT_SIZE], to[FMT_SIZE];

        if (json_is_object(w))
                view_say(&m->v, "window", "from %s (%s) to %s (%s)",
                         text_string(w, "from", "the start"),
                         view_figure(from, w, "from_ns", fmt_ns), text_string(w, "to", "the end"),
                         view_figure(to, w, "to_ns", fmt_ns));
        if (m->o->phase)
                view_say(&m->v, "phase",
                         "%s: stacks, categories and ops are of this phase alone, all else of the "
                         "whole run",
                         m->o->phase);
}

static void print_totals(const struct memory_view *m)
{
        const json_t *t = json_object_get(m->document, "totals");
        bool several = json_array_size(json_object_get(json_object_get(m->document, "run"),
                                                       "processes")) > 1;
        bool windowed = json_is_object(json_object_get(m->document, "window"));
        char a[FMT_SIZE], b[FMT_SIZE], c[FMT_SIZE];

        view_say(&m->v, "allocated", "%s in %s calls (%s usable); %s failed",
                 view_bytes(a, t, "asked_bytes"), view_count(b, t, "calls"),
                 view_bytes(c, t, "usable_bytes"),
                 text_number(t, "failed_calls") > 0 /* not in calls */
                         ? fmt_count((char[FMT_SIZE]){}, (uint64_t)text_number(t, "failed_calls"))
                         : "none");
        view_say(&m->v, "freed", "%s in %s calls", view_bytes(a, t, "freed_bytes"),
                 view_count(b, t, "frees"));
        if (windowed)
                view_say(&m->v, "live", "%s at the end of the window; grew by %s",
                         view_bytes(a, t, "live_bytes"), view_bytes(b, t, "growth_bytes"));
        else
                view_say(&m->v, "live", "%s%s; peak %s%s", view_bytes(a, t, "live_bytes"),
                         several ? " at the end" : "", view_bytes(b, t, "peak_bytes"),
                         several ? ", in the process that had most" : "");
        if (text_number(t, "maps") > 0 || text_number(t, "unmaps") > 0)
                view_say(&m->v, "mapped", "%s in %s call%s; unmapped %s",
                         view_bytes(a, t, "mapped_bytes"), view_count(b, t, "maps"),
                         text_number(t, "maps") == 1 ? "" : "s",
                         view_bytes(c, t, "unmapped_bytes"));
}

/* Mean, median, p99 and maximum of what a token took. */
static void print_distribution(const struct memory_view *m, const char *label, const json_t *d,
                               bool is_bytes)
{
        double mean = text_number(d, "mean");
        char of_mean[TEXT_CELL + 1], p50[FMT_SIZE], p99[FMT_SIZE], max[FMT_SIZE];

        if (is_bytes && !isnan(mean))
                fmt_bytes(of_mean, llround(mean));
        else
                text_count(of_mean, mean);
        view_say(&m->v, label, "%s of a token: mean %s, median %s, p99 %s, max %s",
                 is_bytes ? "bytes" : "calls", of_mean,
                 is_bytes ? view_bytes(p50, d, "p50") : view_count(p50, d, "p50"),
                 is_bytes ? view_bytes(p99, d, "p99") : view_count(p99, d, "p99"),
                 is_bytes ? view_bytes(max, d, "max") : view_count(max, d, "max"));
}

static void print_tokens(const struct memory_view *m)
{
        const json_t *t = json_object_get(m->document, "per_token");
        double tokens = text_number(t, "tokens"), without;
        char n[FMT_SIZE], none[FMT_SIZE], part[FMT_SIZE];

        if (!json_is_object(t) || !(tokens > 0))
                return;
        without = text_number(t, "tokens_without_allocation");
        print_distribution(m, "decode", json_object_get(t, "calls"), false);
        print_distribution(m, "", json_object_get(t, "bytes"), true);
        view_say(&m->v, "", "%s of %s tokens allocated nothing (%s)",
                 view_count(none, t, "tokens_without_allocation"), view_count(n, t, "tokens"),
                 fmt_share(part, without / tokens));
}

/* Few bytes with a decimal, for their error is less than one. In buf[FMT_SIZE]. */
static const char *growth_of(char *buf, double v)
{
        if (fabs(v) >= 9.95)
                return fmt_bytes(buf, llround(v));
        snprintf(buf, FMT_SIZE, "%.1fB", v);
        return buf;
}

#define STEADY_R2 0.5 /* below: a straight line explains less than half of it */

static void print_kv(const struct memory_view *m)
{
        const json_t *kv = json_object_get(m->document, "kv");
        double error = text_number(kv, "stderr_bytes_per_token"), r2 = text_number(kv, "r2");
        char growth[FMT_SIZE], of_error[FMT_SIZE], fit[32] = "";

        if (!json_is_object(kv) || isnan(text_number(kv, "bytes_per_token")))
                return;
        if (!isnan(r2))
                snprintf(fit, sizeof(fit), ", r2 %.2f", r2);
        if (r2 < STEADY_R2) { /* what is allocated beforehand does not grow; the rest is noise */
                view_say(&m->v, "growth",
                         "none that is steady: live bytes from token %.0f to %.0f do not follow "
                         "the tokens (%.0f points%s)",
                         text_number(kv, "from_token"), text_number(kv, "to_token"),
                         text_number(kv, "points"), fit);
                return;
        }
        view_say(&m->v, "growth",
                 "%s a token%s%s, live bytes from token %.0f to %.0f (%.0f points%s)",
                 growth_of(growth, text_number(kv, "bytes_per_token")),
                 isnan(error) ? "" : view_plus_minus(),
                 isnan(error) ? "" : growth_of(of_error, error), text_number(kv, "from_token"),
                 text_number(kv, "to_token"), text_number(kv, "points"), fit);
}

static bool print_head(const struct memory_view *m)
{
        view_run(&m->v, json_object_get(m->document, "run"));
        print_window(m);
        print_totals(m);
        print_tokens(m);
        print_kv(m);
        return memory_print_phases(m);
}

static bool print_notes(const struct memory_view *m)
{
        view_notes(&m->v, m->document);
        return true;
}

bool memory_print(const json_t *document, const struct memory_view_options *o, FILE *f)
{
        static bool (*const sections[MEMORY_N_SECTIONS])(const struct memory_view *) = {
                [MEMORY_TOTALS] = print_head,
                [MEMORY_TIMELINE] = memory_print_timeline,
                [MEMORY_STACKS] = memory_print_stacks,
                [MEMORY_CATEGORIES] = memory_print_categories,
                [MEMORY_SIZES] = memory_print_sizes,
                [MEMORY_OPS] = memory_print_ops,
                [MEMORY_THREADS] = memory_print_threads,
                [MEMORY_LEAKS] = memory_print_leaks,
                [MEMORY_ALLOCATOR] = memory_print_allocator,
                [MEMORY_OUTSIDE] = memory_print_outside,
                [MEMORY_FILES] = memory_print_files,
                [MEMORY_MARKS] = memory_print_marks,
                [MEMORY_NOTES] = print_notes,
        };
        const struct memory_view m = {.v = {f, o->width}, .document = document, .o = o};

        for (unsigned i = 0; i < MEMORY_N_SECTIONS; i++)
                if ((o->sections & 1u << i) && !sections[i](&m))
                        return false;
        return true;
}
