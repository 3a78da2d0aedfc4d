/* SPDX-License-Identifier: MIT */
/*
 * pthread_create and thrd_create: who asks for threads, how many there are, and where each
 * one's stack begins. The new thread starts here, takes its lane, and runs what
 * it was meant to run; its end is seen by lane.c.
 */
#include <threads.h>

#include "preload/real.h"
#include "preload/wait.h"

struct start {
        void *(*fn)(void *);
        thrd_start_t c11; /* or this */
        void *arg;
        uint64_t stack_lo; /* the engine's own, or 0 */
        uint64_t stack_bytes;
        int parent_tid;
        uint32_t site, live_of_site; /* of that site, with this one */
        uint64_t live;               /* of the process */
        uint64_t asked;              /* ticks: its life begins */
        uint32_t used;               /* of those in `starts` */
};

/*
 * From the one thread to the other. Not from malloc where that can be: a thread that does nothing
 * else with it would have libc set its part of the heap up just to free this.
 */
#define N_STARTS 256u
#define PROBES   8u
static struct start starts[N_STARTS];
static uint32_t next_start;

static struct start *start_new(void)
{
        uint32_t from = __atomic_fetch_add(&next_start, 1, __ATOMIC_RELAXED);
        struct start *start;

        for (uint32_t i = 0; i < PROBES; i++) {
                start = &starts[(from + i) % N_STARTS];
                if (!__atomic_exchange_n(&start->used, 1, __ATOMIC_ACQUIRE))
                        return start;
        }
        start = ifp_real.malloc(sizeof(*start));
        if (start)
                start->used = 0;
        return start;
}

static void start_free(struct start *start)
{
        if (start >= starts && start < starts + N_STARTS)
                __atomic_store_n(&start->used, 0, __ATOMIC_RELEASE);
        else
                ifp_real.free(start);
}

/* Its end is counted by ifp_lane_end; where it comes to nothing there was no peak. */
static void count_thread(struct start *start)
{
        start->live = __atomic_add_fetch(&ifp_seg->live.threads_live, 1, __ATOMIC_RELAXED);
        start->live_of_site = ifp_site_alive(start->site);
}

static void thread_peak(uint64_t now)
{
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
static void note_stack(struct ifp_tls *tls, const struct start *start, uint64_t sp)
{
        uint64_t end = ((uint64_t)pthread_self() + 4095) & ~4095ull;

        tls->stack_hi = sp;
        tls->stack_lo = start->stack_lo ? start->stack_lo : end - start->stack_bytes;
}

/*
 * libc notes the owner of a mutex by the number it keeps for the thread anyway: that saves the
 * question, which would be one system call in six that a thread costs because of us.
 */
static int own_tid(void)
{
        pthread_mutex_t probe = PTHREAD_MUTEX_INITIALIZER;

        if (!ifp_real.pthread_mutex_trylock || ifp_real.pthread_mutex_trylock(&probe) ||
            probe.__data.__owner <= 0)
                return (int)IFP_SYS(gettid);
        return probe.__data.__owner;
}

static struct start begin(struct start *arg, uint64_t sp)
{
        struct ifp_tls *tls = &ifp_tls;
        struct start start;

        tls->busy++;
        start = *arg;
        start_free(arg);
        note_stack(tls, &start, sp);
        tls->counted = 1;
        if (ifp_seg && ifp_alive() && !ifp_off) {
                if (!tls->lane)
                        ifp_lane_begin(tls, own_tid(), start.parent_tid, start.site);
                else if (!tls->crowd) /* a handler was here before us */
                        tls->lane->parent_tid = start.parent_tid, tls->lane->site = start.site;
                tls->site = start.site;
                tls->born = start.asked;
        }
        tls->busy--;
        return start;
}

#define FRAME ((uint64_t)(uintptr_t)__builtin_frame_address(0))

static void *trampoline(void *arg)
{
        struct start start = begin(arg, FRAME);

        return start.fn(start.arg);
}

static int trampoline_c11(void *arg)
{
        struct start start = begin(arg, FRAME);

        return start.c11(start.arg);
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

/* NULL: this creation is not ours to see. */
static struct start *prepare(const pthread_attr_t *attr, uint64_t sp)
{
        struct ifp_tls *tls = &ifp_tls;
        struct start *start;

        ifp_real_init();
        if (ifp_config.daemon && !ifp_alive())
                ifp_first_record();
        if (!ifp_seg || !ifp_alive() || ifp_off || tls->busy)
                return NULL;
        tls->busy++;
        start = start_new();
        if (start) {
                *start = (struct start){.used = start->used,
                                        .site = ifp_site(tls, IFP_SPAWN_THREAD, sp)};
                start->parent_tid = tls->crowd ? (int)IFP_SYS(gettid) : tls->lane->tid;
                read_stack(start, attr);
                count_thread(start);
        }
        tls->busy--;
        return start;
}

/* It came to nothing. */
static void undo(struct start *start)
{
        IFP_BUSY;

        __atomic_fetch_sub(&ifp_seg->live.threads_live, 1, __ATOMIC_RELAXED);
        if (start->site)
                __atomic_fetch_sub(&ifp_seg->sites[start->site - 1].live, 1, __ATOMIC_RELAXED);
        start_free(start);
}

/* `start` is a copy: the real one is the new thread's by now. */
static void made(const struct start *start, uint64_t ticks)
{
        ifp_spawned(start->site, ticks);
        ifp_site_peak(start->site, start->live_of_site);
        thread_peak(start->live);
}

/* What the creation itself allocates is the engine's doing: this thread is not busy meanwhile. */
IFP_EXPORT int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attr,
                              void *(*fn)(void *), void *restrict arg)
{
        struct start *start = prepare(attr, FRAME);
        struct start copy;
        struct ifp_creation creation;
        uint64_t ticks;
        int ret;

        if (!start)
                return ifp_real.pthread_create(thread, attr, fn, arg);
        start->fn = fn;
        start->arg = arg;
        copy = *start;
        start->asked = ifp_ticks();
        ifp_creation_begin(&creation);
        ret = ifp_real.pthread_create(thread, attr, trampoline, start);
        ticks = ifp_creation_end(&creation);
        if (ret)
                undo(start);
        else
                made(&copy, ticks);
        return ret;
}

IFP_EXPORT int thrd_create(thrd_t *thread, thrd_start_t fn, void *arg)
{
        struct start copy, *start;
        struct ifp_creation creation;
        uint64_t ticks;
        int ret;

        ifp_real_init();
        if (!ifp_real.thrd_create)
                return thrd_error;
        start = prepare(NULL, FRAME);
        if (!start)
                return ifp_real.thrd_create(thread, fn, arg);
        start->c11 = fn;
        start->arg = arg;
        copy = *start;
        start->asked = ifp_ticks();
        ifp_creation_begin(&creation);
        ret = ifp_real.thrd_create(thread, trampoline_c11, start);
        ticks = ifp_creation_end(&creation);
        if (ret != thrd_success)
                undo(start);
        else
                made(&copy, ticks);
        return ret;
}
