/* SPDX-License-Identifier: MIT */
/*
 * Samples, and the profile around them. A failure is remembered in the builder and looked at
 * once, at the end.
 */
#include "cli/pprof.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "cli/flame-name.h"
#include "cli/pprof-private.h"
#include "cli/text.h"
#include "common/cleanup.h"

#include "pprof.pb-c.h"

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

static Pprof__Label *label(struct pprof_builder *b, Pprof__Sample *s, const char *key)
{
        Pprof__Label *l = malloc(sizeof(*l));

        if (!l) {
                b->failed = true;
                return NULL;
        }
        pprof__label__init(l);
        l->key = pprof_string(b, key);
        s->label[s->n_label++] = l;
        return l;
}

static void label_text(struct pprof_builder *b, Pprof__Sample *s, const char *key, const char *text)
{
        Pprof__Label *l = text ? label(b, s, key) : NULL;

        if (l)
                l->str = pprof_string(b, text);
}

/* As in Go: the size of a block. */
static void label_size(struct pprof_builder *b, Pprof__Sample *s, const json_t *stack)
{
        double objects = text_number(stack, "alloc_objects");
        double bytes = text_number(stack, "alloc_bytes");
        Pprof__Label *l = objects > 0 && bytes > 0 ? label(b, s, "bytes") : NULL;

        if (l) {
                l->num = llround(bytes / objects);
                l->num_unit = pprof_string(b, "bytes");
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

static void add_sample(struct pprof_builder *b, const json_t *stack)
{
        const json_t *frames = json_object_get(stack, "frames");
        const char *op = text_string(stack, "op", NULL);
        Pprof__Sample *s = malloc(sizeof(*s));

        if (!s) {
                b->failed = true;
                return;
        }
        pprof__sample__init(s);
        pprof_put(b, &b->samples, NULL, s);
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

                s->location_id[s->n_location_id++] = pprof_logical(b, name);
        }
        for (size_t at = 0; at < json_array_size(frames) && !b->failed;)
                s->location_id[s->n_location_id++] = pprof_physical(b, frames, &at);
        if (flame_missing(stack))
                s->location_id[s->n_location_id++] = pprof_logical(b, flame_missing(stack));
        for (s->n_value = 0; s->n_value < N_VALUES; s->n_value++)
                s->value[s->n_value] = whole(text_number(stack, values[s->n_value].member));
        label_text(b, s, "phase", text_string(stack, "phase", NULL));
        label_text(b, s, "category", text_string(stack, "category", NULL));
        label_text(b, s, "op", op);
        label_size(b, s, stack);
}

/* pprof takes the first mapping for the program: that is where threads begin. */
static void add_program(struct pprof_builder *b)
{
        const json_t *stack;
        size_t i;

        json_array_foreach(json_object_get(b->document, "stacks"), i, stack)
        {
                const json_t *frames = json_object_get(stack, "frames");
                const json_t *last = json_array_get(frames, json_array_size(frames) - 1);

                if (!strcmp(text_string(last, "function", ""), "_start")) {
                        pprof_mapping(b, text_string(last, "library", NULL));
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

static void put_time(const struct pprof_builder *b, Pprof__Profile *p)
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

static void value_type(struct pprof_builder *b, Pprof__ValueType *type, const char *name,
                       const char *unit)
{
        pprof__value_type__init(type);
        type->type = pprof_string(b, name);
        type->unit = pprof_string(b, unit);
}

static int64_t comment(struct pprof_builder *b)
{
        const json_t *run = json_object_get(b->document, "run");
        _cleanup_(freep) char *text = NULL, *clean = NULL;

        if (asprintf(&text, "infprof run %s: %s", text_string(run, "id", "?"),
                     text_string(run, "command", "?")) >= 0)
                clean = flame_one_line(text);
        b->failed |= !clean;
        return clean ? pprof_string(b, clean) : 0;
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

static int finish(struct pprof_builder *b, const char *default_type, uint8_t **ret,
                  size_t *ret_bytes)
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
        p.default_sample_type = pprof_string(b, default_type);
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
        struct pprof_builder b = {.document = document};
        const json_t *stack;
        size_t i;
        int r;

        pprof_string(&b, "");
        add_program(&b);
        json_array_foreach(json_object_get(document, "stacks"), i, stack)
        {
                if (!b.failed)
                        add_sample(&b, stack);
        }
        r = finish(&b, default_type, ret, ret_bytes);
        pprof_table_done(&b.samples, sample_free);
        pprof_builder_done(&b);
        return r;
}
