/* SPDX-License-Identifier: MIT */
/*
 * Stacks for people: frames from the place that asked outwards. Frames of the C++ library are one
 * line together, named by the outermost: who resizes a vector, or waits for a future, is asked, not
 * how the library does it. What is not shown is counted.
 */
#include "cli/stack-view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flame-name.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/function-name.h"

#define MAX_FRAMES 8
#define LEAST_NAME 20u /* columns that a function's name gets, whatever stands behind it */

/* Is the frame the C++ library's own, instantiated where it may be? */
static bool is_plumbing(const json_t *frame)
{
        static const char *const begins[] = {"std::", "operator new", "__gnu_cxx::", "__gthread_"};
        const char *function = text_string(frame, "function", "");
        size_t name = 0;

        if (strstr(text_string(frame, "file", ""), "/include/c++/"))
                return true;
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
        const char *library = function_library(text_string(frame, "library", NULL));
        const char *file = function_library(text_string(frame, "file", NULL));
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

static bool print_frame(const struct view *v, const json_t *frame, const char *indent,
                        size_t n_inside)
{
        _cleanup_(freep) char *name = flame_name(frame), *suffix = frame_suffix(frame, n_inside);
        _cleanup_(freep) char *fitted = NULL, *line = NULL, *clean = NULL;
        unsigned width = v->width, before = (unsigned)strlen(indent), room = 0;

        if (!name || !suffix)
                return false;
        if (width) {
                unsigned taken = before + text_width(suffix);

                room = width > taken + LEAST_NAME ? width - taken : LEAST_NAME;
        }
        fitted = fit_name(name, room);
        if (!fitted || asprintf(&line, "%s%s", fitted, suffix) < 0)
                return false;
        clean = text_clean(line, width > before ? width - before : 1u << 20);
        if (!clean)
                return false;
        fprintf(v->f, "%s%s\n", indent, clean);
        return true;
}

bool stack_print(const struct view *v, const json_t *stack, const char *indent, bool full)
{
        const json_t *frames = json_object_get(stack, "frames");
        const char *missing = flame_missing(stack);
        size_t n = json_array_size(frames), shown = 0, i = 0;

        while (i < n && (full || shown < MAX_FRAMES)) {
                size_t last = i;

                while (!full && last + 1 < n && is_plumbing(json_array_get(frames, last)) &&
                       is_plumbing(json_array_get(frames, last + 1)))
                        last++;
                if (!print_frame(v, json_array_get(frames, last), indent, last - i))
                        return false;
                shown++;
                i = last + 1;
        }
        if (i < n)
                fprintf(v->f, "%sand %zu outer frame%s; --full shows all\n", indent, n - i,
                        n - i > 1 ? "s" : "");
        else if (missing)
                fprintf(v->f, "%s%s\n", indent, missing);
        return true;
}

char *stack_site(const json_t *stack)
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
