/* SPDX-License-Identifier: MIT */
/*
 * Stacks for people: a line of figures, then the frames from the allocation outwards. Frames of the
 * C++ library are one line together, named by the outermost: who resizes a vector is asked, not
 * how a vector does it. What is not shown is counted.
 */
#include "cli/memory-view-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flame-name.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define MAX_FRAMES 8
#define INDENT     "      "
#define LEAST_NAME 20u /* columns that a function's name gets, whatever stands behind it */
#define MAX_LEAKS  5

static const char *base_name(const char *path)
{
        const char *slash = path ? strrchr(path, '/') : NULL;

        return slash ? slash + 1 : path;
}

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

/* Is the frame the C++ library's own, instantiated where it may be? */
static bool is_plumbing(const json_t *frame)
{
        static const char *const begins[] = {"std::", "operator new", "__gnu_cxx::"};
        const char *function = text_string(frame, "function", "");
        size_t name = 0;

        /* "void std::vector<...>::f()": a template's return type comes first */
        while (function[name] && !strchr(" <(", function[name]))
                name++;
        if (function[name] == ' ' && strncmp(function, "operator", 8) != 0)
                function += name + 1;
        for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
                if (!strncmp(function, begins[i], strlen(begins[i])))
                        return true;
        return false;
}

/* "(libllama.so) llama-context.cpp:760 inlined +2 inside", to be freed. */
static char *frame_suffix(const json_t *frame, size_t n_inside)
{
        const char *library = base_name(text_string(frame, "library", NULL));
        const char *file = base_name(text_string(frame, "file", NULL));
        double line = text_number(frame, "line");
        char number[16] = "", inside[32] = "";
        bool named =
                text_string(frame, "function", NULL) != NULL; /* else the library is its name */
        char *s;

        if (!isnan(line))
                snprintf(number, sizeof(number), ":%.0f", line);
        if (n_inside)
                snprintf(inside, sizeof(inside), "  +%zu inside", n_inside);
        if (asprintf(&s, "%s%s%s%s%s%s%s", library && named ? " (" : "",
                     library && named ? library : "", library && named ? ")" : "", file ? " " : "",
                     file ? file : "", file ? number : "", inside) < 0)
                return NULL;
        return s;
}

/* A function in so many columns; 0: as it is. To be freed. */
static char *fit_name(const char *name, unsigned columns)
{
        _cleanup_(freep) char *brief = flame_short_name(name);

        if (!columns)
                return strdup(name);
        return brief ? flame_label(name, brief, columns) : NULL;
}

static bool print_frame(const struct memory_view *m, const json_t *frame, size_t n_inside)
{
        _cleanup_(freep) char *name = flame_name(frame), *suffix = frame_suffix(frame, n_inside);
        _cleanup_(freep) char *fitted = NULL, *line = NULL, *clean = NULL;
        unsigned width = m->v.width, room = 0;

        if (!name || !suffix)
                return false;
        if (width) {
                unsigned taken = (unsigned)strlen(INDENT) + text_width(suffix);

                room = width > taken + LEAST_NAME ? width - taken : LEAST_NAME;
        }
        fitted = fit_name(name, room);
        if (!fitted || asprintf(&line, "%s%s", fitted, suffix) < 0)
                return false;
        clean = text_clean(line, width > 6 ? width - 6 : 1u << 20);
        if (!clean)
                return false;
        fprintf(m->v.f, INDENT "%s\n", clean);
        return true;
}

static bool print_frames(const struct memory_view *m, const json_t *stack)
{
        const json_t *frames = json_object_get(stack, "frames");
        const char *missing = flame_missing(stack);
        size_t n = json_array_size(frames), shown = 0, i = 0;

        while (i < n && (m->o->full || shown < MAX_FRAMES)) {
                size_t last = i;

                while (!m->o->full && last + 1 < n && is_plumbing(json_array_get(frames, last)) &&
                       is_plumbing(json_array_get(frames, last + 1)))
                        last++;
                if (!print_frame(m, json_array_get(frames, last), last - i))
                        return false;
                shown++;
                i = last + 1;
        }
        if (i < n)
                fprintf(m->v.f, INDENT "and %zu outer frame%s; --full shows all\n", n - i,
                        n - i > 1 ? "s" : "");
        else if (missing)
                fprintf(m->v.f, INDENT "%s\n", missing);
        return true;
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
                if (!print_frames(m, stack))
                        return false;
        }
        return true;
}

char *memory_site(const json_t *stack)
{
        const json_t *frames = json_object_get(stack, "frames");
        size_t n = json_array_size(frames), i = 0;
        _cleanup_(freep) char *inner = NULL, *outer = NULL, *a = NULL, *b = NULL;
        char *s;

        if (!n)
                return strdup(flame_missing(stack) ? flame_missing(stack) : "?");
        while (i + 1 < n && is_plumbing(json_array_get(frames, i)))
                i++;
        inner = flame_name(json_array_get(frames, i));
        outer = i + 1 < n ? flame_name(json_array_get(frames, i + 1)) : NULL;
        a = inner ? flame_short_name(inner) : NULL;
        b = outer ? flame_short_name(outer) : NULL;
        if (!a || asprintf(&s, "%s%s%s", a, b ? " < " : "", b ? b : "") < 0)
                return NULL;
        return s;
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
                _cleanup_(freep) char *site = memory_site(stack);

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
                memory_sorted(json_object_get(m->document, "stacks"), "inuse_bytes");
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
                view_bytes(exact, totals, windowed ? "growth_bytes" : "live_bytes"));
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
