/* SPDX-License-Identifier: MIT */
/*
 * What the document infprof.top/1 has as objects, in a text for a cell: the state of a thread, what
 * it waits for, for whom. The texts are added to the document as members, so that they sort and
 * filter as names do; what is printed as JSON is the document without them.
 */
#include "cli/top-view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/text.h"
#include "common/function-name.h"

#define ROOM 256

/* "worker-1 4712" */
static const char *thread_text(char *buf, const json_t *thread)
{
        double tid = text_number(thread, "tid");

        if (!json_is_object(thread))
                return strcpy(buf, "-");
        if (isnan(tid))
                snprintf(buf, ROOM, "%s", text_string(thread, "name", "?"));
        else
                snprintf(buf, ROOM, "%s%s%.0f", text_string(thread, "name", ""),
                         text_string(thread, "name", NULL) ? " " : "", tid);
        return buf;
}

/* "engine+0x4010", where it is in a library's data; else the address. */
static const char *object_text(char *buf, const json_t *o)
{
        const char *library = text_string(o, "library", NULL);
        double offset = text_number(o, "offset");

        if (library && !isnan(offset))
                snprintf(buf, ROOM, "%s+0x%llx", function_library(library),
                         (unsigned long long)offset);
        else
                snprintf(buf, ROOM, "%s", text_string(o, "object", "-"));
        return buf;
}

/* "barrier", "mutex of worker-1 4712" */
static const char *waiting_text(char *buf, const json_t *waiting)
{
        const json_t *holder = json_object_get(waiting, "holder");
        char whose[ROOM];

        if (!json_is_object(waiting))
                return strcpy(buf, "-");
        snprintf(buf, ROOM, "%.32s%s%.200s", text_string(waiting, "kind", "?"),
                 json_is_object(holder) ? " of " : "",
                 json_is_object(holder) ? thread_text(whose, holder) : "");
        return buf;
}

/* "61% worker-1 4712 in MUL_MAT": for whom most of it was. */
static const char *by_text(char *buf, const json_t *by)
{
        const json_t *most = json_array_get(by, 0);
        const char *op = text_string(most, "op", NULL);
        double share = text_number(most, "share");
        char who[ROOM], part[16] = "";

        if (!most)
                return strcpy(buf, "-");
        if (!isnan(share))
                snprintf(part, sizeof(part), "%.0f%% ", share * 100);
        snprintf(buf, ROOM, "%s%.120s%s%.100s", part, thread_text(who, most), op ? " in " : "",
                 op ? op : "");
        return buf;
}

static void set_text(json_t *row, const char *member, const char *text)
{
        json_object_set_new(row, member, json_string(text));
}

static void add_to_threads(json_t *document)
{
        char buf[ROOM];
        json_t *row;
        size_t i;

        json_array_foreach(json_object_get(document, "threads"), i, row)
        {
                const char *state = text_string(row, "state", "-");
                bool ended = !strcmp(state, "ended");

                set_text(row, "now_text", ended ? state : text_string(row, "now", state));
                set_text(row, "waiting_text", waiting_text(buf, json_object_get(row, "waiting")));
        }
}

/* A function that has no name goes by its place. */
static const char *function_text(char *buf, const json_t *site)
{
        const char *function = text_string(site, "function", NULL);

        if (!function)
                return object_text(buf, site);
        snprintf(buf, ROOM, "%s", function);
        return buf;
}

void top_words_add(json_t *document)
{
        const json_t *waits = json_object_get(document, "waits");
        char buf[ROOM];
        json_t *row;
        size_t i;

        add_to_threads(document);
        json_array_foreach(json_object_get(waits, "objects"), i, row)
        {
                set_text(row, "object_text", object_text(buf, row));
                set_text(row, "by_text", by_text(buf, json_object_get(row, "by")));
        }
        json_array_foreach(json_object_get(waits, "sites"), i, row)
        {
                set_text(row, "function_text", function_text(buf, row));
        }
        json_array_foreach(json_object_get(waits, "now"), i, row)
        {
                set_text(row, "object_text", object_text(buf, row));
                set_text(row, "holder_text", thread_text(buf, json_object_get(row, "holder")));
        }
}
