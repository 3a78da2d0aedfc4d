/* SPDX-License-Identifier: MIT */
/*
 * Memory that the engine takes from the system itself: mmap, mremap, munmap, sbrk and brk, counted
 * in the row of the op that is open. What an allocator or libc takes is not the engine's: it comes
 * again as malloc; such a call is known by the object that its caller lies in.
 *
 * The shim itself never comes here (it uses IFP_SYS). Calls that come before the functions behind
 * are known (an allocator's first, from the loader's first malloc) go to the kernel directly.
 * Counted even so: what came before there was a segment waits for it, with its caller.
 */
#undef _FILE_OFFSET_BITS /* mmap and mmap64 are two names here */

#include "preload/own.h"
#include "preload/real.h"

#include <stdarg.h>
#include <sys/mman.h>

#define MAX_EARLY 64u

/* What one call did. */
struct map_step {
        const void *caller;
        uint64_t maps, mapped, unmaps, unmapped, failed;
};

static struct map_step early[MAX_EARLY];
static uint32_t n_early;

static void count_live(const struct map_step *s)
{
        struct ifp_live *live = &ifp_seg->live;

        __atomic_fetch_add(&live->unmaps, s->unmaps, __ATOMIC_RELAXED);
        __atomic_fetch_add(&live->unmapped_bytes, s->unmapped, __ATOMIC_RELAXED);
        __atomic_fetch_add(&live->maps_failed, s->failed, __ATOMIC_RELAXED);
}

static void count_lane(struct ifp_tls *tls, struct ifp_lane *lane, const struct map_step *s)
{
        uint32_t op = ifp_op_here(tls, (uint64_t)(uintptr_t)__builtin_frame_address(0));
        struct ifp_alloc_row *row = &lane->alloc[op][ifp_phase];

        ifp_lane_add(&row->maps, s->maps, tls->crowd);
        ifp_lane_add(&row->mapped_bytes, s->mapped, tls->crowd);
}

/* A fork child that does nothing else gets no segment for it. */
static void count_early(const struct map_step *s)
{
        uint32_t i = __atomic_fetch_add(&n_early, 1, __ATOMIC_RELAXED);

        if (i < MAX_EARLY)
                early[i] = *s;
}

static __attribute__((noinline)) void count(const struct map_step *s)
{
        struct ifp_tls *tls = &ifp_tls;
        IFP_KEEP_ERRNO;

        if (tls->busy)
                return;
        if (!ifp_seg || !ifp_alive()) {
                count_early(s);
                return;
        }
        if (ifp_off || ifp_own_backs_heap(s->caller))
                return;
        if (!tls->lane) {
                tls->busy++;
                ifp_lane_take(tls);
                tls->busy--;
        }
        if (s->maps)
                count_lane(tls, tls->lane, s);
        else
                count_live(s);
}

void ifp_map_begin(void)
{
        uint32_t n = n_early < MAX_EARLY ? n_early : MAX_EARLY;

        n_early = 0;
        for (uint32_t i = 0; i < n; i++) {
                if (ifp_own_backs_heap(early[i].caller))
                        continue;
                if (early[i].maps)
                        count_lane(&ifp_tls, ifp_tls.lane, &early[i]);
                else
                        count_live(&early[i]);
        }
}

void ifp_map_after_fork(void)
{
        n_early = 0;
}

/* ---- the family ---------------------------------------------------------------- */

#define CALLER __builtin_return_address(0)

static uint64_t pages(uint64_t bytes)
{
        return (bytes + 4095) & ~4095ull;
}

static void mapped(const void *p, uint64_t bytes, const void *caller)
{
        if (p == MAP_FAILED)
                count(&(struct map_step){.caller = caller, .failed = 1});
        else
                count(&(struct map_step){.caller = caller, .maps = 1, .mapped = bytes});
}

static void unmapped(uint64_t bytes, const void *caller)
{
        count(&(struct map_step){.caller = caller, .unmaps = 1, .unmapped = bytes});
}

/* What libc makes of an answer of the kernel. */
static void *answer(long ret)
{
        if (!ifp_sys_failed(ret))
                return (void *)ret;
        errno = (int)-ret;
        return MAP_FAILED;
}

#define MMAP(name)                                                                                 \
        IFP_EXPORT void *name(void *at, size_t n, int prot, int flags, int fd, off_t offset)       \
        {                                                                                          \
                void *p = ifp_real.name ? ifp_real.name(at, n, prot, flags, fd, offset)            \
                                        : answer(IFP_SYS(mmap, at, n, prot, flags, fd, offset));   \
                                                                                                   \
                mapped(p, pages(n), CALLER);                                                       \
                return p;                                                                          \
        }
MMAP(mmap)
MMAP(mmap64)

/* A mapping that shrinks gives bytes back, and so is nothing new. */
IFP_EXPORT void *mremap(void *old, size_t had, size_t n, int flags, ...)
{
        void *at, *p;
        va_list args;

        va_start(args, flags);
        at = va_arg(args, void *); /* not there with most flags; then nobody looks at it */
        va_end(args);
        p = ifp_real.mremap ? ifp_real.mremap(old, had, n, flags, at)
                            : answer(IFP_SYS(mremap, old, had, n, flags, at));
        had = flags & MREMAP_DONTUNMAP ? 0 : pages(had);
        n = pages(n);
        mapped(p, n > had ? n - had : 0, CALLER);
        if (p != MAP_FAILED && n < had)
                count(&(struct map_step){.caller = CALLER, .unmapped = had - n});
        return p;
}

IFP_EXPORT int munmap(void *p, size_t n)
{
        int ret = ifp_real.munmap ? ifp_real.munmap(p, n)
                                  : (answer(IFP_SYS(munmap, p, n)) == MAP_FAILED ? -1 : 0);

        if (!ret)
                unmapped(pages(n), CALLER);
        return ret;
}

/* The break is libc's own to know, so these wait for libc's functions. */
IFP_EXPORT void *sbrk(intptr_t n)
{
        void *p;

        ifp_real_init();
        if (!ifp_real.sbrk) {
                errno = ENOMEM;
                return (void *)-1;
        }
        p = ifp_real.sbrk(n);
        if (n > 0 || p == (void *)-1)
                mapped(p, (uint64_t)n, CALLER);
        else if (n < 0)
                unmapped((uint64_t)-n, CALLER);
        return p;
}

IFP_EXPORT int brk(void *to)
{
        const char *from;
        int ret;

        ifp_real_init();
        if (!ifp_real.brk || !ifp_real.sbrk) {
                errno = ENOMEM;
                return -1;
        }
        from = ifp_real.sbrk(0);
        ret = ifp_real.brk(to);
        if (ret)
                mapped(MAP_FAILED, 0, CALLER);
        else if ((const char *)to > from)
                mapped(to, (uint64_t)((const char *)to - from), CALLER);
        else if ((const char *)to < from)
                unmapped((uint64_t)(from - (const char *)to), CALLER);
        return ret;
}
