/* SPDX-License-Identifier: MIT */
/*
 * What the shim's modules know of each other. All of it is compiled to use
 * general registers only; what runs between a stub's entry and the kernel
 * (span.c, fold.c, the hooks of engines) makes no call out of the shim except
 * through ifp_call_saved.
 */
#pragma once

#include <infprof/segment.h>

#include <errno.h>

#include "preload/sys.h"

#pragma GCC visibility push(hidden)

#define IFP_MAX_STUBS 8192u

#define IFP_LIKELY(x)   __builtin_expect(!!(x), 1)
#define IFP_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define IFP_EXPORT      __attribute__((visibility("default")))

/* ---- per thread -------------------------------------------------------- */

/* Plain data, initial-exec: no allocation, no constructor, no __tls_get_addr. */
struct ifp_tls {
        struct ifp_lane *lane; /* NULL: none yet */
        struct ifp_lane *fast; /* the same while nothing is out of the ordinary; else NULL */
        uint64_t stack_lo;     /* of the thread's own stack; 0, 0 = not known */
        uint64_t stack_hi;
        uint64_t paired_end;   /* of the paired span: the last mark that may be its end; 0 = none */
        uint64_t paired_child; /* its children up to then */
        const void *paired_of; /* what it is a span of, for the engine */
        uint64_t call_ctx;     /* engine-llama: context of the llama_decode under way */
        uint32_t paired;       /* offset of its open entry; 0 = none */
        uint32_t seed;         /* of the random gaps */
        uint16_t busy;         /* inside the shim: record nothing */
        uint16_t dl_depth;     /* nested dlopen, dlclose */
        uint16_t n_aside;      /* open entries set aside on other stacks */
        uint8_t counted;       /* in live.threads_live */
        uint8_t crowd;         /* lane is the crowd's: shared, atomic, untimed */
        uint8_t exit_round;
        uint8_t uneven;       /* open entries do not lie one on the other */
        uint64_t random;      /* of the samples' gaps */
        uint64_t sampling_sp; /* frame of the sample being taken; 0 = none */
        uint64_t *unwind;     /* libunwind's own two words for this thread */
        uint16_t lane_number; /* index of lane */
        uint8_t decodes;      /* made the last token of some sequence: the ledger's thread */
        uint8_t n_waiting;    /* waits under way, one in the other (wait.c) */
        uint32_t watch_left;  /* calls of the allocator until one is timed */
        uint32_t site;        /* where this thread was spawned, index + 1; 0 = not known */
        uint16_t n_threads;   /* engine-ggml: that compute the graph, this one included */
        uint16_t node_op;     /* engine-ggml: of the node begun last; 0: it computes nothing */
        uint64_t born;        /* ticks; when it was asked for */
        uint64_t stub;        /* engine-openmp: the one that its stand-in was called by */
};

/* The .S file knows these offsets. */
_Static_assert(offsetof(struct ifp_tls, fast) == 8 && offsetof(struct ifp_tls, stack_lo) == 16 &&
                       offsetof(struct ifp_tls, stack_hi) == 24 &&
                       offsetof(struct ifp_tls, busy) == 72 &&
                       offsetof(struct ifp_tls, crowd) == 79 &&
                       offsetof(struct ifp_tls, stub) == 136,
               "TLS_* in stub-x86_64.S, hook-x86_64.S");

extern __thread struct ifp_tls ifp_tls __attribute__((tls_model("initial-exec")));

_Static_assert(offsetof(struct ifp_lane, writer.head) == 64 &&
                       offsetof(struct ifp_lane, top) == 112 &&
                       offsetof(struct ifp_lane, writer.next) == 72 &&
                       offsetof(struct ifp_lane, writer.limit) == 76 &&
                       offsetof(struct ifp_lane, writer.lap) == 80 &&
                       offsetof(struct ifp_lane, writer.claim) == 88 &&
                       offsetof(struct ifp_lane, open) == 192 &&
                       offsetof(struct ifp_lane, ring) == 1052672 && IFP_RING_SLOTS == 1 << 14,
               "LANE_* in stub-x86_64.S");
_Static_assert(offsetof(struct ifp_open, child) == 16 && offsetof(struct ifp_open, row) == 24 &&
                       offsetof(struct ifp_open, state) == 30 &&
                       offsetof(struct ifp_open, op) == 32 && IFP_MAX_OPEN == 256,
               "OPEN_* in stub-x86_64.S");

static inline struct ifp_open *ifp_open_at(struct ifp_lane *lane, uint64_t offset)
{
        return (struct ifp_open *)((uintptr_t)lane->open + offset);
}

static inline uint64_t ifp_open_offset(const struct ifp_lane *lane, const struct ifp_open *o)
{
        return (uintptr_t)o - (uintptr_t)lane->open;
}

/* The offset of the op around it; 0: none. */
static inline uint64_t ifp_open_prev(const struct ifp_lane *lane, const struct ifp_open *o)
{
        return ifp_open_offset(lane, o) - (uint64_t)(int64_t)(1 + o->skip) * sizeof(*o);
}

static inline uint32_t ifp_open_op(const struct ifp_open *o)
{
        return (uint32_t)(o->op >> 48);
}

/* ---- stubs -------------------------------------------------------------- */

struct ifp_hook;

/* The .S file knows these offsets. */
struct ifp_stub {
        void *target;         /* 0 */
        const uint8_t *sw;    /* 8: the op's switch; before the first call, a byte that is 1 */
        uint32_t row;         /* 16: offset in the lane of time[op][0] */
        uint32_t hot_left;    /* 20: hot op: offset in the lane of hot_left[op]; else 0 */
        uint16_t op;          /* 24: 0 before the first call */
        uint16_t stack_bytes; /* 26: of outgoing stack arguments to copy, multiple of 8 */
        uint8_t kind;         /* 28 */
        uint8_t hot;          /* 29 */
        uint16_t engine;      /* 30: index + 1 in the table of engines; 0 = the user's */
        const struct ifp_hook *hook; /* 32 */
        const char *name;            /* 40: of the symbol; lives in the kernel's object */
        uint32_t object;             /* 48: index of the segment's object table */
        uint32_t load;               /* 52: of the kernel's object; 0 = stub is free */
        uint64_t plain_op; /* 56: op << 48 where neither hook nor gaps are needed; else 0 */
};
_Static_assert(sizeof(struct ifp_stub) == 64 && offsetof(struct ifp_stub, stack_bytes) == 26 &&
                       offsetof(struct ifp_stub, plain_op) == 56,
               "STUB_* in stub-x86_64.S");

extern struct ifp_stub ifp_stubs[IFP_MAX_STUBS];
extern void *ifp_stub_real[IFP_MAX_STUBS]; /* the kernel, where target is a stand-in; else NULL */

/* The registers and stack arguments a kernel was called with. */
struct ifp_args {
        uint64_t r10, rax, r9, r8, rcx, rdx, rsi, rdi; /* as saved by the stub, upwards */
};

/* What an engine adds to a stub. Runs with the engine's vector registers live. */
struct ifp_hook {
        bool names;    /* enter gives each call its op: the stub needs none of its own */
        void *instead; /* called in place of the kernel, which is in ifp_stub_real; then no more */
        bool tokens;   /* tells of tokens: nobody else need do that */
        bool rare;     /* needed only where tls.fast is NULL; else the op is an ordinary one */
        /*
         * Opens the call's span (ifp_open_push, or ifp_hook_push for the stub's
         * own op) and returns it; NULL: it has none, pass through. The stub
         * stamps its start. `sp` is the stub's frame: stack arguments begin at
         * sp + 16.
         */
        struct ifp_open *(*enter)(struct ifp_tls *tls, struct ifp_stub *stub,
                                  const struct ifp_args *args, uint64_t sp);
        /* After the kernel; false: the hook has seen to the open entry itself. */
        bool (*leave)(struct ifp_tls *tls, struct ifp_stub *stub, struct ifp_open *o, uint64_t end,
                      uint64_t rax);
};

/* Entry of stub `i` (stub-*.S). */
extern const char ifp_stub_table[];
#define IFP_STUB_CODE_BYTES 16u
static inline void *ifp_stub_entry(uint32_t i)
{
        return (void *)(uintptr_t)(ifp_stub_table + (uint64_t)i * IFP_STUB_CODE_BYTES);
}

/* The kernel whose stub begins at `address`; NULL: none does. */
static inline void *ifp_stub_target(const void *address)
{
        uint64_t at = (uint64_t)((const char *)address - ifp_stub_table);

        if (at >= IFP_MAX_STUBS * IFP_STUB_CODE_BYTES || at % IFP_STUB_CODE_BYTES)
                return NULL;
        at /= IFP_STUB_CODE_BYTES;
        return ifp_stub_real[at] ? ifp_stub_real[at] : ifp_stubs[at].target;
}

/* Calls fn(arg) with all vector state kept (stub-*.S). */
uint64_t ifp_call_saved(uint64_t (*fn)(void *arg), void *arg);
/* Calls fn(a, b, c) so that it sees `ret_gadget`, the address of a ret instruction, as its caller.
 */
void *ifp_call_as(void *fn, const void *a, uint64_t b, const void *c, const void *ret_gadget);

/* Can the page of an address be read? One asks the kernel, which reads its argument before it finds
 * that -1 is nothing to do; *known is a page that could be. */
static inline bool ifp_page_readable(uint64_t *known, uint64_t at)
{
        uint64_t page = at & ~4095ull;

        if (IFP_LIKELY(page == *known))
                return true;
        if (IFP_SYS(rt_sigprocmask, -1, page, NULL, 8) == -EFAULT)
                return false;
        *known = page;
        return true;
}

extern bool ifp_tokens_elsewhere; /* a kernel whose hook tells of tokens was loaded */

/* From the stubs (span.c). */
uint64_t ifp_readable(uint64_t from, uint64_t n);
struct ifp_open *ifp_enter(struct ifp_stub *stub, uint64_t sp, const struct ifp_args *args);
void ifp_leave(struct ifp_stub *stub, uint64_t rax, uint64_t sp, uint64_t end);
void ifp_full(struct ifp_lane *lane, const struct ifp_record *record);
void ifp_full_fold(struct ifp_lane *lane, const struct ifp_record *record); /* it was full */

/* stubs.c: false = none left. Entries of an ended load come back by stubs_release. */
bool ifp_stub_new(uint32_t *ret_index);
void ifp_stubs_release(uint32_t load);
void ifp_stubs_after_fork(void);

/* ---- the process -------------------------------------------------------- */

extern struct ifp_segment *ifp_seg; /* NULL: none (yet, or switched off) */
extern uint8_t ifp_wipe[4096];      /* [0] is 1; the kernel clears it in a fork child */
extern uint32_t ifp_phase;          /* the process's phase, as in live.phase */
/* The same for the stubs: as an offset of rows, as ifp_open.row to .phase, as ifp_open.child. */
extern uint32_t ifp_phase_row;
extern uint64_t ifp_phase_open, ifp_phase_child;
extern bool ifp_off; /* switched off for good */

static inline bool ifp_alive(void)
{
        return *(volatile uint8_t *)ifp_wipe != 0;
}

/* The lane that all threads without one share: atomic additions, nothing timed. */
static inline struct ifp_lane *ifp_crowd(void)
{
        return &ifp_seg->lanes[ifp_seg->header.n_lanes - 1];
}

/* The kernel's view of this process (kernel.h), one element a lane; NULL: none. */
struct ifp_kernel_lane;
extern const struct ifp_kernel_lane *ifp_kernel;

struct ifp_config {
        const char *kernels;     /* INFPROF_KERNELS */
        const char *ops;         /* INFPROF_OPS */
        const char *daemon;      /* INFPROF_DAEMON: auto, off or a path */
        const char *run;         /* INFPROF_RUN */
        const char *runtime_dir; /* XDG_RUNTIME_DIR */
        uint32_t level;          /* INFPROF_KERNELS_LEVEL: 0 outer, 1 inner */
        uint32_t hot_interval;   /* INFPROF_HOT_INTERVAL */
        uint64_t heap_interval;  /* INFPROF_HEAP_INTERVAL */
        uint32_t header_flags;   /* INFPROF_SHAPES, INFPROF_WAITS, INFPROF_KERNEL, _OFFCPU */
        bool no_unwind;          /* INFPROF_UNWIND=off: as if libunwind were missing; for tests */
        bool quiet;
        char **env;  /* as main gets it; libc has none of its own yet */
        bool paired; /* INFPROF_GGML_PAIRED: as if per-op functions were static; for tests */
};
extern struct ifp_config ifp_config;

/* init.c: says it once on stderr, switches the shim off. */
void ifp_give_up(const char *what, long error);
void ifp_say(const char *what, long error); /* a line on stderr, nothing else */
void ifp_say_of(const char *what, const char *thing, long error);

/* segment.c */
int ifp_segment_open(
        const struct ifp_segment *parent); /* sets ifp_seg; parent: tables to inherit, or NULL */
uint32_t ifp_name(const char *s);          /* offset in names; 0 = full or empty */
uint32_t ifp_op(const char *name, const char *kernel, const char *library, enum ifp_kind kind,
                bool hot, uint32_t engine);
uint32_t ifp_object_add(const char *path, uint64_t base, uint64_t start, uint64_t end,
                        uint32_t load);
void ifp_object_close(uint32_t index);
uint32_t ifp_pattern_add(const char *text);
void ifp_phase_set(uint32_t phase);
void ifp_tables_after_fork(void);
void ifp_first_record(void); /* a fork child's segment, or nothing */

/* handshake.c */
void ifp_handshake(int memfd, uint64_t bytes);

int ifp_segment_fd(void); /* -1: none */

/* init.c, hook-process.c */
void ifp_start_lane(void); /* of the first thread */
void ifp_note_exit(int code);

/* measure.c: what a timed call costs here; sets header.stamp_ticks and span_ticks */
void ifp_measure(void);
extern uint64_t ifp_stamp; /* header.stamp_ticks */

/* lane.c */
/* A lane for this thread; never NULL where a segment is. */
struct ifp_lane *ifp_lane_take(struct ifp_tls *tls);
struct ifp_lane *ifp_lane_begin(struct ifp_tls *tls, int tid, int parent_tid, uint32_t site);
void ifp_lane_end(struct ifp_tls *tls);
void ifp_lanes_init(void);
void ifp_thread_key_init(void);
void ifp_thread_key_arm(void);
/* Allocations without a lane; atomic. */
struct ifp_early {
        struct ifp_alloc_row row;
        struct ifp_lane_memory memory;
};
extern struct ifp_early ifp_early;

/* Adds to a word of a lane: `shared` where it is the crowd's. */
static inline void ifp_lane_add(uint64_t *p, uint64_t v, bool shared)
{
        if (IFP_UNLIKELY(shared))
                __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
        else
                ifp_local_add(p, v);
}

/* What stands there now; a handler may change it between two looks. */
static inline uint64_t ifp_word(const uint64_t *p)
{
        return *(const volatile uint64_t *)p;
}

/* Live bytes of a thread that live_bytes does not have yet. */
static inline int64_t ifp_pending(const struct ifp_lane_memory *m)
{
        return (int64_t)(ifp_word(&m->alloc_usable) - ifp_word(&m->freed_usable)) -
               (int64_t)ifp_word((const uint64_t *)&m->flushed_bytes);
}

/* hook-alloc.c */
uint32_t ifp_op_here(struct ifp_tls *tls, uint64_t sp); /* the op open on this thread's lane */
void ifp_sample_next(struct ifp_tls *tls, struct ifp_lane_memory *m);
void ifp_memory_flush(struct ifp_lane_memory *m);
int64_t ifp_live_now(void);      /* of all threads, to the byte */
extern int64_t ifp_live_at_fork; /* what a child begins with; 0: not known */

/* span.c, for engines: one span that is already over, not from a stub */
void ifp_span_write(struct ifp_lane *lane, uint32_t op, uint32_t phase, uint64_t start,
                    uint64_t dur, uint64_t child, uint32_t depth, uint32_t flags, uint32_t arg);
/*
 * The duration of a closed span counts as child of the op around it, if that is still open. The
 * floor always is: its child is the time in outermost ops.
 */
static inline void ifp_child_add(struct ifp_lane *lane, uint64_t start, uint64_t around,
                                 uint64_t dur)
{
        struct ifp_open *p = ifp_open_at(lane, around);

        if (!around || (p->state == IFP_OPEN_SET && p->start <= start))
                ifp_local_add(&p->child, dur & IFP_TICKS_MASK);
}
struct ifp_open *ifp_hook_push(struct ifp_tls *tls, const struct ifp_stub *stub, uint64_t sp);
struct ifp_open *ifp_open_push(struct ifp_tls *tls, struct ifp_lane *lane, uint32_t op,
                               uint32_t phase, uint64_t sp, uint64_t start);
void ifp_open_pop(struct ifp_lane *lane, struct ifp_open *o);
struct ifp_lane *ifp_settle(struct ifp_tls *tls); /* NULL: nothing is recorded */
/* Of one that never returned, or was never ended. */
void ifp_close_left(struct ifp_tls *tls, struct ifp_lane *lane, struct ifp_open *o);
/*
 * A paired span has no call of its own: it begins and ends at marks around
 * it, and the mark that ends it is known only at the next begin. Marks are set in
 * tls (paired_end, paired_child); ifp_paired_finish writes it.
 */
void ifp_paired_begin(struct ifp_tls *tls, struct ifp_lane *lane, struct ifp_open *o,
                      uint64_t start); /* of an entry that was open otherwise */
struct ifp_open *ifp_paired_take(struct ifp_tls *tls, struct ifp_lane *lane, uint64_t sp);
void ifp_paired_finish(struct ifp_tls *tls, struct ifp_lane *lane);
void ifp_fast_again(struct ifp_tls *tls); /* tls.fast is set if nothing speaks against it */
void ifp_prune(struct ifp_tls *tls, struct ifp_lane *lane, uint64_t sp, bool all);

/* fold.c: adds a value to the histogram that *slot names (index + 1 in the pool), which is taken
 * now if there is none. `shared`: several threads do so at once. */
void ifp_fold(uint32_t *slot, uint64_t value, bool shared);
/* ledger.c */
void ifp_ledger_op(uint32_t op, enum ifp_kind kind); /* a new op */
/* The thread that decodes waited for the thread that has this lane. */
void ifp_ledger_waited(uint32_t lane, uint64_t ticks);
/* A decode step is over that made `n` tokens; 0: another call, from whose end the next step counts.
 */
void ifp_ledger_note(struct ifp_tls *tls, uint32_t n, uint64_t now, uint64_t allocs,
                     uint64_t alloc_bytes);
void ifp_ledger_after_fork(void);

/* What the thread is about: enum ifp_state by its innermost open op. */
static inline uint32_t ifp_state_of_kind(uint32_t kind)
{
        switch (kind) {
        case IFP_KIND_CALL:
        case IFP_KIND_MARKER: /* what its own time is spent with nobody tells */
                return IFP_STATE_CALL;
        case IFP_KIND_GRAPH:
                return IFP_STATE_GRAPH;
        case IFP_KIND_WAIT:
                return IFP_STATE_WAIT;
        default:
                return IFP_STATE_COMPUTE;
        }
}

static inline uint32_t ifp_state_here(const struct ifp_lane *lane)
{
        uint64_t top = lane->top;

        if (!top)
                return IFP_STATE_NONE;
        return ifp_state_of_kind(
                ifp_seg->ops[ifp_open_op(ifp_open_at((struct ifp_lane *)lane, top)) % IFP_MAX_OPS]
                        .kind);
}

/* Errno is the engine's: what the shim calls must not change it. */
#define IFP_KEEP_ERRNO                                                                             \
        __attribute__((cleanup(ifp_errno_restore), unused)) int ifp_saved_errno = errno
#define IFP_BUSY                                                                                   \
        __attribute__((cleanup(ifp_busy_leave), unused)) uint16_t ifp_saved_busy = ifp_tls.busy++

static inline void ifp_busy_leave(const uint16_t *saved)
{
        ifp_tls.busy = *saved;
}
static inline void ifp_errno_restore(const int *saved)
{
        errno = *saved;
}

#pragma GCC visibility pop
