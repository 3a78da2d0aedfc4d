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

static void *trampoline(void *arg)
{
        struct ifp_tls *tls = &ifp_tls;
        struct start start;

        tls->busy++;
        start = *(struct start *)arg;
        ifp_real.free(arg);
        tls->stack_hi = (uint64_t)(uintptr_t)__builtin_frame_address(0);
        tls->stack_lo = tls->stack_hi - start.stack_bytes;
        tls->counted = 1;
        if (ifp_seg && ifp_alive() && !ifp_off)
                ifp_lane_take(tls, start.parent_tid, start.site);
        tls->busy--;
        return start.fn(start.arg);
}

static uint64_t stack_bytes(const pthread_attr_t *attr)
{
        size_t bytes = 0;

        if (attr && !pthread_attr_getstacksize(attr, &bytes) && bytes)
                return bytes;
        return 8u << 20;
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
                                .stack_bytes = stack_bytes(attr),
                                .parent_tid = (int)IFP_SYS(gettid),
                                .site = ifp_site((uint64_t)(uintptr_t)__builtin_return_address(0))};
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
