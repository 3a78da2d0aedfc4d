/* SPDX-License-Identifier: MIT */
/*
 * Who was waited for, and who came last. Where many threads were, as when one is made for each
 * token, no one of them is to blame, but all that were made at that place: they become one row.
 *
 * A lane that many threads had one after the other does not say which of them it was (thread
 * NONE). If the process has but one group of threads that come and go, it was one of that group.
 */
#include "common/report-work-private.h"

#include <errno.h>
#include <stdio.h>

#include "common/report-private.h"

#define MAX_THREADS_APART 8

static bool same_op(const struct blame *a, const struct blame *b)
{
        return merge_same_text(a->op, b->op);
}

static void add(struct blame *to, const struct blame *item)
{
        to->count = sum_u64(to->count, item->count);
        to->total_ns = sum_u64(to->total_ns, item->total_ns);
        to->times = sum_u64(to->times, item->times);
}

int blame_add(struct blames *b, const struct work *w, size_t process, const struct blame *item)
{
        struct blame *to;
        size_t group =
                item->thread != NONE ? w->threads[item->thread].group : w->processes[process].crowd;
        uint32_t h =
                merge_hash_text(merge_hash(merge_hash(MERGE_SEED, item->thread), group), item->op);

        for (uint32_t i = merge_first(&b->buckets, h); i; i = b->at[i - 1].next) {
                to = &b->at[i - 1];
                if (to->hash == h && to->thread == item->thread && to->group == group &&
                    same_op(to, item)) {
                        add(to, item);
                        return 0;
                }
        }
        to = GROW(&b->at, &b->n, &b->room);
        if (!to)
                return -ENOMEM;
        *to = *item;
        to->hash = h;
        to->group = group;
        to->threads = item->thread != NONE ? 1 : group != NONE ? w->groups[group].threads : 0;
        return MERGE_PUT_NEW(&b->buckets, b->at, b->n);
}

void blames_done(struct blames *b)
{
        free(b->at);
        free(b->buckets.at);
        *b = (struct blames){0};
}

static int compare(const void *a, const void *b)
{
        const struct blame *p = a, *q = b;

        if (p->total_ns != q->total_ns)
                return p->total_ns > q->total_ns ? -1 : 1;
        if (p->times != q->times)
                return p->times > q->times ? -1 : 1;
        if (p->count != q->count)
                return p->count > q->count ? -1 : 1;
        return p->thread < q->thread ? -1 : p->thread > q->thread;
}

static int compare_times(const void *a, const void *b)
{
        const struct blame *p = a, *q = b;

        if (p->times != q->times)
                return p->times > q->times ? -1 : 1;
        return compare(a, b);
}

static int compare_groups(const void *a, const void *b)
{
        const struct blame *p = a, *q = b;

        if (p->group != q->group)
                return p->group < q->group ? -1 : 1;
        return strcmp(p->op ? p->op : "", q->op ? q->op : "");
}

static void put_together(struct blames *b, const struct work *w)
{
        size_t n = 0;

        qsort(b->at, b->n, sizeof(*b->at), compare_groups);
        for (size_t i = 0; i < b->n; i++) {
                struct blame *last = n ? &b->at[n - 1] : NULL, *item = &b->at[i];

                if (!last || item->group == NONE || item->group != last->group ||
                    !same_op(item, last)) {
                        b->at[n++] = *item;
                        continue;
                }
                add(last, item);
                last->threads = sum_u64(last->threads, item->threads);
                if (last->threads > w->groups[last->group].threads)
                        last->threads = w->groups[last->group].threads;
                last->thread = NONE;
        }
        b->n = n;
}

void blame_settle(struct blames *b, const struct work *w)
{
        size_t crowd = 0;

        for (size_t i = 0; i < b->n; i++)
                crowd += b->at[i].thread == NONE && b->at[i].group != NONE;
        if (b->n && (b->n > MAX_THREADS_APART || crowd))
                put_together(b, w);
        if (b->n)
                qsort(b->at, b->n, sizeof(*b->at), compare);
}

void blame_sort_by_times(struct blames *b)
{
        if (b->n)
                qsort(b->at, b->n, sizeof(*b->at), compare_times);
}

void blame_put_who(json_t *o, const struct work *w, const struct blame *b)
{
        const struct work_group *g = b->group != NONE ? &w->groups[b->group] : NULL;

        work_put_thread(o, w, b->thread);
        if (b->thread == NONE && g)
                report_set(o, "name", report_text(g->name));
        report_set(o, "threads", report_integer(b->threads));
        report_set(o, "site", g ? work_build_place(g->site) : json_null());
}

const char *blame_name(const struct work *w, const struct blame *b, char *buf, size_t size)
{
        const struct work_group *g = b->group != NONE ? &w->groups[b->group] : NULL;
        const char *place = g && g->site ? g->site->row.function : NULL;

        if (b->thread != NONE)
                snprintf(buf, size, "thread %lld '%s'",
                         (long long)w->model.threads[b->thread].row.tid,
                         g && g->name ? g->name : "");
        else if (g)
                snprintf(buf, size, "one of %llu threads '%s'%s%s", (unsigned long long)g->threads,
                         g->name ? g->name : "", place ? " made in " : "", place ? place : "");
        else
                snprintf(buf, size, "a thread that is not known");
        return buf;
}
