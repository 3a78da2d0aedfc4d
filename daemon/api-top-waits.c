/* SPDX-License-Identifier: MIT */
/*
 * The member "waits" of infprof.top/1: what was waited for, where, and for whom, and how much
 * of it moved in the last interval. Entries of the table of waits are put together twice, by
 * object and by place; a group is a stretch of a sorted list.
 */
#include "daemon/api-top-private.h"

#include <stdlib.h>

#include "common/runfile.h"

#define MOST    50u /* of either sort */
#define MOST_BY 64u /* threads of a group that are told apart */

struct item {
        const struct process *p;
        const struct wait *w;
};

struct items {
        struct item *list;
        size_t n;
};

struct group {
        const struct item *first;
        size_t n;
        uint64_t count, total, longest;
        double count_moved, ns_moved; /* a second */
        uint64_t interval_count, interval_ns;
        uint32_t waiting, threads;
};

struct groups {
        struct group *list;
        size_t n;
};

static bool is_used(const struct wait *w)
{
        return w->known && (w->sums.count || w->n_waiting);
}

static struct items collect(const struct top_scope *s)
{
        struct items x = {0};
        size_t room = 0;

        for (const struct process *p = s->server->processes; p; p = p->next)
                room += top_is_shown(s, p) ? p->waits.n : 0;
        x.list = calloc(room + 1, sizeof(*x.list));
        for (const struct process *p = s->server->processes; x.list && p; p = p->next)
                for (uint32_t i = 1; top_is_shown(s, p) && i < p->waits.n; i++)
                        if (is_used(&p->waits.list[i]))
                                x.list[x.n++] = (struct item){p, &p->waits.list[i]};
        return x;
}

/* ---- what belongs together ---- */

static int compare(uint64_t a, uint64_t b)
{
        return (a > b) - (a < b);
}

static int compare_text(const char *a, const char *b)
{
        return strcmp(a ? a : "", b ? b : "");
}

/* What it may be told apart by in a group. */
static int same_object(const struct item *a, const struct item *b)
{
        int c = compare(a->p->index, b->p->index);

        c = c ? c : compare(a->w->kind, b->w->kind);
        return c ? c : compare(a->w->object, b->w->object);
}

static int same_place(const struct item *a, const struct item *b)
{
        const struct wait *x = a->w, *y = b->w;
        int c = compare(a->p->index, b->p->index);

        c = c ? c : compare(x->kind, y->kind);
        c = c ? c : compare(x->op, y->op);
        c = c ? c : compare(x->phase, y->phase);
        c = c ? c : compare_text(x->name, y->name);
        c = c ? c : compare_text(x->caller, y->caller);
        return c ? c : compare_text(x->library, y->library);
}

static int by_object(const void *a, const void *b)
{
        const struct item *x = a, *y = b;
        int c = same_object(x, y);

        return c ? c : compare(x->w->lane, y->w->lane);
}

static int by_place(const void *a, const void *b)
{
        const struct item *x = a, *y = b;
        int c = same_place(x, y);

        return c ? c : compare(x->w->lane, y->w->lane);
}

static void add(struct group *g, const struct item *i, bool is_first)
{
        const struct wait_course *c = &i->w->course;
        double s = top_interval(i->p);
        uint64_t ticks = i->w->sums.ticks + i->w->progress_ticks;

        g->threads += is_first || i->w->lane != i[-1].w->lane;
        g->count += i->w->sums.count;
        g->total += clock_ns(&i->p->clock, ticks);
        g->waiting += i->p->state == PROCESS_LIVE ? i->w->n_waiting : 0;
        if (s <= 0)
                return;
        g->interval_count += top_moved(c->count_at_tick, c->count_before);
        g->interval_ns += clock_ns(&i->p->clock, top_moved(c->ticks_at_tick, c->ticks_before));
        g->count_moved += (double)top_moved(c->count_at_tick, c->count_before) / s;
        g->ns_moved +=
                (double)clock_ns(&i->p->clock, top_moved(c->ticks_at_tick, c->ticks_before)) / s;
}

static int by_moved(const void *a, const void *b)
{
        const struct group *x = a, *y = b;

        return (x->ns_moved < y->ns_moved) - (x->ns_moved > y->ns_moved);
}

static int by_total(const void *a, const void *b)
{
        const struct group *x = a, *y = b;

        return (x->total < y->total) - (x->total > y->total);
}

/* Those that moved most, then those with most among the others. */
static struct groups group(struct items *x, int (*order)(const void *, const void *),
                           int (*same)(const struct item *, const struct item *))
{
        struct groups g = {calloc(x->n + 1, sizeof(*g.list)), 0};

        if (x->n)
                qsort(x->list, x->n, sizeof(*x->list), order);
        for (size_t i = 0; g.list && i < x->n; i++) {
                bool is_first = !i || same(&x->list[i - 1], &x->list[i]);

                if (is_first)
                        g.list[g.n++] = (struct group){.first = &x->list[i]};
                g.list[g.n - 1].n++;
                add(&g.list[g.n - 1], &x->list[i], is_first);
        }
        if (g.n)
                qsort(g.list, g.n, sizeof(*g.list), by_moved);
        if (g.n > MOST)
                qsort(g.list + MOST, g.n - MOST, sizeof(*g.list), by_total);
        g.n = g.n < 2 * MOST ? g.n : 2 * MOST;
        return g;
}

static void set_figures(json_t *o, const struct group *g)
{
        json_object_set_new(o, "count", top_told(g->count & INT64_MAX));
        json_object_set_new(o, "total_ns", top_told(g->total & INT64_MAX));
        json_object_set_new(o, "count_per_second", top_real(g->count_moved));
        json_object_set_new(o, "ns_per_second", top_real(g->ns_moved));
}

/* ---- for whom ---- */

struct blamed {
        const struct process *p;
        const struct wait_by *by;
        uint64_t moved, total;
};

static void blame(struct blamed *list, uint32_t *n, const struct item *i, uint32_t k)
{
        const struct wait_by *by = &i->w->by[k];
        uint32_t at = 0;

        while (at < *n && (list[at].by->lane != by->lane || list[at].by->gen != by->gen))
                at++;
        if (at == MOST_BY)
                return;
        if (at == *n)
                list[(*n)++] = (struct blamed){.p = i->p, .by = by};
        list[at].moved += i->w->by_moved[k];
        list[at].total += by->ticks;
}

static int by_blame(const void *a, const void *b)
{
        const struct blamed *x = a, *y = b;

        if (x->moved != y->moved)
                return (x->moved < y->moved) - (x->moved > y->moved);
        return (x->total < y->total) - (x->total > y->total);
}

static json_t *op_name(const struct process *p, uint32_t op)
{
        return op && op < p->n_ops ? top_text(p->ops[op].name) : json_null();
}

static json_t *by_document(const struct group *g)
{
        struct blamed list[MOST_BY];
        json_t *out = json_array();
        uint64_t recently = 0, all = 0;
        uint32_t n = 0;

        for (size_t i = 0; i < g->n; i++) {
                for (uint32_t k = 0; k < IFP_WAIT_BY; k++)
                        if (g->first[i].w->by[k].gen)
                                blame(list, &n, &g->first[i], k);
                all += g->first[i].w->sums.ticks;
        }
        for (uint32_t k = 0; k < n; k++)
                recently += list[k].moved;
        if (n)
                qsort(list, n, sizeof(*list), by_blame);
        for (uint32_t k = 0; k < n && k < IFP_WAIT_BY; k++) {
                const struct process *p = list[k].p;
                const struct thread *t = top_thread(p, list[k].by->thread);
                uint64_t whole = recently ? recently : all;
                uint64_t part = recently ? list[k].moved : list[k].total;
                json_t *o =
                        json_pack("{s:I, s:o, s:o, s:o, s:o}", "pid", (json_int_t)p->pid, "tid",
                                  t ? json_integer((json_int_t)t->tid) : json_null(), "name",
                                  top_text(t ? t->name : NULL), "op", op_name(p, list[k].by->op),
                                  "share", top_real(whole ? (double)part / (double)whole : NAN));

                if (part || !recently)
                        json_array_append(out, o);
                json_decref(o);
        }
        return out;
}

/* ---- the lists ---- */

static json_t *object_document(const struct group *g)
{
        const struct process *p = g->first->p;
        const struct wait *w = g->first->w;
        const char *file = waits_file(p, w);
        double mean = g->interval_count ? (double)g->interval_ns / (double)g->interval_count
                      : g->count        ? (double)g->total / (double)g->count
                                        : NAN;
        json_t *o = json_pack(
                "{s:I, s:s, s:o, s:o, s:o, s:b, s:b, s:o, s:I, s:I, s:o}", "pid",
                (json_int_t)p->pid, "kind", top_wait_kind(w->kind), "object",
                top_address(w->object), "library", top_text(file), "offset",
                file ? json_integer((json_int_t)(w->offset & INT64_MAX)) : json_null(), "spins",
                w->flags & IFP_WAIT_SPINS, "shared", w->flags & IFP_WAIT_SHARED_MEMORY, "mean_ns",
                top_integer(mean), "threads", (json_int_t)g->threads, "waiting",
                (json_int_t)g->waiting, "by", by_document(g));

        set_figures(o, g);
        return o;
}

static json_t *place_document(const struct group *g)
{
        const struct process *p = g->first->p;
        const struct wait *w = g->first->w;
        json_t *o = json_pack("{s:I, s:s, s:o, s:s, s:o, s:o, s:o, s:b}", "pid", (json_int_t)p->pid,
                              "kind", top_wait_kind(w->kind), "op", op_name(p, w->op), "phase",
                              top_phase_name(w->phase), "function", top_text(w->name), "library",
                              top_text(w->library), "caller", top_text(w->caller), "spins",
                              w->flags & IFP_WAIT_SPINS);

        set_figures(o, g);
        return o;
}

static json_t *build_list(struct items *x, int (*order)(const void *, const void *),
                          int (*same)(const struct item *, const struct item *),
                          json_t *(*document)(const struct group *))
{
        struct groups g = group(x, order, same);
        json_t *list = json_array();

        for (size_t i = 0; i < g.n; i++)
                json_array_append_new(list, document(&g.list[i]));
        free(g.list);
        return list;
}

json_t *top_waits(const struct top_scope *s)
{
        struct items x = collect(s);
        double interval = 0;
        bool on = false;
        json_t *o;

        for (const struct process *p = s->server->processes; p; p = p->next) {
                if (!top_is_shown(s, p))
                        continue;
                on |= waits_are_on(&p->segment.header);
                interval = top_interval(p) > interval ? top_interval(p) : interval;
        }
        o = json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "on", on, "interval_ns",
                      interval > 0 ? top_integer(interval * 1e9) : json_null(), "kinds",
                      top_wait_kinds(s), "objects",
                      build_list(&x, by_object, same_object, object_document), "sites",
                      build_list(&x, by_place, same_place, place_document), "now",
                      top_waiting_now(s));
        free(x.list);
        return o;
}
