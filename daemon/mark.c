/* SPDX-License-Identifier: MIT */
/*
 * A mark is a copy of the counts of one instant: what only grows can be subtracted
 * later, so two marks say what happened between them. It is written once, and
 * waits here only while its file cannot be written.
 */
#include "daemon/mark.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct mark *mark_free(struct mark *m)
{
        if (!m)
                return NULL;
        free(m->name);
        free(m->rows);
        free(m->stacks);
        free(m);
        return NULL;
}

struct mark *mark_free_all(struct mark *m)
{
        while (m) {
                struct mark *next = m->next;

                mark_free(m);
                m = next;
        }
        return NULL;
}

uint32_t mark_count(const struct process *p)
{
        uint32_t n = 0;

        for (const struct mark *m = p->marks; m; m = m->next)
                n++;
        return n;
}

static bool has_memory(const struct figures *f)
{
        return f->alloc_calls || f->frees || f->alloc_failed || f->maps || f->mapped_bytes;
}

static int copy_rows(struct mark *m, const struct process *p)
{
        uint32_t n = 0;

        for (uint32_t k = 0; k < p->n_ops * IFP_N_PHASES; k++)
                n += has_memory(&p->total[k]);
        m->rows = malloc(n * sizeof(*m->rows) + 1);
        if (!m->rows)
                return -ENOMEM;
        for (uint32_t k = 0; k < p->n_ops * IFP_N_PHASES; k++)
                if (has_memory(&p->total[k]))
                        m->rows[m->n_rows++] = (struct mark_row){.key = k, .f = p->total[k]};
        return 0;
}

static int copy_stacks(struct mark *m, const struct process *p)
{
        const struct heap *h = &p->heap;
        uint32_t n = 0;

        for (uint32_t i = 0; i < h->n_stacks; i++)
                n += heap_stack_is_used(&h->stacks[i]);
        m->stacks = malloc(n * sizeof(*m->stacks) + 1);
        if (!m->stacks)
                return -ENOMEM;
        for (uint32_t i = 0; i < h->n_stacks; i++)
                if (heap_stack_is_used(&h->stacks[i]))
                        m->stacks[m->n_stacks++] =
                                (struct mark_stack){.stack = i, .sums = h->stacks[i].sums};
        return 0;
}

int mark_take(struct process *p, uint32_t number, const char *name, uint64_t at_ns)
{
        struct mark *m = calloc(1, sizeof(*m)), **at = &p->marks;

        if (!m)
                return -ENOMEM;
        m->number = number;
        m->at_ns = at_ns;
        m->live_bytes = p->now.live_bytes;
        m->name = strdup(name);
        memcpy(m->classes, p->heap.classes, sizeof(m->classes));
        if (!m->name || copy_rows(m, p) || copy_stacks(m, p)) {
                mark_free(m);
                return -ENOMEM;
        }
        while (*at)
                at = &(*at)->next;
        *at = m;
        p->dirty = true;
        return 0;
}
