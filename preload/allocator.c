/* SPDX-License-Identifier: MIT */
/*
 * What the allocator says of itself, asked now and then by a thread that allocates anyway. Each has
 * functions of its own for it, found in the very object that malloc comes from: mallctl,
 * mallinfo2, MallocExtension_GetNumericProperty, mi_process_info. One thread at a time asks; others
 * go on. mallinfo2 walks all free chunks with locks held, which may take long: how long it takes
 * decides when it is asked again.
 */
#include "preload/allocator.h"

#include <malloc.h>
#include <signal.h>

#include "preload/elf.h"
#include "preload/real.h"
#include "preload/shim.h"

#define RARELY      1000u /* of the time, at most one part in this many */
#define MAX_SIGNALS 64

/* ---- who it is ---- */

/* What is asked; NULL where it is not there. */
static struct {
        int (*mallctlnametomib)(const char *name, size_t *mib, size_t *n);
        int (*mallctlbymib)(const size_t *mib, size_t n, void *old, size_t *old_bytes, void *new,
                            size_t new_bytes);
        struct mallinfo2 (*mallinfo2)(void);
        int (*property)(const char *name, size_t *ret);
        void (*process_info)(size_t *elapsed, size_t *user, size_t *system, size_t *rss,
                             size_t *rss_peak, size_t *commit, size_t *commit_peak, size_t *faults);
} ask;

static uint64_t next_ticks, last_cost, start_mask;
static uint32_t looking;

static bool is_here(const struct ifp_elf *e)
{
        uint64_t here = (uint64_t)(uintptr_t)&ifp_allocator_begin;

        return here >= e->start && here < e->end;
}

static void *function(const struct ifp_elf *e, const char *name)
{
        const ElfW(Sym) *s = ifp_elf_find(e, name, NULL);

        return s ? (void *)(uintptr_t)ifp_elf_address(e, s) : NULL;
}

static enum ifp_allocator_kind kind_of(const struct ifp_elf *e)
{
        if (function(e, "mallctlnametomib"))
                return IFP_ALLOCATOR_JEMALLOC;
        if (function(e, "mi_malloc"))
                return IFP_ALLOCATOR_MIMALLOC;
        if (function(e, "tc_malloc"))
                return IFP_ALLOCATOR_TCMALLOC;
        if (e->soname && !ifp_strcmp(e->soname, "libc.so.6"))
                return IFP_ALLOCATOR_GLIBC;
        return IFP_ALLOCATOR_UNKNOWN;
}

static void get_functions(const struct ifp_elf *e)
{
        ask.mallctlnametomib = (__typeof__(ask.mallctlnametomib))function(e, "mallctlnametomib");
        ask.mallctlbymib = (__typeof__(ask.mallctlbymib))function(e, "mallctlbymib");
        ask.mallinfo2 = (__typeof__(ask.mallinfo2))function(e, "mallinfo2");
        ask.property = (__typeof__(ask.property))function(e, "MallocExtension_GetNumericProperty");
        ask.process_info = (__typeof__(ask.process_info))function(e, "mi_process_info");
}

struct found {
        bool before; /* us: what calls malloc never comes to us */
        bool past_us, done;
        struct ifp_elf elf;
};

/* The first malloc that is not ours, in the order in which the loader looks. */
static int find(struct dl_phdr_info *info, size_t size, void *arg)
{
        struct found *f = arg;
        struct ifp_elf e;

        (void)size;
        if (!ifp_elf_read(&e, info))
                return 0;
        if (is_here(&e)) {
                f->past_us = true;
                return 0;
        }
        if (!ifp_elf_find(&e, "malloc", NULL))
                return 0;
        f->elf = e;
        f->before = !f->past_us;
        f->done = true;
        return 1;
}

/* The place of its path in the names. */
static uint32_t name_of(const struct ifp_elf *e)
{
        char path[1024];
        long n;

        if (*e->path)
                return ifp_name(e->path);
        n = IFP_SYS(readlinkat, -100, "/proc/self/exe", path, sizeof(path) - 1);
        path[n > 0 ? n : 0] = '\0';
        return ifp_name(path);
}

static void forget(struct ifp_allocator *a)
{
        a->seq = 0;
        a->n_arenas = 0;
        a->ticks = a->cost_ns = a->n_looks = 0;
        a->allocated = a->active = a->metadata = a->resident = IFP_NOT_TOLD;
        a->mapped = a->retained = a->free_bytes = a->releasable = IFP_NOT_TOLD;
}

void ifp_allocator_begin(void)
{
        struct ifp_allocator *a = &ifp_seg->allocator;
        struct found f = {0};

        IFP_SYS(rt_sigprocmask, SIG_BLOCK, NULL, &start_mask, sizeof(start_mask));
        forget(a);
        dl_iterate_phdr(find, &f);
        if (!f.done)
                return;
        a->library = name_of(&f.elf);
        if (f.before)
                ifp_seg->live.malloc_elsewhere = a->library;
        get_functions(&f.elf);
        __atomic_store_n(&a->kind, kind_of(&f.elf), __ATOMIC_RELEASE);
}

void ifp_allocator_after_fork(void)
{
        looking = 0;
        next_ticks = last_cost = 0;
        forget(&ifp_seg->allocator);
}

/* ---- what it says ---- */

struct ctl {
        const char *name;
        size_t mib[7];
        size_t n; /* of mib; 0: there is none of this name */
};

enum {
        EPOCH,
        ALLOCATED,
        ACTIVE,
        METADATA,
        RESIDENT,
        MAPPED,
        RETAINED,
        N_ARENAS,
        PAGE,
        IS_ARENA,
        ARENA_SMALL,
        ARENA_LARGE,
        ARENA_PACTIVE,
        ARENA_RESIDENT,
        ARENA_MAPPED,
        N_CTLS
};

static struct ctl ctls[N_CTLS] = {
        [EPOCH] = {.name = "epoch"},
        [ALLOCATED] = {.name = "stats.allocated"},
        [ACTIVE] = {.name = "stats.active"},
        [METADATA] = {.name = "stats.metadata"},
        [RESIDENT] = {.name = "stats.resident"},
        [MAPPED] = {.name = "stats.mapped"},
        [RETAINED] = {.name = "stats.retained"},
        [N_ARENAS] = {.name = "arenas.narenas"},
        [PAGE] = {.name = "arenas.page"},
        [IS_ARENA] = {.name = "arena.0.initialized"},
        [ARENA_SMALL] = {.name = "stats.arenas.0.small.allocated"},
        [ARENA_LARGE] = {.name = "stats.arenas.0.large.allocated"},
        [ARENA_PACTIVE] = {.name = "stats.arenas.0.pactive"},
        [ARENA_RESIDENT] = {.name = "stats.arenas.0.resident"},
        [ARENA_MAPPED] = {.name = "stats.arenas.0.mapped"},
};

/* Reads what is `bytes` wide; `none` where it does not say. */
static uint64_t ctl(unsigned which, size_t bytes, uint64_t none)
{
        struct ctl *c = &ctls[which];
        uint64_t v = 0;

        if (!c->n || ask.mallctlbymib(c->mib, c->n, &v, &bytes, NULL, 0))
                return none;
        return v;
}

static uint64_t arena_ctl(unsigned which, size_t arena)
{
        ctls[which].mib[2] = arena;
        return ctl(which, sizeof(size_t), 0);
}

static void look_at_arenas(struct ifp_allocator *to)
{
        uint64_t n = ctl(N_ARENAS, sizeof(unsigned), 0), page = ctl(PAGE, sizeof(size_t), 4096);

        to->n_arenas = 0;
        for (uint32_t i = 0; i < n && i < IFP_MAX_ARENAS; i++) {
                struct ifp_arena *a = &to->arenas[i];

                *a = (struct ifp_arena){0};
                ctls[IS_ARENA].mib[1] = i;
                if (!ctl(IS_ARENA, sizeof(bool), 1))
                        continue;
                a->allocated = arena_ctl(ARENA_SMALL, i) + arena_ctl(ARENA_LARGE, i);
                a->active = arena_ctl(ARENA_PACTIVE, i) * page;
                a->resident = arena_ctl(ARENA_RESIDENT, i);
                a->mapped = arena_ctl(ARENA_MAPPED, i);
                to->n_arenas = i + 1;
        }
}

/* jemalloc(3), "MALLCTL NAMESPACE". */
static bool look_at_jemalloc(struct ifp_allocator *to)
{
        uint64_t epoch = 1;
        size_t bytes = sizeof(epoch);

        if (!ask.mallctlnametomib || !ask.mallctlbymib)
                return false;
        for (unsigned i = 0; !ctls[EPOCH].n && i < N_CTLS; i++) {
                size_t n = sizeof(ctls[i].mib) / sizeof(ctls[i].mib[0]);

                if (!ask.mallctlnametomib(ctls[N_CTLS - 1 - i].name, ctls[N_CTLS - 1 - i].mib, &n))
                        ctls[N_CTLS - 1 - i].n = n;
        }
        if (!ctls[EPOCH].n ||
            ask.mallctlbymib(ctls[EPOCH].mib, ctls[EPOCH].n, &epoch, &bytes, &epoch, bytes))
                return false;
        to->allocated = ctl(ALLOCATED, sizeof(size_t), IFP_NOT_TOLD);
        to->active = ctl(ACTIVE, sizeof(size_t), IFP_NOT_TOLD);
        to->metadata = ctl(METADATA, sizeof(size_t), IFP_NOT_TOLD);
        to->resident = ctl(RESIDENT, sizeof(size_t), IFP_NOT_TOLD);
        to->mapped = ctl(MAPPED, sizeof(size_t), IFP_NOT_TOLD);
        to->retained = ctl(RETAINED, sizeof(size_t), IFP_NOT_TOLD);
        look_at_arenas(to);
        return true;
}

/* mallinfo(3). */
static bool look_at_glibc(struct ifp_allocator *to)
{
        struct mallinfo2 m;

        if (!ask.mallinfo2)
                return false;
        m = ask.mallinfo2();
        to->allocated = m.uordblks + m.hblkhd;
        to->active = m.arena + m.hblkhd;
        to->mapped = m.arena + m.hblkhd;
        to->free_bytes = m.fordblks;
        to->releasable = m.keepcost;
        return true;
}

static uint64_t property(const char *name)
{
        size_t v;

        return ask.property(name, &v) ? v : IFP_NOT_TOLD;
}

static uint64_t less(uint64_t a, uint64_t b)
{
        return a == IFP_NOT_TOLD || b == IFP_NOT_TOLD || a < b ? IFP_NOT_TOLD : a - b;
}

/* malloc_extension.h of gperftools. */
static bool look_at_tcmalloc(struct ifp_allocator *to)
{
        uint64_t heap, unused, unmapped;

        if (!ask.property)
                return false;
        heap = property("generic.heap_size");
        unused = property("tcmalloc.pageheap_free_bytes");
        unmapped = property("tcmalloc.pageheap_unmapped_bytes");
        to->allocated = property("generic.current_allocated_bytes");
        to->resident = property("generic.total_physical_bytes");
        to->mapped = less(heap, unmapped);
        to->active = less(to->mapped, unused);
        to->metadata = less(to->resident, to->mapped);
        to->retained = unmapped;
        to->free_bytes = less(to->mapped, to->allocated);
        to->releasable = unused;
        return true;
}

/* A release build of mimalloc keeps no sums of its blocks. */
static bool look_at_mimalloc(struct ifp_allocator *to)
{
        size_t v[8] = {0};

        if (!ask.process_info)
                return false;
        ask.process_info(&v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);
        to->mapped = v[5] < 1ull << 48 ? v[5] : IFP_NOT_TOLD;
        return true;
}

static bool look_at(struct ifp_allocator *to)
{
        switch (to->kind) {
        case IFP_ALLOCATOR_JEMALLOC:
                return look_at_jemalloc(to);
        case IFP_ALLOCATOR_GLIBC:
                return look_at_glibc(to);
        case IFP_ALLOCATOR_TCMALLOC:
                return look_at_tcmalloc(to);
        case IFP_ALLOCATOR_MIMALLOC:
                return look_at_mimalloc(to);
        default:
                return false;
        }
}

/* ---- when ---- */

/*
 * Does a signal handler seem to run? It may have come in the midst of the allocator, with a lock
 * held that asking needs. Then its signal is blocked, which was not so at the start.
 */
static bool in_handler(uint64_t mask)
{
        struct {
                uint64_t handler, flags, restorer, mask;
        } action;

        mask &= ~start_mask;
        for (int sig = 1; sig <= MAX_SIGNALS; sig++)
                if ((mask >> (sig - 1) & 1) &&
                    !IFP_SYS(rt_sigaction, sig, NULL, &action, sizeof(action.mask)) &&
                    action.handler > 1)
                        return true;
        return false;
}

/* Written in a copy: what is asked takes its time, and a reader is not to wait for it. */
static void look(void)
{
        static struct ifp_allocator now;
        struct ifp_allocator *to = &ifp_seg->allocator;
        uint64_t begin = ifp_ticks(), second = ifp_seg->header.ticks_per_second, cost;

        now = *to;
        if (!look_at(&now)) {
                next_ticks = UINT64_MAX;
                return;
        }
        now.ticks = ifp_ticks();
        cost = now.ticks - begin;
        now.cost_ns += (uint64_t)((unsigned __int128)cost * 1000000000u / second);
        now.n_looks++;
        now.seq = to->seq + 1;
        __atomic_store_n(&to->seq, now.seq, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        ifp_copy(to, &now, sizeof(now));
        __atomic_store_n(&to->seq, now.seq + 1, __ATOMIC_RELEASE);
        last_cost = cost;
        cost *= RARELY;
        __atomic_store_n(&next_ticks, now.ticks + (cost > second ? cost : second),
                         __ATOMIC_RELAXED);
}

static void look_unless(uint64_t mask)
{
        IFP_BUSY;

        ifp_tls.fast = NULL; /* it may allocate */
        if (!in_handler(mask))
                look();
        ifp_fast_again(&ifp_tls);
}

/* A handler that came meanwhile would be taken for us, and what it allocates for ours. */
static void look_alone(void)
{
        uint64_t all = ~0ull, mask = 0;
        IFP_KEEP_ERRNO;

        if (__atomic_exchange_n(&looking, 1, __ATOMIC_ACQUIRE))
                return;
        IFP_SYS(rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof(mask));
        look_unless(mask);
        IFP_SYS(rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
        __atomic_store_n(&looking, 0, __ATOMIC_RELEASE);
}

void ifp_allocator_look(void)
{
        if (ifp_ticks() < __atomic_load_n(&next_ticks, __ATOMIC_RELAXED) || ifp_tls.busy ||
            !ifp_seg || ifp_off || !ifp_alive())
                return;
        look_alone();
}

/* What takes long is asked when it is time, also at the exit. */
void ifp_allocator_last(void)
{
        if (ifp_tls.busy || !ifp_seg || ifp_off || !ifp_alive() ||
            ifp_seg->header.pid != (int32_t)IFP_SYS(getpid))
                return;
        if (last_cost < ifp_seg->header.ticks_per_second / 1000 || ifp_ticks() >= next_ticks)
                look_alone();
}
