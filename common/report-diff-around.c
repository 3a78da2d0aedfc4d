/* SPDX-License-Identifier: MIT */
/*
 * What two sides had around them, beside each other. What is not known of a side is no difference:
 * it is noted as unknown. Only of libraries and variables, where others of them are known, is one
 * that is not there an answer.
 */
#include "common/report-diff-measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/report-private.h"

#define MOST_UNKNOWN 6 /* are named */

/* What is told by the same source, and so known or unknown together. */
static const struct part {
        const char *name;
        const char *begins; /* of which there are any number, by name */
        const char *tell;   /* where this is known, so is which of these there are */
        const char *members[8];
} parts[] = {
        {.name = "libraries", .begins = "library ", .members = {DIFF_BUILD_ID}},
        {.name = "environment", .begins = "environment ", .tell = "nice"},
        {.name = "CPU", .members = {"CPU", "CPUs"}},
        {.name = "kernel and system",
         .members = {"kernel", "system", "libc", "governor", "huge pages", "turbo",
                     "NUMA balancing"}},
        {.name = "what it was confined to",
         .members = {"CPUs it may use", "memory nodes it may use", "nice"}},
};

static bool has(const struct diff_set *set, const char *what)
{
        for (size_t i = 0; i < set->n; i++)
                if (json_object_get(set->at[i]->surroundings, what))
                        return true;
        return false;
}

static bool has_one_that_begins(const struct diff_set *set, const char *begins)
{
        const char *what;
        json_t *unused;

        for (size_t i = 0; i < set->n; i++)
                json_object_foreach(set->at[i]->surroundings, what, unused)
                {
                        if (!strncmp(what, begins, strlen(begins)))
                                return true;
                }
        return false;
}

static bool is_one_of(const struct part *p, const char *what)
{
        return p->begins && !strncmp(what, p->begins, strlen(p->begins));
}

static const struct part *part_of(const char *what)
{
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
                const struct part *p = &parts[i];

                if (is_one_of(p, what))
                        return p;
                for (const char *const *m = p->members; *m; m++)
                        if (!strcmp(*m, what))
                                return p;
        }
        return NULL;
}

static bool is_known(const struct diff_set *set, const struct part *p)
{
        if (p->tell && has(set, p->tell))
                return true;
        for (const char *const *m = p->members; *m; m++)
                if (has(set, *m))
                        return true;
        return p->begins && has_one_that_begins(set, p->begins);
}

/* Is it not known of that side? Then by which name that is said; else NULL. */
static const char *unknown(const struct diff_set *set, const char *what)
{
        const struct part *p = part_of(what);

        if (has(set, what))
                return NULL;
        if (p && !is_known(set, p))
                return p->name;
        return p && is_one_of(p, what) ? NULL : what;
}

static json_t *all_of(const struct diff_set *a, const struct diff_set *b)
{
        json_t *all = json_object();

        for (size_t i = 0; i < a->n + b->n; i++)
                json_object_update(all, (i < a->n ? a->at[i] : b->at[i - a->n])->surroundings);
        return all;
}

/* The different texts that the runs of a side have, in order. */
static json_t *texts_of(const struct diff_set *set, const char *what)
{
        json_t *list = json_array(), *have;
        size_t k;

        for (size_t i = 0; i < set->n; i++) {
                json_t *v = json_object_get(set->at[i]->surroundings, what);
                bool found = !v;

                json_array_foreach(list, k, have)
                {
                        found |= v && json_equal(have, v);
                }
                if (!found)
                        json_array_append(list, v);
        }
        return list;
}

json_t *diff_around(const struct diff_set *a, const struct diff_set *b)
{
        _cleanup_(json_decrefp) json_t *all = all_of(a, b);
        json_t *list = json_array(), *unused;
        const char *what;

        json_object_foreach(all, what, unused)
        {
                json_t *p = texts_of(a, what), *q = texts_of(b, what);
                bool same = json_equal(p, q) && json_array_size(p) < 2;

                if (same || unknown(a, what) || unknown(b, what)) {
                        json_decref(p);
                        json_decref(q);
                        continue;
                }
                json_array_append_new(list,
                                      json_pack("{s:s, s:o, s:o}", "what", what, "a", p, "b", q));
        }
        return list;
}

void diff_note_unknown(json_t *notes, const struct diff_set *set, const struct diff_set *other,
                       const char *side)
{
        _cleanup_(json_decrefp) json_t *all = all_of(other, other), *names = json_object();
        _cleanup_(freep) char *text = NULL;
        size_t bytes, n = 0;
        const char *what;
        json_t *unused;
        FILE *f;

        json_object_foreach(all, what, unused)
        {
                const char *name = unknown(set, what);

                if (name)
                        json_object_set_new(names, name, json_true());
        }
        if (!json_object_size(names) || !(f = open_memstream(&text, &bytes)))
                return;
        json_object_foreach(names, what, unused)
        {
                if (n < MOST_UNKNOWN)
                        fprintf(f, "%s%s", n ? ", " : "", what);
                n++;
        }
        if (n > MOST_UNKNOWN)
                fprintf(f, " and %zu more", n - MOST_UNKNOWN);
        if (!fclose(f))
                report_note(notes, "not known in %s: %s", side, text);
}
