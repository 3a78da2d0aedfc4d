/* SPDX-License-Identifier: MIT */
/*
 * A program that has an allocator linked into itself, or one preloaded before the shim, calls a
 * malloc that the shim never sees. Its memory would look like none at all, so it is said.
 */
#include "daemon/elsewhere.h"

#include <stdio.h>

#include "common/cleanup.h"

void elsewhere_take(struct process *p)
{
        uint32_t at = __atomic_load_n(&p->segment.map->live.malloc_elsewhere, __ATOMIC_RELAXED);
        _cleanup_(freep) char *path = NULL;
        const char *why;
        char *line;

        if (!at || segment_name(&p->segment, &p->counts, at, &path, &why))
                return;
        if (asprintf(&line,
                     "malloc is defined by %s itself, before the shim: its allocations are not "
                     "seen, and counts of memory lack them",
                     path) > 0)
                p->notes[p->n_notes++] = line;
}
