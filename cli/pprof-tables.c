/* SPDX-License-Identifier: MIT */
/*
 * Strings, mappings, functions and locations have the numbers by which they came, and are found
 * again by a text that tells them apart.
 *
 * The document has no addresses but where it has nothing better, and then they are in the name, so
 * locations have none. Mappings say that they are symbolised, else pprof would look for programs
 * to do so.
 */
#include "cli/pprof-private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/build-id.h"
#include "cli/flame-name.h"
#include "cli/text.h"
#include "common/cleanup.h"

#include "pprof.pb-c.h"

/* The place of a thing in its table; SIZE_MAX: it is new, and stands at the end once it is put. */
static size_t find(const struct pprof_table *t, const char *key)
{
        const json_t *number = json_object_get(t->numbers, key);

        return number ? (size_t)json_integer_value(number) : SIZE_MAX;
}

/* Takes `item` over; `key` may be NULL for what is never looked for. */
size_t pprof_put(struct pprof_builder *b, struct pprof_table *t, const char *key, void *item)
{
        void **items = item ? reallocarray(t->items, t->n + 1, sizeof(*items)) : NULL;

        if (!t->numbers)
                t->numbers = json_object();
        if (items)
                t->items = items;
        if (!items ||
            (key && json_object_set_new(t->numbers, key, json_integer((json_int_t)t->n)))) {
                free(item);
                b->failed = true;
                return 0;
        }
        t->items[t->n] = item;
        return t->n++;
}

void pprof_table_done(struct pprof_table *t, void (*free_item)(void *))
{
        for (size_t i = 0; i < t->n; i++)
                free_item(t->items[i]);
        free(t->items);
        json_decref(t->numbers);
}

int64_t pprof_string(struct pprof_builder *b, const char *s)
{
        size_t at = find(&b->strings, s);

        return (int64_t)(at == SIZE_MAX ? pprof_put(b, &b->strings, s, strdup(s)) : at);
}

/* Ids begin at 1; 0: no object is known. */
uint64_t pprof_mapping(struct pprof_builder *b, const char *library)
{
        size_t at = library ? find(&b->mappings, library) : 0;
        char id[BUILD_ID_SIZE];
        Pprof__Mapping *m;

        if (!library)
                return 0;
        if (at != SIZE_MAX)
                return at + 1;
        m = malloc(sizeof(*m));
        if (!m) {
                b->failed = true;
                return 0;
        }
        pprof__mapping__init(m);
        m->id = b->mappings.n + 1;
        m->filename = pprof_string(b, library);
        m->has_functions = m->has_filenames = m->has_line_numbers = m->has_inline_frames = true;
        if (build_id_of_file(id, library, json_object_get(b->document, "run")))
                m->build_id = pprof_string(b, id);
        return pprof_put(b, &b->mappings, library, m) + 1;
}

static uint64_t function(struct pprof_builder *b, const char *name, const char *library,
                         const char *file)
{
        _cleanup_(freep) char *key = NULL;
        Pprof__Function *f;
        size_t at;

        if (asprintf(&key, "%s\n%s\n%s", name, library ? library : "", file ? file : "") < 0) {
                b->failed = true;
                return 0;
        }
        at = find(&b->functions, key);
        if (at != SIZE_MAX)
                return at + 1;
        f = malloc(sizeof(*f));
        if (!f) {
                b->failed = true;
                return 0;
        }
        pprof__function__init(f);
        f->id = b->functions.n + 1;
        f->name = f->system_name = pprof_string(b, name);
        f->filename = pprof_string(b, file ? file : "");
        return pprof_put(b, &b->functions, key, f) + 1;
}

static void location_free(void *item)
{
        Pprof__Location *l = item;

        for (size_t i = 0; i < l->n_line; i++)
                free(l->line[i]);
        free(l->line);
        free(l);
}

static bool add_line(Pprof__Location *l, uint64_t function_id, int64_t number)
{
        Pprof__Line **lines = reallocarray(l->line, l->n_line + 1, sizeof(*lines));

        if (!lines)
                return false;
        l->line = lines;
        lines[l->n_line] = malloc(sizeof(**lines));
        if (!lines[l->n_line])
                return false;
        pprof__line__init(lines[l->n_line]);
        lines[l->n_line]->function_id = function_id;
        lines[l->n_line++]->line = number;
        return true;
}

/* What tells a location apart: its mapping and lines. To be freed. */
static char *location_key(const Pprof__Location *l)
{
        char *key = NULL;
        size_t bytes;
        FILE *f = open_memstream(&key, &bytes);

        if (!f)
                return NULL;
        fprintf(f, "%" PRIu64, l->mapping_id);
        for (size_t i = 0; i < l->n_line; i++)
                fprintf(f, " %" PRIu64 ":%" PRId64, l->line[i]->function_id, l->line[i]->line);
        if (fclose(f) == EOF) {
                free(key);
                return NULL;
        }
        return key;
}

/* The id of a location with these lines; takes it over. */
static uint64_t location(struct pprof_builder *b, Pprof__Location *l)
{
        _cleanup_(freep) char *key = location_key(l);
        size_t at = key ? find(&b->locations, key) : 0;

        if (!key || at != SIZE_MAX) {
                b->failed |= !key;
                location_free(l);
                return at + 1;
        }
        l->id = b->locations.n + 1;
        return pprof_put(b, &b->locations, key, l) + 1;
}

static Pprof__Location *location_new(struct pprof_builder *b)
{
        Pprof__Location *l = malloc(sizeof(*l));

        if (l)
                pprof__location__init(l);
        b->failed |= !l;
        return l;
}

/* A frame that is a word of ours: an op, a remark. */
uint64_t pprof_logical(struct pprof_builder *b, const char *name)
{
        Pprof__Location *l = name ? location_new(b) : NULL;

        b->failed |= !name;
        if (!l)
                return 0;
        b->failed |= !add_line(l, function(b, name, NULL, NULL), 0);
        return location(b, l);
}

/* The location that begins with frame *at: those inlined, and the one they are inlined into. */
uint64_t pprof_physical(struct pprof_builder *b, const json_t *frames, size_t *at)
{
        Pprof__Location *l = location_new(b);
        bool inlined = true;

        if (!l)
                return 0;
        while (inlined && *at < json_array_size(frames)) {
                const json_t *frame = json_array_get(frames, (*at)++);
                const char *library = text_string(frame, "library", NULL);
                const char *file = text_string(frame, "file", NULL);
                _cleanup_(freep) char *name = flame_name(frame);

                inlined = json_is_true(json_object_get(frame, "inlined"));
                l->mapping_id = pprof_mapping(b, library);
                b->failed |= !name || !add_line(l, function(b, name ? name : "", library, file),
                                                json_integer_value(json_object_get(frame, "line")));
        }
        return location(b, l);
}

void pprof_builder_done(struct pprof_builder *b)
{
        pprof_table_done(&b->locations, location_free);
        pprof_table_done(&b->functions, free);
        pprof_table_done(&b->mappings, free);
        pprof_table_done(&b->strings, free);
}
