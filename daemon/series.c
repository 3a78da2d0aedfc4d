/* SPDX-License-Identifier: MIT */
/*
 * The calls of a process that are kept one by one. A ring may bring calls of ops whose names we
 * have not read yet; these are kept until they are known, and let go where nobody wants them.
 */
#include "daemon/series.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/process.h"
#include "daemon/run.h"

static const char *behind(const char *wish, const char *kind)
{
        size_t n = strlen(kind);

        return !strncmp(wish, kind, n) && wish[n] == ':' && wish[n + 1] ? wish + n + 1 : NULL;
}

bool series_is_wish(const char *wish)
{
        return !strcmp(wish, "token") || !strcmp(wish, "graph") || behind(wish, "op") ||
               behind(wish, "marker");
}

static bool is_wanted(const char *wish, const struct op *op)
{
        const char *name;

        if (!strcmp(wish, "token"))
                return op->kind == IFP_KIND_TOKEN;
        if (!strcmp(wish, "graph"))
                return op->kind == IFP_KIND_GRAPH;
        name = behind(wish, "marker");
        if (name)
                return op->kind == IFP_KIND_MARKER && !strcmp(op->name, name);
        name = behind(wish, "op");
        return name && op->kind != IFP_KIND_TOKEN && op->kind != IFP_KIND_TTFT &&
               op->kind != IFP_KIND_MARKER && !strcmp(op->name, name);
}

/* Those that were kept without knowing. */
static void settle(struct series *s)
{
        uint32_t to = s->n_settled;

        for (uint32_t i = to; i < s->n; i++)
                if (s->calls[i].op >= s->n_seen || s->wanted[s->calls[i].op])
                        s->calls[to++] = s->calls[i];
        s->n = to;
        s->n_settled = 0;
        while (s->n_settled < s->n && s->calls[s->n_settled].op < s->n_seen)
                s->n_settled++;
}

static struct series *series_new(void)
{
        struct series *s = calloc(1, sizeof(*s));

        if (s)
                s->wanted = calloc(IFP_MAX_OPS, sizeof(*s->wanted));
        return s && s->wanted ? s : series_free(s);
}

struct series *series_free(struct series *s)
{
        if (!s)
                return NULL;
        free(s->wanted);
        free(s->calls);
        free(s);
        return NULL;
}

void series_prepare(struct process *p)
{
        const char *wish = p->run ? p->run->series : NULL;
        struct series *s = p->drain.series;

        if (!wish || (s && s->n_seen == p->n_ops))
                return;
        if (!s)
                s = p->drain.series = series_new();
        if (!s)
                return;
        for (; s->n_seen < p->n_ops && s->n_seen < IFP_MAX_OPS; s->n_seen++)
                s->wanted[s->n_seen] = is_wanted(wish, &p->ops[s->n_seen]);
        settle(s);
}

void series_take(struct series *s, uint64_t start, uint64_t ticks, uint32_t op, uint32_t phase)
{
        if ((op < s->n_seen && !s->wanted[op]) || s->n == SERIES_MOST)
                return;
        if (s->n == s->room) {
                uint32_t room = s->room ? 2 * s->room : 256;
                struct series_call *more = reallocarray(s->calls, room, sizeof(*more));

                if (!more)
                        return; /* it is missing, which its count tells */
                s->calls = more;
                s->room = room;
        }
        s->calls[s->n] = (struct series_call){start, ticks, op, phase};
        s->n++;
        if (s->n_settled == s->n - 1 && op < s->n_seen)
                s->n_settled = s->n;
}
