/* SPDX-License-Identifier: MIT */
/* Where threads were asked for: the segment's sites, with the names of their functions. */
#include "daemon/site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/process.h"
#include "daemon/symboliser.h"

#define A_TICK_US 2000u /* for a name; then the tick goes on without */
#define AT_END_US 3000000u

/* Names a new site as well as can be: function + offset, else library + offset. */
static int site_resolve(struct process *p, const struct ifp_site *from, struct site *to,
                        uint64_t wait_us, const char **ret_why)
{
        struct symboliser_question q = {.pid = p->pid};
        struct symbol symbols[SYMBOL_MOST];
        const struct ifp_object *o;
        char *no_library;
        uint32_t n;
        int r;

        to->offset = from->offset;
        if (from->object == UINT32_MAX)
                return 0;
        if (from->object >= p->counts.n_objects) {
                *ret_why = "a site lies in an object that does not exist";
                return SEGMENT_E_BAD;
        }
        o = &p->segment.map->objects[from->object];
        q.base = __atomic_load_n(&o->base, __ATOMIC_RELAXED);
        q.address = q.base + from->offset - 1;
        r = to->library ? 0 : segment_name(&p->segment, &p->counts, o->path, &to->library, ret_why);
        if (r)
                return r;
        q.path = to->library;
        r = from->offset ? symboliser_find(&q, wait_us, symbols, &n, &no_library)
                         : SYMBOL_E_UNKNOWN;
        if (r)
                return r == SYMBOL_E_UNKNOWN ? 0 : r;
        to->function = symbols[n - 1].function; /* the one with code of its own */
        to->offset = symbols[n - 1].offset + 1;
        symbols[n - 1].function = NULL;
        symbols_done(symbols, n);
        free(no_library);
        return 0;
}

int sites_take(struct process *p, uint32_t most, const char **ret_why)
{
        if (p->counts.n_sites > p->n_sites_room) {
                uint32_t n = p->counts.n_sites * 2;
                struct site *sites = realloc(p->sites, n * sizeof(*sites));

                if (!sites)
                        return -ENOMEM;
                memset(sites + p->n_sites_room, 0, (n - p->n_sites_room) * sizeof(*sites));
                p->sites = sites;
                p->n_sites_room = n;
        }
        if (p->n_sites < p->counts.n_sites)
                p->n_sites = p->counts.n_sites;
        for (uint32_t i = 0; i < p->n_sites; i++) {
                struct ifp_site from = p->segment.map->sites[i];
                struct site *s = &p->sites[i];

                s->count = from.count <= INT64_MAX ? from.count : INT64_MAX;
                if (s->resolved || !most)
                        continue;
                int r = site_resolve(p, &from, s, most == UINT32_MAX ? AT_END_US : A_TICK_US,
                                     ret_why);

                if (r == SYMBOL_E_LATER) {
                        most = 0;
                        continue;
                }
                if (r)
                        return r;
                s->resolved = true;
                most -= most != UINT32_MAX;
        }
        return 0;
}
