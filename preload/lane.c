/* SPDX-License-Identifier: MIT */
/*
 * Lanes: which thread writes where. A thread takes a lane when it starts, or
 * at its first event, and gives it up when it ends. Lanes are taken again once
 * the daemon has read them; while it has not, fresh ones are taken, and only
 * when there are none left, unread ones (counts stay exact, but are not told
 * apart by thread any more). The last lane is the crowd's: for threads that
 * find nothing at all, and for what a thread still does after its end.
 */
#include "preload/alloc-time.h"
#include "preload/wait.h"

#include <limits.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

struct ifp_early ifp_early;

static uint32_t lock;
static uint16_t ended[IFP_MAX_LANES]; /* queue of lanes given up */
static uint32_t ended_from, ended_n;
static uint16_t ready[IFP_MAX_LANES]; /* stack of those the daemon has read */
static uint32_t ready_n;
static pthread_key_t key;
static bool have_key;

static void push_ended(uint32_t index)
{
        ended[(ended_from + ended_n++) % IFP_MAX_LANES] = (uint16_t)index;
}

static uint16_t pop_ended(void)
{
        uint16_t index = ended[ended_from];

        ended_from = (ended_from + 1) % IFP_MAX_LANES;
        ended_n--;
        return index;
}

/* Lanes that the daemon has read, of those given up longest ago. */
static void collect_read(void)
{
        while (ended_n && __atomic_load_n(&ifp_seg->lanes[ended[ended_from]].state,
                                          __ATOMIC_ACQUIRE) == IFP_LANE_FREE)
                ready[ready_n++] = pop_ended();
}

/* The lane used last of those that are read: few are in use, and few pages. */
static struct ifp_lane *pick(void)
{
        struct ifp_live *live = &ifp_seg->live;

        collect_read();
        if (ready_n)
                return &ifp_seg->lanes[ready[--ready_n]];
        if (live->n_lanes_used < ifp_seg->header.n_lanes - 1) {
                __atomic_store_n(&live->n_lanes_used, live->n_lanes_used + 1, __ATOMIC_RELEASE);
                return &ifp_seg->lanes[live->n_lanes_used - 1];
        }
        if (!ended_n)
                return NULL;
        __atomic_fetch_add(&live->lanes_retaken, 1, __ATOMIC_RELAXED);
        return &ifp_seg->lanes[pop_ended()];
}

static struct ifp_lane *join_crowd(struct ifp_tls *tls)
{
        tls->crowd = 1;
        tls->fast = NULL;
        ifp_unwind_end(tls);
        tls->lane = ifp_crowd();
        return tls->lane;
}

struct ifp_lane *ifp_lane_begin(struct ifp_tls *tls, int tid, int parent_tid, uint32_t site)
{
        struct ifp_lane *lane;

        if (tls->exit_round)
                return join_crowd(tls);
        ifp_lock(&lock);
        lane = pick();
        if (!lane) {
                ifp_unlock(&lock);
                ifp_who_forget();
                return join_crowd(tls);
        }
        lane->gen++;
        lane->tid = tid;
        lane->parent_tid = parent_tid;
        lane->site = site;
        lane->flags = 0;
        lane->start_ticks = ifp_ticks();
        lane->end_ticks = 0;
        lane->waits.thread = (uint32_t)((uint64_t)pthread_self() >> 6);
        lane->name[0] = '\0';
        lane->top = 0;
        lane->open[0].sp = ~0ull; /* the floor */
        __atomic_store_n(&lane->state, IFP_LANE_LIVE, __ATOMIC_RELEASE);
        ifp_unlock(&lock);
        tls->n_aside = 0;
        tls->uneven = 0;
        tls->paired = 0;
        if (!lane->memory.sample_at)
                ifp_sample_next(tls, &lane->memory);
        lane->waits.in_alloc = 0;
        ifp_watch_next(tls);
        tls->lane_number = (uint16_t)(lane - ifp_seg->lanes);
        tls->lane = tls->fast = lane;
        ifp_waits_lane(tls);
        if (ifp_waits_on)
                ifp_who_add(tls);
        ifp_thread_key_arm();
        return lane;
}

struct ifp_lane *ifp_lane_take(struct ifp_tls *tls)
{
        return ifp_lane_begin(tls, (int)IFP_SYS(gettid), 0, 0);
}

static uint64_t cpu_ns(void)
{
        struct timespec t = {0};

        IFP_SYS(clock_gettime, CLOCK_THREAD_CPUTIME_ID, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#define BRIEF 10000u /* of a second: asking costs a hundredth of a thread's own cost */

/* What the kernel says of a thread; of one that lived for a moment only it is not asked. */
static void note_usage(struct ifp_lane_waits *w, uint64_t lived)
{
        struct rusage usage = {0};

        if (!ifp_waits_on || lived < ifp_seg->header.ticks_per_second / BRIEF ||
            ifp_sys_failed(IFP_SYS(getrusage, RUSAGE_THREAD, &usage)))
                return;
        w->voluntary += (uint64_t)usage.ru_nvcsw;
        w->involuntary += (uint64_t)usage.ru_nivcsw;
        w->minor_faults += (uint64_t)usage.ru_minflt;
        w->major_faults += (uint64_t)usage.ru_majflt;
}

void ifp_lane_end(struct ifp_tls *tls)
{
        struct ifp_lane *lane = tls->lane;
        uint64_t now, cpu;

        if (!ifp_seg || !ifp_alive())
                return;
        if (tls->counted)
                __atomic_fetch_sub(&ifp_seg->live.threads_live, 1, __ATOMIC_RELAXED);
        tls->counted = 0;
        if (!lane)
                return;
        if (!tls->crowd)
                ifp_waits_prune(tls, 0, true);
        cpu = cpu_ns();
        now = ifp_ticks();
        if (tls->site)
                ifp_site_ended(tls->site, now - tls->born, cpu);
        tls->site = 0;
        if (tls->crowd)
                return;
        ifp_prune(tls, lane, 0, true);
        IFP_SYS(prctl, PR_GET_NAME, lane->name, 0, 0, 0);
        note_usage(&lane->waits, now - lane->start_ticks);
        if (ifp_waits_on)
                ifp_who_drop(tls);
        lane->cpu_ns = cpu;
        lane->end_ticks = now;
        ifp_local_add(&lane->waits.lived_ticks, lane->end_ticks - lane->start_ticks);
        join_crowd(tls);
        ifp_lock(&lock);
        ifp_memory_flush(&lane->memory);
        __atomic_store_n(&lane->state, IFP_LANE_ENDED, __ATOMIC_RELEASE);
        push_ended((uint32_t)(lane - ifp_seg->lanes));
        ifp_unlock(&lock);
}

/* A fork child: its segment is new, and so are its lanes. */
void ifp_lanes_init(void)
{
        lock = 0;
        ended_from = ended_n = ready_n = 0;
}

/*
 * The end of a thread is seen by the destructor of a key. Other destructors may
 * still run kernels or free memory, so ours asks for all the rounds there are
 * and acts in the last.
 */
static void thread_ends(void *arg)
{
        struct ifp_tls *tls = &ifp_tls;
        uint16_t busy = tls->busy++;

        tls->fast = NULL; /* setspecific may allocate */
        if (++tls->exit_round < PTHREAD_DESTRUCTOR_ITERATIONS - 1)
                pthread_setspecific(key, arg);
        else
                ifp_lane_end(tls);
        ifp_fast_again(tls);
        tls->busy = busy;
}

void ifp_thread_key_init(void)
{
        have_key = pthread_key_create(&key, thread_ends) == 0;
}

void ifp_thread_key_arm(void)
{
        uint16_t busy = ifp_tls.busy++;

        ifp_tls.fast = NULL; /* it may allocate */
        if (have_key)
                pthread_setspecific(key, (void *)1);
        ifp_fast_again(&ifp_tls);
        ifp_tls.busy = busy;
}
