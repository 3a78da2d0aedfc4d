/* SPDX-License-Identifier: MIT */
/*
 * Strings, mappings, functions and locations are each written once and then named by number: by
 * the order in which they came, found again by a text that tells them apart (`struct table`).
 *
 * The document has no addresses but where it has nothing better, and then they are in the name, so
 * locations have none. Mappings say that they are symbolised, else pprof would look for programs
 * to do so.
 */
#include "cli/pprof.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "cli/build-id.h"
#include "cli/flame-name.h"
#include "cli/text.h"
#include "common/cleanup.h"

#include "pprof.pb-c.h"

/* Things of one kind, which the table owns. */
struct table {
        json_t *numbers; /* by what tells them apart: the place in `items` */
        void **items;
        size_t n;
};

struct builder {
        const json_t *document;
        struct table strings, mappings, functions, locations, samples;
        char *program;
        bool failed; /* no memory: what follows is not done */
};

/* The place of a thing in its table; SIZE_MAX: it is new, and stands at the end once it is put. */
static size_t find(const struct table *t, const char *key)
{
        const json_t *number = json_object_get(t->numbers, key);

        return number ? (size_t)json_integer_value(number) : SIZE_MAX;
}

/* Takes `item` over; `key` may be NULL for what is never looked for. */
static size_t put(struct builder *b, struct table *t, const char *key, void *item)
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

static void table_done(struct table *t, void (*free_item)(void *))
{
        for (size_t i = 0; i < t->n; i++)
                free_item(t->items[i]);
        free(t->items);
        json_decref(t->numbers);
}

static int64_t string(struct builder *b, const char *s)
{
        size_t at = find(&b->strings, s);

        return (int64_t)(at == SIZE_MAX ? put(b, &b->strings, s, strdup(s)) : at);
}

/* Ids begin at 1; 0: no object is known. */
static uint64_t mapping(struct builder *b, const char *library)
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
        m->filename = string(b, library);
        m->has_functions = m->has_filenames = m->has_line_numbers = m->has_inline_frames = true;
        if (build_id_of_file(id, library, json_object_get(b->document, "run")))
                m->build_id = string(b, id);
        return put(b, &b->mappings, library, m) + 1;
}

static uint64_t function(struct builder *b, const char *name, const char *library, const char *file)
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
        f->name = f->system_name = string(b, name);
        f->filename = string(b, file ? file : "");
        return put(b, &b->functions, key, f) + 1;
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
static uint64_t location(struct builder *b, Pprof__Location *l)
{
        _cleanup_(freep) char *key = location_key(l);
        size_t at = key ? find(&b->locations, key) : 0;

        if (!key || at != SIZE_MAX) {
                b->failed |= !key;
                location_free(l);
                return at + 1;
        }
        l->id = b->locations.n + 1;
        return put(b, &b->locations, key, l) + 1;
}

static Pprof__Location *location_new(struct builder *b)
{
        Pprof__Location *l = malloc(sizeof(*l));

        if (l)
                pprof__location__init(l);
        b->failed |= !l;
        return l;
}

/* A frame that is a word of ours: an op, a remark. */
static uint64_t logical(struct builder *b, const char *name)
{
        Pprof__Location *l = name ? location_new(b) : NULL;

        b->failed |= !name;
        if (!l)
                return 0;
        b->failed |= !add_line(l, function(b, name, NULL, NULL), 0);
        return location(b, l);
}

/* The location that begins with frame *at: those inlined, and the one they are inlined into. */
static uint64_t physical(struct builder *b, const json_t *frames, size_t *at)
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
                l->mapping_id = mapping(b, library);
                b->failed |= !name || !add_line(l, function(b, name ? name : "", library, file),
                                                json_integer_value(json_object_get(frame, "line")));
        }
        return location(b, l);
}

static void sample_free(void *item)
{
        Pprof__Sample *s = item;

        for (size_t i = 0; i < s->n_label; i++)
                free(s->label[i]);
        free(s->label);
        free(s->value);
        free(s->location_id);
        free(s);
}

static Pprof__Label *label(struct builder *b, Pprof__Sample *s, const char *key)
{
        Pprof__Label *l = malloc(sizeof(*l));

        if (!l) {
                b->failed = true;
                return NULL;
        }
        pprof__label__init(l);
        l->key = string(b, key);
        s->label[s->n_label++] = l;
        return l;
}

static void label_text(struct builder *b, Pprof__Sample *s, const char *key, const char *text)
{
        Pprof__Label *l = text ? label(b, s, key) : NULL;

        if (l)
                l->str = string(b, text);
}

/* As in Go: the size of a block. */
static void label_size(struct builder *b, Pprof__Sample *s, const json_t *stack)
{
        double objects = text_number(stack, "alloc_objects");
        double bytes = text_number(stack, "alloc_bytes");
        Pprof__Label *l = objects > 0 && bytes > 0 ? label(b, s, "bytes") : NULL;

        if (l) {
                l->num = llround(bytes / objects);
                l->num_unit = string(b, "bytes");
        }
}

static const struct {
        const char *type, *unit, *member;
} values[] = {{"alloc_objects", "count", "alloc_objects"},
              {"alloc_space", "bytes", "alloc_bytes"},
              {"inuse_objects", "count", "inuse_objects"},
              {"inuse_space", "bytes", "inuse_bytes"}};

#define N_VALUES (sizeof(values) / sizeof(values[0]))
#define N_LABELS 4

/* pprof has no word for what is not known. */
static int64_t whole(double value)
{
        return isfinite(value) ? llround(value) : 0;
}

static void add_sample(struct builder *b, const json_t *stack)
{
        const json_t *frames = json_object_get(stack, "frames");
        const char *op = text_string(stack, "op", NULL);
        Pprof__Sample *s = malloc(sizeof(*s));

        if (!s) {
                b->failed = true;
                return;
        }
        pprof__sample__init(s);
        put(b, &b->samples, NULL, s);
        if (b->failed)
                return;
        s->location_id = calloc(json_array_size(frames) + 3, sizeof(*s->location_id));
        s->value = calloc(N_VALUES, sizeof(*s->value));
        s->label = calloc(N_LABELS, sizeof(*s->label));
        if (!s->location_id || !s->value || !s->label) {
                b->failed = true;
                return;
        }
        if (op) {
                _cleanup_(freep) char *name = flame_op_name(op);

                s->location_id[s->n_location_id++] = logical(b, name);
        }
        for (size_t at = 0; at < json_array_size(frames) && !b->failed;)
                s->location_id[s->n_location_id++] = physical(b, frames, &at);
        if (flame_missing(stack))
                s->location_id[s->n_location_id++] = logical(b, flame_missing(stack));
        for (s->n_value = 0; s->n_value < N_VALUES; s->n_value++)
                s->value[s->n_value] = whole(text_number(stack, values[s->n_value].member));
        label_text(b, s, "phase", text_string(stack, "phase", NULL));
        label_text(b, s, "category", text_string(stack, "category", NULL));
        label_text(b, s, "op", op);
        label_size(b, s, stack);
}

/* pprof takes the first mapping for the program: that is where threads begin. */
static void add_program(struct builder *b)
{
        const json_t *stack;
        size_t i;

        json_array_foreach(json_object_get(b->document, "stacks"), i, stack)
        {
                const json_t *frames = json_object_get(stack, "frames");
                const json_t *last = json_array_get(frames, json_array_size(frames) - 1);

                if (!strcmp(text_string(last, "function", ""), "_start")) {
                        mapping(b, text_string(last, "library", NULL));
                        return;
                }
        }
}

/* ns since 1970 of an instant as RFC 3339 writes it in UTC; 0: not known. */
static int64_t instant_ns(const char *text)
{
        struct tm tm = {0};
        const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
        double fraction = rest && *rest == '.' ? strtod(rest, NULL) : 0;

        return rest ? (int64_t)timegm(&tm) * 1000000000 + llround(fraction * 1e9) : 0;
}

static void put_time(const struct builder *b, Pprof__Profile *p)
{
        const json_t *run = json_object_get(b->document, "run");
        const json_t *window = json_object_get(b->document, "window");
        double from = text_number(window, "from_ns"), to = text_number(window, "to_ns");

        p->time_nanos = instant_ns(text_string(run, "started_at", ""));
        p->duration_nanos = json_integer_value(json_object_get(run, "duration_ns"));
        if (!isnan(to))
                p->duration_nanos = llround(to);
        if (!isnan(from)) {
                p->time_nanos += llround(from);
                p->duration_nanos -= llround(from);
        }
}

static void value_type(struct builder *b, Pprof__ValueType *type, const char *name,
                       const char *unit)
{
        pprof__value_type__init(type);
        type->type = string(b, name);
        type->unit = string(b, unit);
}

static int64_t comment(struct builder *b)
{
        const json_t *run = json_object_get(b->document, "run");
        _cleanup_(freep) char *text = NULL, *clean = NULL;

        if (asprintf(&text, "infprof run %s: %s", text_string(run, "id", "?"),
                     text_string(run, "command", "?")) >= 0)
                clean = flame_one_line(text);
        b->failed |= !clean;
        return clean ? string(b, clean) : 0;
}

/* Into a gzip file; RFC 1952. */
static int compress_profile(const uint8_t *data, size_t bytes, uint8_t **ret, size_t *ret_bytes)
{
        z_stream z = {.next_in = (uint8_t *)data, .avail_in = (unsigned)bytes};
        uint8_t *out;
        int r;

        if (bytes > UINT32_MAX / 2 || deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9,
                                                   Z_DEFAULT_STRATEGY) != Z_OK)
                return -ENOMEM;
        z.avail_out = (unsigned)deflateBound(&z, bytes);
        z.next_out = out = malloc(z.avail_out);
        r = out ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
        *ret_bytes = z.total_out;
        deflateEnd(&z);
        if (r != Z_STREAM_END) {
                free(out);
                return -ENOMEM;
        }
        *ret = out;
        return 0;
}

static int finish(struct builder *b, const char *default_type, uint8_t **ret, size_t *ret_bytes)
{
        Pprof__Profile p = PPROF__PROFILE__INIT;
        Pprof__ValueType types[N_VALUES], *type_list[N_VALUES], period;
        _cleanup_(freep) uint8_t *packed = NULL;
        int64_t comments[1];

        for (size_t i = 0; i < N_VALUES; i++) {
                value_type(b, &types[i], values[i].type, values[i].unit);
                type_list[i] = &types[i];
        }
        value_type(b, &period, "space", "bytes");
        p.period_type = &period;
        p.period = json_integer_value(json_object_get(b->document, "heap_interval_bytes"));
        p.default_sample_type = string(b, default_type);
        comments[0] = comment(b);
        put_time(b, &p);
        if (b->failed)
                return -ENOMEM;
        p.n_sample_type = N_VALUES, p.sample_type = type_list;
        p.n_comment = 1, p.comment = comments;
        p.n_sample = b->samples.n, p.sample = (Pprof__Sample **)b->samples.items;
        p.n_mapping = b->mappings.n, p.mapping = (Pprof__Mapping **)b->mappings.items;
        p.n_location = b->locations.n, p.location = (Pprof__Location **)b->locations.items;
        p.n_function = b->functions.n, p.function = (Pprof__Function **)b->functions.items;
        p.n_strings = b->strings.n, p.strings = (char **)b->strings.items;
        packed = malloc(pprof__profile__get_packed_size(&p));
        return packed ? compress_profile(packed, pprof__profile__pack(&p, packed), ret, ret_bytes)
                      : -ENOMEM;
}

int pprof_encode(const json_t *document, const char *default_type, uint8_t **ret, size_t *ret_bytes)
{
        struct builder b = {.document = document};
        const json_t *stack;
        size_t i;
        int r;

        string(&b, "");
        add_program(&b);
        json_array_foreach(json_object_get(document, "stacks"), i, stack)
        {
                if (!b.failed)
                        add_sample(&b, stack);
        }
        r = finish(&b, default_type, ret, ret_bytes);
        table_done(&b.samples, sample_free);
        table_done(&b.locations, location_free);
        table_done(&b.functions, free);
        table_done(&b.mappings, free);
        table_done(&b.strings, free);
        return r;
}
