/* SPDX-License-Identifier: MIT */
/*
 * Of the member "waits" of infprof.top/1 what comes from threads: sums by kind, which have also
 * those waits that found no room in the table, and the waits in progress.
 */
#include "daemon/api-top-private.h"

#include <stdlib.h>

#include "common/report-work.h"

#define MOST_NOW 256u

/* ---- kinds, from the threads: those that found no room in the table are in it ---- */

struct kind {
        uint32_t kind;
        uint64_t count;
        double total, count_moved, ns_moved;
};

static void add_thread(struct kind *kinds, const struct process *p, const struct thread *t)
{
        for (uint32_t k = 1; t && k < IFP_N_WAIT_KINDS; k++) {
                uint64_t now = t->now.kind == k && p->state == PROCESS_LIVE ? t->now.ticks : 0;

                kinds[k].count += t->waits.count[k];
                kinds[k].total += (double)clock_ns(&p->clock, t->waits.ticks[k] + now);
        }
}

static void add_moved(struct kind *kinds, const struct process *p)
{
        double s = top_interval(p);

        for (uint32_t k = 1; s > 0 && k < IFP_N_WAIT_KINDS; k++) {
                const struct wait_course *c = &p->kinds[k];

                kinds[k].count_moved += (double)rates_moved(c->count_at_tick, c->count_before) / s;
                kinds[k].ns_moved += (double)clock_ns(&p->clock, rates_moved(c->ticks_at_tick,
                                                                             c->ticks_before)) /
                                     s;
        }
}

static int by_kind_moved(const void *a, const void *b)
{
        const struct kind *x = a, *y = b;

        if (x->ns_moved != y->ns_moved)
                return (x->ns_moved < y->ns_moved) - (x->ns_moved > y->ns_moved);
        return (x->total < y->total) - (x->total > y->total);
}

json_t *top_wait_kinds(const struct top_scope *s)
{
        struct kind kinds[IFP_N_WAIT_KINDS] = {0};
        json_t *list = json_array();

        for (const struct process *p = s->server->processes; p; p = p->next) {
                if (!top_is_shown(s, p))
                        continue;
                add_moved(kinds, p);
                for (uint32_t i = 0; i < p->n_threads; i++)
                        add_thread(kinds, p, p->threads[i]);
                add_thread(kinds, p, p->later);
                for (uint32_t i = 0; i < p->n_lanes; i++)
                        if (p->lanes[i].thread && p->lanes[i].thread->index == PROCESS_MAX_THREADS)
                                add_thread(kinds, p, p->lanes[i].thread);
        }
        for (uint32_t k = 0; k < IFP_N_WAIT_KINDS; k++)
                kinds[k].kind = k;
        qsort(kinds + 1, IFP_N_WAIT_KINDS - 1, sizeof(*kinds), by_kind_moved);
        for (uint32_t k = 1; k < IFP_N_WAIT_KINDS; k++)
                if (kinds[k].count || kinds[k].total > 0)
                        json_array_append_new(
                                list, json_pack("{s:s, s:I, s:o, s:o, s:o}", "kind",
                                                work_wait_kinds[kinds[k].kind], "count",
                                                (json_int_t)(kinds[k].count & INT64_MAX),
                                                "total_ns", top_integer(kinds[k].total),
                                                "count_per_second", top_real(kinds[k].count_moved),
                                                "ns_per_second", top_real(kinds[k].ns_moved)));
        return list;
}

/* ---- in progress ---- */

struct waiting {
        const struct process *p;
        const struct thread *t;
        uint64_t ns;
};

static int by_length(const void *a, const void *b)
{
        const struct waiting *x = a, *y = b;

        return (x->ns < y->ns) - (x->ns > y->ns);
}

json_t *top_waiting_now(const struct top_scope *s)
{
        struct waiting *list;
        json_t *out = json_array();
        size_t room = 0, n = 0;

        for (const struct process *p = s->server->processes; p; p = p->next)
                room += top_is_shown(s, p) ? p->n_threads : 0;
        list = calloc(room + 1, sizeof(*list));
        for (const struct process *p = s->server->processes; list && p; p = p->next)
                for (uint32_t i = 0;
                     top_is_shown(s, p) && p->state == PROCESS_LIVE && i < p->n_threads; i++)
                        if (p->threads[i]->now.kind)
                                list[n++] = (struct waiting){
                                        p, p->threads[i],
                                        clock_ns(&p->clock, p->threads[i]->now.ticks)};
        if (n)
                qsort(list, n, sizeof(*list), by_length);
        for (size_t i = 0; i < n && i < MOST_NOW; i++) {
                json_t *o = top_waiting(list[i].p, list[i].t);

                json_object_set_new(o, "pid", json_integer((json_int_t)list[i].p->pid));
                json_object_set_new(o, "tid", json_integer((json_int_t)list[i].t->tid));
                json_object_set_new(o, "name", top_text(list[i].t->name));
                json_array_append_new(out, o);
        }
        free(list);
        return out;
}
