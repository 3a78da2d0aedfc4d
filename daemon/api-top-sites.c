/* SPDX-License-Identifier: MIT */
/*
 * The members "heap_interval_bytes" and "sites" of infprof.top/1's "memory": of each
 * process the places that allocated most in the last interval and those with most
 * in use; one that several processes have is one row.
 */
#include "daemon/api-top-private.h"

#include <stdlib.h>

#include "daemon/places.h"

#define MOST 50u /* of either sort, of a process */

struct merged {
        const struct process *p; /* the first that has it */
        const struct place *place;
        uint64_t samples;
        struct place_sums sums;
        double bytes_per_second, calls_per_second;
};

struct merged_list {
        struct merged *list;
        size_t n, room;
};

static const char *op_name(const struct process *p, const struct place *place)
{
        return place->op == IFP_OP_NONE || place->op >= p->n_ops ? NULL : p->ops[place->op].name;
}

static bool is_same(const char *a, const char *b)
{
        return a == b || (a && b && !strcmp(a, b));
}

static bool is_site(const struct merged *s, const struct process *p, const struct place *place)
{
        return is_same(s->place->name, place->name) && is_same(s->place->caller, place->caller) &&
               is_same(s->place->function, place->function) &&
               is_same(s->place->library, place->library) &&
               is_same(op_name(s->p, s->place), op_name(p, place));
}

static struct merged *find(struct merged_list *sites, const struct process *p,
                           const struct place *place)
{
        for (size_t i = 0; i < sites->n; i++)
                if (is_site(&sites->list[i], p, place))
                        return &sites->list[i];
        if (sites->n == sites->room) {
                size_t room = sites->room ? 2 * sites->room : 2 * MOST;
                struct merged *list = realloc(sites->list, room * sizeof(*list));

                if (!list)
                        return NULL;
                sites->list = list;
                sites->room = room;
        }
        sites->list[sites->n] = (struct merged){.p = p, .place = place};
        return &sites->list[sites->n++];
}

static void add(struct merged_list *sites, const struct process *p, const struct place *place)
{
        struct merged *s = find(sites, p, place);
        double interval = top_interval(p);

        if (!s)
                return;
        s->samples += place->samples;
        s->sums.alloc_bytes += place->sums.alloc_bytes;
        s->sums.alloc_objects += place->sums.alloc_objects;
        if (p->state == PROCESS_LIVE || !run_is_live(p->run)) {
                s->sums.inuse_bytes += place->sums.inuse_bytes;
                s->sums.inuse_objects += place->sums.inuse_objects;
        }
        if (interval > 0) {
                s->bytes_per_second += place->sums.moved_bytes / interval;
                s->calls_per_second += place->sums.moved_objects / interval;
        }
}

static int by_moved(const void *a, const void *b)
{
        const struct place *x = *(const struct place *const *)a;
        const struct place *y = *(const struct place *const *)b;

        return (x->sums.moved_bytes < y->sums.moved_bytes) -
               (x->sums.moved_bytes > y->sums.moved_bytes);
}

static int by_inuse(const void *a, const void *b)
{
        const struct place *x = *(const struct place *const *)a;
        const struct place *y = *(const struct place *const *)b;

        return (x->sums.inuse_bytes < y->sums.inuse_bytes) -
               (x->sums.inuse_bytes > y->sums.inuse_bytes);
}

/* The busiest, then those with most in use among the others. */
static void add_process(struct merged_list *sites, const struct process *p)
{
        const struct places *x = &p->places;
        const struct place **order = calloc(x->n + 1, sizeof(const struct place *));
        uint32_t n = 0;

        if (!order)
                return;
        for (uint32_t i = 0; i < x->n; i++)
                if (x->list[i].samples || x->list[i].sums.inuse_bytes > 0)
                        order[n++] = &x->list[i];
        qsort(order, n, sizeof(const struct place *), by_moved);
        for (uint32_t i = 0; i < n && i < MOST; i++)
                add(sites, p, order[i]);
        if (n > MOST) {
                qsort(order + MOST, n - MOST, sizeof(const struct place *), by_inuse);
                for (uint32_t i = MOST; i < n && i < 2 * MOST; i++)
                        add(sites, p, order[i]);
        }
        free(order);
}

static json_t *document(const struct merged *s)
{
        return json_pack(
                "{s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
                top_text(s->place->name), "function", top_text(s->place->function), "library",
                top_text(s->place->library), "caller", top_text(s->place->caller), "op",
                top_text(op_name(s->p, s->place)), "samples", (json_int_t)s->samples, "alloc_bytes",
                top_integer(s->sums.alloc_bytes), "alloc_objects",
                top_integer(s->sums.alloc_objects), "inuse_bytes", top_integer(s->sums.inuse_bytes),
                "inuse_objects", top_integer(s->sums.inuse_objects), "bytes_per_second",
                top_real(s->bytes_per_second), "calls_per_second", top_real(s->calls_per_second));
}

json_t *top_sites(const struct top_scope *s)
{
        struct merged_list sites = {0};
        json_t *list = json_array();

        for (const struct process *p = s->server->processes; p; p = p->next)
                if (top_is_shown(s, p))
                        add_process(&sites, p);
        for (size_t i = 0; i < sites.n; i++)
                json_array_append_new(list, document(&sites.list[i]));
        free(sites.list);
        return list;
}

/* The largest of the run's processes; null: none is sampled. */
json_t *top_heap_interval(const struct top_scope *s)
{
        uint64_t most = 0;

        for (const struct process *p = s->server->processes; p; p = p->next)
                if (top_is_shown(s, p) && p->segment.header.heap_interval > most)
                        most = p->segment.header.heap_interval;
        return most && most <= INT64_MAX ? json_integer((json_int_t)most) : json_null();
}
