/* SPDX-License-Identifier: MIT */
/* Where threads were asked for: the segment's sites, with the names of their functions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/process.h"
#include "daemon/symbol.h"

/* Names a new site as well as can be: function + offset, else library + offset. */
static int site_resolve(struct process *p, const struct ifp_site *from, struct site *to,
                        const char **ret_why)
{
        const struct ifp_object *o;
        uint64_t offset = from->offset;
        uint32_t object = from->object;
        struct symbol symbols[SYMBOL_MOST];
        uint32_t n;
        int r;

        to->offset = offset;
        to->resolved = true;
        if (object == UINT32_MAX)
                return 0;
        if (object >= p->counts.n_objects) {
                *ret_why = "a site lies in an object that does not exist";
                return SEGMENT_E_BAD;
        }
        o = &p->segment.map->objects[object];
        r = segment_name(&p->segment, &p->counts, o->path, &to->library, ret_why);
        if (r)
                return r;
        if (!offset || symbols_find(to->library, offset - 1, symbols, &n))
                return 0;
        to->function = symbols[n - 1].function; /* the one with code of its own */
        to->offset = symbols[n - 1].offset + 1;
        symbols[n - 1].function = NULL;
        symbols_done(symbols, n);
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
                int r = site_resolve(p, &from, s, ret_why);

                if (r)
                        return r;
                most--;
        }
        return 0;
}
