/* SPDX-License-Identifier: MIT */
/*
 * Waits: from the hook that stands in front of a function that may block, to the segment.
 */
#pragma once

#include <threads.h>
#include <time.h>

#include "preload/heap.h"
#include "preload/shim.h"

#pragma GCC visibility push(hidden)

/* A thread, as a wait is blamed on it. */
struct ifp_who {
        uint32_t gen; /* 0: nobody known */
        uint16_t lane;
        uint16_t op; /* that it has open */
};

/* What a hook asks for. */
struct ifp_wait_call {
        uint64_t sp; /* of the hook's frame: its return address stands at sp + 8 */
        uint64_t object;
        struct ifp_who who; /* as far as it is known now */
        uint16_t flags;     /* IFP_WAIT_* */
        uint8_t kind;
        bool one_of_many; /* its address says nothing: the entry is for all of them */
        bool has_op;      /* `op` counts, not what is open; and its time is told by an op's row */
        uint16_t op;
        uint16_t state; /* wait.c's: what came of it */
        uint64_t since;
};

enum ifp_wait_how {
        IFP_WAITED = 0,
        IFP_WAITED_TIMEOUT = 1,
        IFP_WAITED_NOT = 2, /* it was none: refused at once */
};

extern bool ifp_waits_on; /* there is a segment, and waits are wanted */

/* wait.c. Errno stays as it is. Between the two nothing but the call itself. */
void ifp_wait_begin(struct ifp_wait_call *w);
void ifp_wait_end(struct ifp_wait_call *w, enum ifp_wait_how how);
/* The same for hooks of stubs, where vector registers are the engine's. True: it is recorded. */
bool ifp_wait_begin_saved(struct ifp_wait_call *w);
/* The last to arrive at a barrier waits for nobody: counted in its entry. */
void ifp_wait_last(struct ifp_wait_call *w, bool saved);
/* And it has woken the others since then: time at barriers, though no wait. */
void ifp_wait_woke(struct ifp_tls *tls, uint64_t since);
/* Waits whose frames are gone, now that the thread is seen at `sp`; all: the thread ends. */
void ifp_waits_prune(struct ifp_tls *tls, uint64_t sp, bool all);
void ifp_waits_init(void);
/* This thread has a lane now: what was under way there was another's, or its parent process's. */
void ifp_waits_lane(struct ifp_tls *tls);
void ifp_waits_anew(void); /* a fork child gets a segment: what is known of its parent's is void */

/* ifp_wait_begin for a hook's own frame. */
#define IFP_WAIT_CALL(name, kind_, object_, flags_)                                                \
        struct ifp_wait_call name = {.sp = (uint64_t)(uintptr_t)__builtin_frame_address(0),        \
                                     .object = (uint64_t)(uintptr_t)(object_),                     \
                                     .flags = (uint16_t)(flags_),                                  \
                                     .kind = (kind_)}

/* By what the real function returned, where that is an error number. */
static inline enum ifp_wait_how ifp_waited(int error)
{
        if (error == ETIMEDOUT)
                return IFP_WAITED_TIMEOUT;
        return error == EINVAL || error == EDEADLK || error == EPERM || error == ESRCH ||
                               error == EAGAIN
                       ? IFP_WAITED_NOT
                       : IFP_WAITED;
}

/* Where it is -1, and the error in errno. */
static inline enum ifp_wait_how ifp_waited_errno(long ret)
{
        return ret == -1 && (errno == EFAULT || errno == EBADF) ? IFP_WAITED_NOT
               : ret == -1                                      ? ifp_waited(errno)
                                                                : IFP_WAITED;
}

/* thrd_timedout and thrd_error are not errors of errno. */
static inline enum ifp_wait_how ifp_waited_c11(int ret)
{
        return ret == thrd_timedout ? IFP_WAITED_TIMEOUT
               : ret == thrd_error  ? IFP_WAITED_NOT
                                    : IFP_WAITED;
}

/* What libc would refuse before it looks at anything else. */
static inline bool ifp_valid_time(const struct timespec *t)
{
        return t->tv_nsec >= 0 && t->tv_nsec < 1000000000;
}

static inline bool ifp_valid_clock(clockid_t clock)
{
        return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
}

/* waits.c: the entry for such a wait of this thread; 0: no room. */
uint32_t ifp_wait_entry(const struct ifp_tls *tls, const struct ifp_wait_call *w, uint32_t op,
                        uint32_t phase, uint32_t stack, uint32_t stack_flags);
/* One more that is over. `by_another`: by a thread that the entry's lane is not of. */
void ifp_wait_count(uint32_t entry, uint64_t ticks, const struct ifp_who *who,
                    enum ifp_wait_how how, bool left, bool by_another);

/*
 * known.c: what was asked for at the same place before: by this lane, from the same stack as far as
 * a look at its return addresses tells. `what`: kind, op and phase together. 0: not known.
 */
uint32_t ifp_known(const struct ifp_tls *tls, uint64_t sp, uint64_t object, uint32_t what);
void ifp_know(const struct ifp_tls *tls, uint64_t sp, uint64_t object, uint32_t what,
              const struct ifp_frames *frames, uint32_t value);
void ifp_known_forget(void);

static inline uint32_t ifp_known_what(uint32_t kind, uint32_t op, uint32_t phase)
{
        return op | phase << 16 | kind << 24;
}
#define IFP_KNOWN_SPAWN 64u /* added to enum ifp_spawn_kind, to tell it from enum ifp_wait_kind */

/* who.c */
void ifp_who_add(const struct ifp_tls *tls);    /* this thread has taken its lane */
void ifp_who_drop(const struct ifp_tls *tls);   /* and gives it up */
struct ifp_who ifp_who_tid(int32_t tid);        /* gen 0: none of ours */
struct ifp_who ifp_who_thread(uint64_t thread); /* a pthread_t */
struct ifp_who ifp_who_self(const struct ifp_tls *tls);
/* Who wakes leaves a note for the object; who was waiting from `since` to `now` looks for it. */
void ifp_who_wakes(const void *object);
struct ifp_who ifp_who_woke(uint64_t object, uint64_t since, uint64_t now);
/* So does a thread that gives its lane up, for who joins it. */
struct ifp_who ifp_who_joined(uint64_t thread, uint64_t since, uint64_t now);
void ifp_who_forget(void); /* this thread has no lane to speak of */
void ifp_who_anew(void);

/* barrier.c: arrivals at barriers, by their address. */
struct ifp_arrival {
        struct ifp_barrier *barrier; /* NULL: not known how many have to come */
        uint64_t episode;
        bool last;
};
void ifp_barrier_known(const void *object, uint32_t n, bool shared); /* initialised */
void ifp_barrier_gone(const void *object);
/* n = 0: as it was initialised. */
struct ifp_arrival ifp_barrier_arrive(const struct ifp_tls *tls, const void *object, uint32_t n,
                                      uint32_t op);
struct ifp_who ifp_barrier_last(const struct ifp_arrival *a);
bool ifp_barrier_shared(const struct ifp_arrival *a);

/* The same for a barrier that is a kernel with an op of kind WAIT, around its call. */
struct ifp_barrier_call {
        const void *object; /* by this its arrivals are counted */
        uint64_t shown;     /* what is told of it */
        uint64_t sp;        /* the stub's frame */
        uint32_t n_threads;
        uint32_t op; /* what its waits are told under */
        bool one_of_many;
};
void ifp_barrier_enter(struct ifp_tls *tls, const struct ifp_barrier_call *c);
void ifp_barrier_leave(struct ifp_tls *tls, uint64_t sp);

/* wait.c: a wait that another thread sees the end of. */
struct ifp_wait_part {
        uint64_t since;
        uint32_t entry;
        uint16_t lane; /* IFP_STACK_SHARED: there is no wait */
        uint8_t state;
};
void ifp_wait_part_begin(struct ifp_tls *tls, const struct ifp_wait_call *w,
                         struct ifp_wait_part *ret);
void ifp_wait_part_end(const struct ifp_wait_part *part, uint64_t now, const struct ifp_who *who);

/* spawn.c: index + 1 of the site for a spawn from here; 0: no room. Does not count it. */
uint32_t ifp_site(struct ifp_tls *tls, uint32_t kind, uint64_t sp);
/* It was made, and the making took so long. */
void ifp_site_made(uint32_t site, uint64_t cost);
void ifp_spawned(uint32_t site, uint64_t cost); /* the same for a thread or process */
/* Around the call that makes it: its time, which is the lane's time in creations. */
struct ifp_creation {
        struct ifp_lane *lane; /* NULL: none of its own */
        uint64_t start;
};
void ifp_creation_begin(struct ifp_creation *c);
uint64_t ifp_creation_end(struct ifp_creation *c); /* ticks */

/* All of it, around the call that makes a process. */
struct ifp_spawn {
        struct ifp_creation creation;
        uint32_t site;
        bool open;
};
void ifp_spawn_begin(struct ifp_spawn *s, uint32_t kind, uint64_t sp);
void ifp_spawn_end(struct ifp_spawn *s, bool made);

uint32_t ifp_site_alive(uint32_t site); /* one more; how many now */
void ifp_site_peak(uint32_t site, uint32_t now);
void ifp_site_ended(uint32_t site, uint64_t life, uint64_t cpu_ns);
void ifp_sites_anew(void);

#pragma GCC visibility pop
