/* SPDX-License-Identifier: MIT */
/*
 * The slowest tokens: what each took, where its time went, what was different about it.
 */
#include "cli/ledger-view-private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define INDENT     "      "
#define MAX_PARTS  32
#define LEAST_PART 0.01 /* of the token: what is less is not worth a word */

struct part {
        const char *name;
        double ns;
};

static int compare(const void *a, const void *b)
{
        const struct part *p = a, *q = b;

        return (p->ns < q->ns) - (p->ns > q->ns);
}

/* "runnable 330ms (62.0%), barrier 112ms (21.0%), ..."; to be freed. NULL: no memory. */
static char *parts_of(const json_t *token)
{
        struct part parts[MAX_PARTS];
        double wall = text_number(token, "wall_ns");
        size_t n = 0, size;
        char *line = NULL, took[FMT_SIZE], share[FMT_SIZE];
        const char *name;
        json_t *v;
        FILE *f;

        json_object_foreach(json_object_get(token, "own"), name, v)
        {
                double ns = json_is_number(v) ? json_number_value(v) : 0;

                if (ns > 0 && ns >= wall * LEAST_PART && n < MAX_PARTS)
                        parts[n++] = (struct part){name, ns};
        }
        qsort(parts, n, sizeof(parts[0]), compare);
        f = open_memstream(&line, &size);
        if (!f)
                return NULL;
        for (size_t i = 0; i < n; i++)
                fprintf(f, "%s%s %s (%s)", i ? ", " : "", parts[i].name,
                        fmt_ns(took, (uint64_t)llround(parts[i].ns)),
                        fmt_share(share, parts[i].ns / wall));
        if (fclose(f) == EOF) {
                free(line);
                return NULL;
        }
        return line;
}

/* What was different, in one paragraph. */
static bool print_different(const struct page *p, const json_t *different)
{
        _cleanup_(freep) char *line = NULL;
        const json_t *text;
        size_t i, size;
        FILE *f = open_memstream(&line, &size);

        if (!f)
                return false;
        json_array_foreach(different, i, text)
        {
                fprintf(f, "%s%s", i ? "; " : "",
                        json_string_value(text) ? json_string_value(text) : "?");
        }
        if (!json_array_size(different))
                fputs("nothing that was measured", f);
        if (fclose(f) == EOF)
                return false;
        table_wrap(p->v.f, INDENT "different: ", line, p->v.width);
        return true;
}

static bool print_token(const struct page *p, size_t place, const json_t *token)
{
        _cleanup_(freep) char *parts = parts_of(token), *head = NULL;
        double factor = text_number(token, "times_median"), tokens = text_number(token, "tokens");
        char label[32], number[FMT_SIZE], took[FMT_SIZE], at[FMT_SIZE], of[32] = "",
                                                                        several[48] = "";

        if (!isnan(factor))
                snprintf(of, sizeof(of), ", %.1fx the median", factor);
        if (tokens > 1)
                snprintf(several, sizeof(several), " (a step of %.0f tokens)", tokens);
        if (!parts || asprintf(&head, "%s%s, token %s%s, after %s of the run",
                               view_figure(took, token, "wall_ns", fmt_ns), of,
                               view_count(number, token, "number"), several,
                               view_figure(at, token, "start_ns", fmt_ns)) < 0)
                return false;
        snprintf(label, sizeof(label), "%3zu.  ", place);
        table_wrap(p->v.f, label, head, p->v.width);
        if (*parts)
                table_wrap(p->v.f, INDENT, parts, p->v.width);
        return print_different(p, json_object_get(token, "different"));
}

bool ledger_print_slow(const struct page *p)
{
        const json_t *slow = json_object_get(p->document, "slow");
        size_t n = json_array_size(slow), shown = view_shown(p->rows, n);

        if (!n) {
                view_heading(&p->v, "no token took three times as long as the one in the middle");
                return true;
        }
        view_heading(&p->v, "the slowest tokens (the last 16 that took over three times the median "
                            "of those before "
                            "them), and where the time of the thread that decodes went");
        for (size_t i = 0; i < shown; i++)
                if (!print_token(p, i + 1, json_array_get(slow, i)))
                        return false;
        view_say_more(&p->v, p->rows, n);
        return true;
}
