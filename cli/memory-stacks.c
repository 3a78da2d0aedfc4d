/* SPDX-License-Identifier: MIT */
/*
 * The memory view's stacks: for each a line of figures, then its frames; and what was never freed.
 */
#include "cli/memory-view-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/stack-view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define INDENT    "      "
#define MAX_LEAKS 5

/* A figure in buf[FMT_SIZE]: bytes or blocks; negative ones in a window. */
static const char *amount(char *buf, double v, bool is_bytes)
{
        if (isnan(v))
                return strcpy(buf, "-");
        if (is_bytes)
                return fmt_bytes(buf, llround(v));
        if (v >= 0)
                return fmt_count(buf, (uint64_t)llround(v));
        buf[0] = '-';
        fmt_count(buf + 1, (uint64_t)llround(-v));
        return buf;
}

/* "12 blocks", in buf[FMT_SIZE + 8]. */
static const char *blocks(char *buf, double n)
{
        amount(buf, n, false);
        return strcat(buf, n == 1 ? " block" : " blocks");
}

/* What is known of the lives of its blocks, in buf[size]; "" where nothing is. */
static const char *lives(char *buf, size_t size, const json_t *stack)
{
        double mean = text_number(stack, "lifetime_ns"), part = text_number(stack, "short_share");
        char took[FMT_SIZE], share[FMT_SIZE];
        int n = 0;

        buf[0] = '\0';
        if (!isnan(mean))
                n = snprintf(buf, size, "%s after %s on average",
                             text_number(stack, "inuse_bytes") == 0 ? "" : ", others freed",
                             fmt_ns(took, (uint64_t)llround(mean)));
        if (part > 0 && n >= 0 && (size_t)n < size)
                snprintf(buf + n, size - (size_t)n, ", %s%% within 1ms", text_share(share, part));
        return buf;
}

/* " 1. 12.3MiB +- 1.1MiB, 45.6%: in MUL_MAT, decode" and what else there is to say of it. */
static void print_figures(const struct memory_view *m, size_t place, const json_t *stack,
                          double all)
{
        enum memory_by by = m->o->by;
        const char *op = text_string(stack, "op", NULL);
        const char *category = text_string(stack, "category", NULL);
        bool inuse = memory_by_is_inuse(by);
        bool windowed = json_is_object(json_object_get(m->document, "window"));
        bool nothing = text_number(stack, "inuse_bytes") == 0;
        double value = text_number(stack, memory_by_members[by]);
        double error = text_number(stack, !memory_by_is_bytes(by) ? "alloc_objects_stderr"
                                          : inuse                 ? "inuse_bytes_stderr"
                                                                  : "alloc_bytes_stderr");
        char a[FMT_SIZE], b[FMT_SIZE + 8], c[FMT_SIZE], d[FMT_SIZE], e[FMT_SIZE], line[256],
                label[32];
        _cleanup_(freep) char *first = NULL, *second = NULL;

        if (inuse && !memory_by_is_bytes(by))
                error = NAN; /* of blocks in use it is not told */
        if (asprintf(&first, "%s%s%s%s%s%s  %s, %s%s%s%s", amount(a, value, memory_by_is_bytes(by)),
                     memory_by_is_bytes(by) ? "" : " blocks", error >= 0.5 ? view_plus_minus() : "",
                     error >= 0.5 ? amount(b, error, memory_by_is_bytes(by)) : "",
                     all > 0 ? "  " : "", all > 0 ? fmt_share(c, value / all) : "",
                     text_string(stack, "phase", "?"), op ? "in op " : "in no op", op ? op : "",
                     category ? "  " : "", category ? category : "") < 0)
                first = NULL;
        snprintf(label, sizeof(label), "%3zu.  ", place);
        table_wrap(m->v.f, label, first ? first : "?", m->v.width);
        if (asprintf(&second, "%s in %s, %s%s%s%s%s",
                     amount(a, text_number(stack, "alloc_bytes"), true),
                     blocks(b, text_number(stack, "alloc_objects")),
                     nothing ? "all freed" : amount(d, text_number(stack, "inuse_bytes"), true),
                     nothing ? "" : " in ",
                     nothing ? "" : amount(e, text_number(stack, "inuse_objects"), false),
                     nothing    ? ""
                     : windowed ? " more in use than before"
                                : " in use",
                     lives(line, sizeof(line), stack)) < 0)
                second = NULL;
        table_wrap(m->v.f, INDENT, second ? second : "?", m->v.width);
}

static const char *const headings[MEMORY_N_BY] = {"by bytes allocated", "by bytes in use",
                                                  "by blocks allocated", "by blocks in use"};

/* Why there is nothing to show. */
static void say_none(const struct memory_view *m)
{
        double taken = text_number(json_object_get(m->document, "samples"), "taken");

        if (!json_is_integer(json_object_get(m->document, "heap_interval_bytes")))
                memory_heading(m, "top stacks: none, for nothing was sampled (heap interval 0)");
        else if (json_array_size(json_object_get(m->document, "stacks")))
                memory_heading(m,
                               "top stacks %s: none is left of those that were sampled; --by "
                               "alloc shows what was allocated",
                               headings[m->o->by]);
        else
                memory_heading(m,
                               "top stacks: %s%s; record --heap-interval 1 samples each "
                               "allocation",
                               taken > 0 ? "no sample" : "nothing was sampled",
                               m->o->phase && taken > 0 ? " is of this phase" : "");
}

bool memory_print_stacks(const struct memory_view *m)
{
        const json_t *stacks = json_object_get(m->document, "stacks"), *stack;
        const char *member = memory_by_members[m->o->by];
        double all = memory_sum(stacks, member);
        bool estimates = json_is_true(json_object_get(m->document, "estimates"));
        char phase[32];
        size_t n = 0, i;

        /* sorted: what is nothing is at the end, what shrank in a window behind it */
        json_array_foreach(stacks, i, stack)
        {
                double v = text_number(stack, member);

                n += v != 0 && !isnan(v);
        }
        if (!n) {
                say_none(m);
                return true;
        }
        memory_heading(m, "top stacks%s %s: %zu of %zu%s", memory_in_phase(phase, m),
                       headings[m->o->by], memory_shown(m, n), n,
                       estimates ? ", estimated from samples" : ", each allocation counted");
        n = memory_shown(m, n);
        for (size_t place = 0, at = 0; place < n; at++) {
                stack = json_array_get(stacks, at);
                if (text_number(stack, member) == 0 || isnan(text_number(stack, member)))
                        continue;
                fputc('\n', m->v.f);
                print_figures(m, ++place, stack, all);
                if (!stack_print(&m->v, stack, INDENT, m->o->full))
                        return false;
        }
        return true;
}

static bool print_leak_rows(const struct memory_view *m, const json_t *stacks)
{
        static const struct table_column columns[] = {{"in use", true, false, 0},
                                                      {"error", true, false, 1},
                                                      {"blocks", true, false, 2},
                                                      {"phase", false, false, 3},
                                                      {"asked for by", false, true, 0}};
        struct table *t = table_new(columns, 5);
        char a[FMT_SIZE], b[FMT_SIZE], c[FMT_SIZE];
        bool ok;

        if (!t)
                return false;
        for (size_t i = 0; i < MAX_LEAKS && i < json_array_size(stacks); i++) {
                const json_t *stack = json_array_get(stacks, i);
                _cleanup_(freep) char *site = stack_site(stack);

                if (!(text_number(stack, "inuse_bytes") > 0))
                        break;
                table_add(t, (const char *[]){
                                     amount(a, text_number(stack, "inuse_bytes"), true),
                                     amount(b, text_number(stack, "inuse_bytes_stderr"), true),
                                     amount(c, text_number(stack, "inuse_objects"), false),
                                     text_string(stack, "phase", "?"), site});
        }
        ok = table_print(t, m->v.f, m->v.width);
        table_free(t);
        return ok;
}

bool memory_print_leaks(const struct memory_view *m)
{
        const json_t *leaks = json_object_get(m->document, "leaks");
        _cleanup_(json_decrefp) json_t *stacks =
                rows_sorted(json_object_get(m->document, "stacks"), "inuse_bytes");
        double bytes = text_number(leaks, "bytes"), error = text_number(leaks, "stderr_bytes");
        bool ended = json_is_true(json_object_get(leaks, "ended"));
        bool windowed = json_is_object(json_object_get(m->document, "window"));
        const json_t *totals = json_object_get(m->document, "totals");
        char a[FMT_SIZE + 8], b[FMT_SIZE], c[FMT_SIZE], exact[FMT_SIZE];

        if (!stacks)
                return false;
        memory_heading(
                m, "%s: %s",
                windowed
                        ? "allocated between the marks and not freed, less what was freed of before"
                : ended ? "never freed"
                        : "in use now",
                view_bytes(exact, totals, "growth_bytes")); /* as stacks: of all processes */
        if (isnan(bytes))
                return true;
        if (bytes == 0 && text_number(leaks, "objects") == 0) {
                fputs("no sample is of these; record --heap-interval 1 samples each allocation\n",
                      m->v.f);
                return true;
        }
        memory_line(m, "of these, by samples, %s of %s%s%s; memory --by inuse shows their stacks",
                    blocks(a, text_number(leaks, "objects")), amount(b, bytes, true),
                    error >= 0.5 ? view_plus_minus() : "",
                    error >= 0.5 ? amount(c, error, true) : "");
        if (m->o->phase)
                memory_line(m, "those that were asked for in phase %s:", m->o->phase);
        return !(bytes > 0) || print_leak_rows(m, stacks);
}
