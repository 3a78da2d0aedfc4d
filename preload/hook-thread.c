/* SPDX-License-Identifier: MIT */
/*
 * pthread_create: who asks for threads, how many there are, and where each
 * one's stack begins. The new thread starts here, takes its lane, and runs what
 * it was meant to run; its end is seen by lane.c.
 */
#include "preload/real.h"

struct start {
        void *(*fn)(void *);
        void *arg;
        uint64_t stack_lo; /* the engine's own, or 0 */
        uint64_t stack_bytes;
        int parent_tid;
        uint32_t site;
};

/* Its end is counted by ifp_lane_end. */
static void thread_began(void)
{
        uint64_t now = __atomic_add_fetch(&ifp_seg->live.threads_live, 1, __ATOMIC_RELAXED);
        uint64_t peak = __atomic_load_n(&ifp_seg->live.threads_peak, __ATOMIC_RELAXED);

        while (now > peak && !__atomic_compare_exchange_n(&ifp_seg->live.threads_peak, &peak, now,
                                                          true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                ;
}

/*
 * glibc puts its own part of a thread at the end of the mapped stack, and no
 * more than a page of it behind pthread_self. Nothing below that mapping may be taken for
 * ours: what lies there is somebody else's, another stack perhaps.
 */
static void note_stack(struct ifp_tls *tls, const struct start *start)
{
        uint64_t end = ((uint64_t)pthread_self() + 4095) & ~4095ull;

        tls->stack_hi = (uint64_t)(uintptr_t)__builtin_frame_address(0);
        tls->stack_lo = start->stack_lo ? start->stack_lo : end - start->stack_bytes;
}

static void *trampoline(void *arg)
{
        struct ifp_tls *tls = &ifp_tls;
        struct start start;

        tls->busy++;
        start = *(struct start *)arg;
        ifp_real.free(arg);
        note_stack(tls, &start);
        tls->counted = 1;
        if (ifp_seg && ifp_alive() && !ifp_off) {
                if (!tls->lane)
                        ifp_lane_take(tls, start.parent_tid, start.site);
                else if (!tls->crowd) /* a handler was here before us */
                        tls->lane->parent_tid = start.parent_tid, tls->lane->site = start.site;
        }
        tls->busy--;
        return start.fn(start.arg);
}

/* What the thread gets: the engine's own stack, or one of this size. */
static void read_stack(struct start *start, const pthread_attr_t *attr)
{
        pthread_attr_t none;
        size_t bytes = 0;
        void *lo = NULL;

        if (!attr) {
                pthread_attr_init(&none);
                attr = &none;
        }
        pthread_attr_getstacksize(attr, &bytes);
        start->stack_bytes = bytes;
        pthread_attr_getstack(attr, &lo, &bytes);
        if (lo && (uint64_t)(uintptr_t)lo + bytes) /* it says minus bytes where there is none */
                start->stack_lo = (uint64_t)(uintptr_t)lo;
}

IFP_EXPORT int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attr,
                              void *(*fn)(void *), void *restrict arg)
{
        struct ifp_tls *tls = &ifp_tls;
        uint16_t busy = tls->busy;
        struct start *start;
        int ret;

        ifp_real_init();
        if (ifp_config.daemon && !ifp_alive())
                ifp_first_record();
        if (!ifp_seg || !ifp_alive() || ifp_off || busy)
                return ifp_real.pthread_create(thread, attr, fn, arg);
        tls->busy = 1;
        start = ifp_real.malloc(sizeof(*start));
        if (!start) {
                tls->busy = busy;
                return ifp_real.pthread_create(thread, attr, fn, arg);
        }
        *start = (struct start){.fn = fn,
                                .arg = arg,
                                .parent_tid = (int)IFP_SYS(gettid),
                                .site = ifp_site((uint64_t)(uintptr_t)__builtin_return_address(0))};
        read_stack(start, attr);
        thread_began();
        tls->busy = busy; /* what the creation itself allocates is the engine's doing */
        ret = ifp_real.pthread_create(thread, attr, trampoline, start);
        if (ret) {
                tls->busy = 1;
                __atomic_fetch_sub(&ifp_seg->live.threads_live, 1, __ATOMIC_RELAXED);
                if (start->site)
                        __atomic_fetch_sub(&ifp_seg->sites[start->site - 1].count, 1,
                                           __ATOMIC_RELAXED);
                ifp_real.free(start);
                tls->busy = busy;
        } else {
                __atomic_fetch_add(&ifp_seg->live.spawns, 1, __ATOMIC_RELAXED);
        }
        return ret;
}
