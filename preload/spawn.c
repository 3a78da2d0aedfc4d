/* SPDX-License-Identifier: MIT */
/*
 * Where threads, processes and parallel regions are asked for: the segment's table of sites. A site
 * is a kind, a stack, an op and a phase; entries come under a lock and are found without, by a
 * small table of this process.
 *
 * A site is named by the innermost frame that says something: std::thread's or Rust's way to start
 * a thread is everybody's, so frames in libc and libstdc++ are passed over where others are.
 */
#include "preload/wait.h"

#define BUCKETS 1024u

static uint32_t lock;
static uint16_t buckets[BUCKETS], next_of[IFP_MAX_SITES]; /* site + 1 */

static uint32_t bucket_of(uint32_t stack, uint32_t what)
{
        return (uint32_t)(((uint64_t)stack << 32 | what) * 0x9e3779b97f4a7c15ull >> 54);
}
_Static_assert(BUCKETS == 1u << 10, "bucket_of");

static bool is_site(const struct ifp_site *s, uint32_t stack, uint32_t what)
{
        return s->stack == stack && ifp_known_what(s->kind, s->op, s->phase) == what;
}

static uint32_t find(uint32_t stack, uint32_t what)
{
        uint32_t i = __atomic_load_n(&buckets[bucket_of(stack, what)], __ATOMIC_ACQUIRE);

        while (i && !is_site(&ifp_seg->sites[i - 1], stack, what))
                i = next_of[i - 1];
        return i;
}

/* The open object that an address lies in; UINT32_MAX: none. */
static uint32_t object_at(uint64_t address)
{
        for (uint32_t i = 0; i < ifp_seg->live.n_objects; i++) {
                const struct ifp_object *o = &ifp_seg->objects[i];

                if (!o->closed && address >= o->start && address < o->end)
                        return i;
        }
        return UINT32_MAX;
}

static bool is_runtime(uint32_t object)
{
        const char *name;

        if (object == UINT32_MAX)
                return false;
        name = ifp_basename(ifp_seg->names + ifp_seg->objects[object].path);
        return ifp_starts(name, "libstdc++.so") || ifp_starts(name, "libc++.so") ||
               ifp_starts(name, "libc.so.") || ifp_starts(name, "libgomp") ||
               ifp_starts(name, "libomp") || ifp_starts(name, "libpthread.so.");
}

static void name_site(struct ifp_site *s, const struct ifp_frames *frames)
{
        uint32_t at = 0, object = object_at(frames->at[0]);

        while (is_runtime(object) && at + 1 < frames->n)
                object = object_at(frames->at[++at]);
        if (is_runtime(object)) { /* nothing else: the caller itself */
                at = 0;
                object = object_at(frames->at[0]);
        }
        s->object = object;
        s->offset = frames->at[at];
        if (object != UINT32_MAX)
                s->offset -= ifp_seg->objects[object].base;
}

static uint32_t add(uint32_t stack, uint32_t what, const struct ifp_frames *frames)
{
        uint32_t i, *n = &ifp_seg->live.n_sites;
        struct ifp_site *s;

        ifp_lock(&lock);
        i = find(stack, what);
        if (!i && *n < IFP_MAX_SITES) {
                s = &ifp_seg->sites[*n];
                s->stack = stack;
                s->op = (uint16_t)what;
                s->phase = (uint8_t)(what >> 16);
                s->kind = (uint8_t)(what >> 24);
                name_site(s, frames);
                i = *n + 1;
                next_of[i - 1] = buckets[bucket_of(stack, what)];
                __atomic_store_n(n, i, __ATOMIC_RELEASE);
                __atomic_store_n(&buckets[bucket_of(stack, what)], (uint16_t)i, __ATOMIC_RELEASE);
        }
        ifp_unlock(&lock);
        return i;
}

uint32_t ifp_site(struct ifp_tls *tls, uint32_t kind, uint64_t sp)
{
        uint32_t op, phase = ifp_phase, what, known, stack, i;
        struct ifp_frames frames;
        bool keep;

        if (!tls->lane)
                ifp_lane_take(tls);
        keep = !tls->crowd && ifp_waits_on;
        op = ifp_op_here(tls, sp);
        what = ifp_known_what(kind, op, phase);
        known = ifp_known_what(kind + IFP_KNOWN_SPAWN, op, phase);
        if (keep && (i = ifp_known(tls, sp, 0, known)))
                return i;
        if (keep) {
                ifp_frames_here(tls, *(void **)(uintptr_t)(sp + 8), &frames);
        } else { /* the caller alone */
                frames.n = 1;
                frames.flags = IFP_STACK_ONE;
                frames.at[0] = *(uint64_t *)(uintptr_t)(sp + 8);
        }
        stack = ifp_stack(tls, true, op, phase, frames.at, frames.n, frames.flags);
        i = find(stack, what);
        if (!i)
                i = add(stack, what, &frames);
        if (i && keep)
                ifp_know(tls, sp, 0, known, &frames, i);
        return i;
}

void ifp_site_made(uint32_t site, uint64_t cost)
{
        struct ifp_site *s;

        if (!site)
                return;
        s = &ifp_seg->sites[site - 1];
        __atomic_fetch_add(&s->count, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&s->cost_ticks, cost, __ATOMIC_RELAXED);
        ifp_fold(&s->cost_fold, cost, true);
}

void ifp_spawned(uint32_t site, uint64_t cost)
{
        __atomic_fetch_add(&ifp_seg->live.spawns, 1, __ATOMIC_RELAXED);
        if (!site)
                __atomic_fetch_add(&ifp_seg->live.spawns_unsited, 1, __ATOMIC_RELAXED);
        ifp_site_made(site, cost);
}

/* What the creation allocates is not stamped apart, hence the flag. */
void ifp_creation_begin(struct ifp_creation *c)
{
        struct ifp_tls *tls = &ifp_tls;

        c->lane = tls->crowd || !tls->lane || tls->lane->waits.in_alloc ? NULL : tls->lane;
        if (c->lane)
                c->lane->waits.in_alloc = 1;
        c->start = ifp_ticks();
}

uint64_t ifp_creation_end(struct ifp_creation *c)
{
        uint64_t ticks = ifp_ticks() - c->start;

        if (c->lane && c->lane == ifp_tls.lane) {
                c->lane->waits.in_alloc = 0;
                ifp_local_add(&c->lane->waits.spawn_ticks[ifp_state_here(c->lane)], ticks);
        }
        return ticks;
}

void ifp_spawn_begin(struct ifp_spawn *s, uint32_t kind, uint64_t sp)
{
        struct ifp_tls *tls = &ifp_tls;

        s->open = ifp_seg && ifp_alive() && !ifp_off && !tls->busy;
        if (s->open) {
                IFP_KEEP_ERRNO;
                IFP_BUSY;

                s->site = ifp_site(tls, kind, sp);
                ifp_creation_begin(&s->creation);
        }
}

void ifp_spawn_end(struct ifp_spawn *s, bool made)
{
        uint64_t ticks;

        if (!s->open || !ifp_alive())
                return;
        ticks = ifp_creation_end(&s->creation);
        if (made)
                ifp_spawned(s->site, ticks);
}

uint32_t ifp_site_alive(uint32_t site)
{
        return site ? __atomic_add_fetch(&ifp_seg->sites[site - 1].live, 1, __ATOMIC_RELAXED) : 0;
}

void ifp_site_peak(uint32_t site, uint32_t now)
{
        uint32_t *p, peak;

        if (!site)
                return;
        p = &ifp_seg->sites[site - 1].peak;
        peak = __atomic_load_n(p, __ATOMIC_RELAXED);
        while (now > peak && !__atomic_compare_exchange_n(p, &peak, now, true, __ATOMIC_RELAXED,
                                                          __ATOMIC_RELAXED))
                ;
}

void ifp_site_ended(uint32_t site, uint64_t life, uint64_t cpu_ns)
{
        struct ifp_site *s;

        if (!site)
                return;
        s = &ifp_seg->sites[site - 1];
        __atomic_fetch_sub(&s->live, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&s->ended, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&s->life_ticks, life, __ATOMIC_RELAXED);
        __atomic_fetch_add(&s->cpu_ns, cpu_ns, __ATOMIC_RELAXED);
        ifp_fold(&s->life_fold, life, true);
}

/* A fork child has a table of its own. */
void ifp_sites_anew(void)
{
        lock = 0;
        for (uint32_t i = 0; i < BUCKETS; i++)
                buckets[i] = 0;
}
