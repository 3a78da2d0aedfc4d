/* SPDX-License-Identifier: MIT */
/* Where threads were asked for: the segment's sites, with the names of their functions. */
#include "daemon/site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fold.h"
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

/* What never changes. */
static int take_identity(struct process *p, const struct ifp_site *from, struct site *to,
                         const char **ret_why)
{
        if (from->kind >= IFP_N_SPAWN_KINDS)
                return segment_bad(ret_why, "a site is of a kind that does not exist");
        if (from->phase >= IFP_N_PHASES)
                return segment_bad(ret_why, "a site is of a phase that does not exist");
        if (from->stack >= heap_n_stacks(p))
                return segment_bad(ret_why, "a site is at a stack that does not exist");
        to->known = true;
        to->kind = from->kind;
        to->phase = from->phase;
        to->op = from->op;
        to->stack = from->stack;
        return process_check_op(p, from->op, "a site belongs to an op that does not exist",
                                ret_why);
}

static int take_sums(struct process *p, const struct ifp_site *from, struct site *to,
                     const char **ret_why)
{
        if (!fold_is_there(&p->segment, from->cost_fold) ||
            !fold_is_there(&p->segment, from->life_fold))
                return segment_bad(ret_why, "a histogram of spawns lies outside of the pool");
        to->count = heap_bounded(from->count);
        to->live = from->live;
        to->peak = from->peak;
        to->cost_ticks = from->cost_ticks;
        to->ended = heap_bounded(from->ended);
        to->life_ticks = from->life_ticks;
        to->cpu_ns = heap_bounded(from->cpu_ns);
        to->team = heap_bounded(from->team);
        p->dirty |= site_mark(to) != (to->written & ~(1ull << 62));
        return 0;
}

uint64_t site_mark(const struct site *s)
{
        return (1 + s->count + s->live + s->peak + s->cost_ticks + s->ended + s->life_ticks +
                s->cpu_ns + s->team) &
               (UINT64_MAX >> 2);
}

int sites_end(struct process *p)
{
        int r = 0;

        for (uint32_t i = 0; !r && i < p->n_sites; i++) {
                const struct ifp_site *from = &p->segment.map->sites[i];

                r = kept_hist_keep(p, &from->cost_fold, &p->sites[i].cost);
                if (!r)
                        r = kept_hist_keep(p, &from->life_fold, &p->sites[i].life);
        }
        return r;
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
                struct ifp_site from;
                struct site *s = &p->sites[i];
                int r = 0;

                segment_copy_words(&from, &p->segment.map->sites[i], sizeof(from));
                if (!s->known)
                        r = take_identity(p, &from, s, ret_why);
                if (!r)
                        r = take_sums(p, &from, s, ret_why);
                if (r)
                        return r;
                if (s->resolved || !most)
                        continue;
                r = site_resolve(p, &from, s, most == UINT32_MAX ? AT_END_US : A_TICK_US, ret_why);

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
