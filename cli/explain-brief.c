/* SPDX-License-Identifier: MIT */
/*
 * A finding in few lines: what it is, what it costs and would gain, the figures, what to do. Each
 * is a line at least; with more room, what is to be read is wrapped, and the cause is told.
 */
#include "cli/explain-view-private.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/screen.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

/* In one line, or wrapped. */
static void put(const struct page *p, const char *label, const char *text, bool wrapped)
{
        unsigned indent = text_width(label);
        _cleanup_(freep) char *line = NULL;

        if (wrapped || !p->v.width) {
                table_wrap(p->v.f, label, text, p->v.width);
                return;
        }
        line = text_clean(text, p->v.width > indent ? p->v.width - indent : 1);
        fprintf(p->v.f, "%s%s\n", label, line ? line : "");
}

/* "77.3% of the CPU time ...; 8.109ms of CPU time a token" */
static char *evidence_of(const json_t *finding)
{
        char *text = NULL, buf[FMT_SIZE];
        const json_t *e;
        size_t bytes, i;
        FILE *f = open_memstream(&text, &bytes);

        if (!f)
                return NULL;
        json_array_foreach(json_object_get(finding, "evidence"), i, e)
        {
                explain_figure(buf, e);
                fprintf(f, "%s%s%s%s", i ? "; " : "", buf, *buf ? " " : "",
                        text_string(e, "text", "?"));
        }
        if (fclose(f) != EOF)
                return text;
        free(text);
        return NULL;
}

void explain_print_briefly(const struct page *p, size_t place, const json_t *finding, bool whole)
{
        _cleanup_(freep) char *head = NULL, *cost = NULL, *evidence = evidence_of(finding);
        const char *said = text_string(json_object_get(finding, "cost"), "text", "not known");
        bool wrapped = screen_shows(&p->v, 1), all = screen_shows(&p->v, 2);
        char label[32], gain[EXPLAIN_GAIN];

        explain_gain(gain, json_object_get(finding, "gain"));
        if (asprintf(&head, "[%s]%s %s", text_string(finding, "id", "?"), explain_small(finding),
                     text_string(finding, "title", "?")) < 0 ||
            asprintf(&cost, "%s; cost: %s", *gain ? gain : "not known", said) < 0)
                return;
        snprintf(label, sizeof(label), "%zu. ", place);
        if (all)
                fputc('\n', p->v.f);
        put(p, label, head, wrapped);
        if (!whole)
                return;
        put(p, "   gain    ", cost, all);
        put(p, "   figures ", evidence ? evidence : "", all);
        put(p, "   remedy  ", text_string(finding, "remedy", "none is known"), wrapped);
}
