/* SPDX-License-Identifier: MIT */
/*
 * The malloc family, counted: each call goes to the row of the op that is open
 * on the calling thread. No lock; the process's live bytes are brought up to
 * date once a thread has moved 64 KiB.
 *
 * Before the allocator behind us is known (the loader allocates while it looks for it),
 * requests are served from a small arena that is never given back.
 */
#include "preload/alloc-time.h"
#include "preload/allocator.h"
#include "preload/count.h"
#include "preload/heap.h"
#include "preload/real.h"
#include "preload/slots.h"

#define ARENA_BYTES   (256u << 10)
#define PENDING_BYTES (64 << 10)
#define LOOK_BYTES    (1u << 20) /* where nothing is sampled: when to look after the allocator */

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(64)));
static uint64_t arena_used;

static bool in_arena(const void *p)
{
        return (const uint8_t *)p >= arena && (const uint8_t *)p < arena + ARENA_BYTES;
}

/* In the word before a block of the arena: no size that glibc writes there. */
#define ARENA_MARK (~0ull)

/* The block's size stands before that. */
static void *arena_take(size_t align, size_t n)
{
        uint64_t at, end;

        if (align < 16)
                align = 16;
        if (n > ARENA_BYTES || align > 4096)
                return NULL;
        at = __atomic_fetch_add(&arena_used, n + align + 16, __ATOMIC_RELAXED);
        at = (at + 16 + align - 1) & ~(uint64_t)(align - 1);
        end = at + n;
        if (end > ARENA_BYTES)
                return NULL;
        *(uint64_t *)(void *)(arena + at - 16) = n;
        *(uint64_t *)(void *)(arena + at - 8) = ARENA_MARK;
        return arena + at;
}

static size_t arena_size(const void *p)
{
        return *(const uint64_t *)(const void *)((const uint8_t *)p - 16);
}

/* ---- counting ---------------------------------------------------------------- */

/*
 * glibc keeps a block's size, with three flags, in the word before it; asking
 * malloc_usable_size costs more than all the counting. Used only once the
 * engine's own first blocks have shown that the two agree: blocks of ours would
 * leave holes at the bottom of its heap, and one that is mapped would, once freed,
 * move the threshold from which the allocator maps.
 */
static bool chunk_headers, mapped_agree;
static bool arena_for_loader; /* see ifp_alloc_own */
static uint32_t to_agree;     /* so many more blocks must; 0: all have, or it is not to be tried */

static inline uint64_t header_word(const void *p)
{
        return *(const uint64_t *)((uintptr_t)p - 8);
}

/* A block mapped by itself is another 8 bytes short. */
static inline uint64_t header_usable(const void *p)
{
        uint64_t size = header_word(p);

        return (size & ~7ull) - 8 - (size & 2) * 4;
}

static inline uint64_t usable_of(void *p)
{
        return IFP_LIKELY(chunk_headers) ? header_usable(p) : ifp_real.malloc_usable_size(p);
}

/* Of a block that is freed: it may be spoilt, and is not to be asked about while that can be
 * helped. */
static inline uint64_t usable_of_old(void *p)
{
        return IFP_LIKELY(chunk_headers || to_agree) ? header_usable(p)
                                                     : ifp_real.malloc_usable_size(p);
}

/* The first mapped block of the engine's shows whether that is so. */
static __attribute__((noinline)) uint64_t usable_mapped(void *p)
{
        if (ifp_real.malloc_usable_size(p) != header_usable(p))
                chunk_headers = false;
        mapped_agree = true;
        return usable_of(p);
}

/* Of a block that is new. */
static inline uint64_t usable_of_new(void *p)
{
        if (IFP_UNLIKELY(header_word(p) & 2) && IFP_UNLIKELY(!mapped_agree))
                return usable_mapped(p);
        return header_usable(p);
}

void ifp_alloc_init(void)
{
        /* Another allocator's block may have nothing before it that can be read. */
        if (ifp_next_is_libc("malloc") && ifp_next_is_libc("malloc_usable_size"))
                to_agree = 8;
}

static void learn(void *p)
{
        if (!p || !to_agree || arena_for_loader)
                return;
        if (header_usable(p) != ifp_real.malloc_usable_size(p))
                to_agree = 0;
        else if (!--to_agree)
                chunk_headers = true;
}

static inline uint32_t class_of(uint64_t usable)
{
        return 63u ^ (uint32_t)__builtin_clzll(usable | 1);
}
_Static_assert(IFP_SIZE_CLASSES == 64, "class_of");

/* ---- live and peak ---------------------------------------------------------- */

__attribute__((noinline)) void ifp_memory_flush(struct ifp_lane_memory *m)
{
        int64_t bytes = ifp_pending(m), now, peak;

        __atomic_fetch_add(&m->flushed_bytes, bytes, __ATOMIC_RELAXED);
        now = __atomic_add_fetch(&ifp_seg->live.live_bytes, bytes, __ATOMIC_RELAXED);
        peak = __atomic_load_n(&ifp_seg->live.peak_bytes, __ATOMIC_RELAXED);
        while (now > peak && !__atomic_compare_exchange_n(&ifp_seg->live.peak_bytes, &peak, now,
                                                          true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                ;
}

int64_t ifp_live_at_fork;

int64_t ifp_live_now(void)
{
        int64_t live = __atomic_load_n(&ifp_seg->live.live_bytes, __ATOMIC_RELAXED);
        uint32_t n = __atomic_load_n(&ifp_seg->live.n_lanes_used, __ATOMIC_ACQUIRE);

        for (uint32_t i = 0; i < n; i++)
                live += ifp_pending(&ifp_seg->lanes[i].memory);
        return live + ifp_pending(&ifp_crowd()->memory);
}

static inline bool too_much_pending(const struct ifp_lane_memory *m)
{
        return (uint64_t)(ifp_pending(m) + PENDING_BYTES) > 2u * PENDING_BYTES;
}

static __attribute__((noinline)) void grown(struct ifp_lane_memory *m)
{
        ifp_memory_flush(m);
        ifp_allocator_look();
}

static inline bool sample_due(const struct ifp_lane_memory *m)
{
        return ifp_word(&m->alloc_usable) >= ifp_word(&m->sample_at);
}

void ifp_sample_next(struct ifp_tls *tls, struct ifp_lane_memory *m)
{
        uint64_t interval = ifp_seg->header.heap_interval;

        if (interval == 1)
                m->sample_at = 0; /* each is taken */
        else
                m->sample_at =
                        ifp_word(&m->alloc_usable) + (interval ? ifp_heap_gap(tls) : LOOK_BYTES);
}

static __attribute__((noinline)) void sample(struct ifp_lane *lane, uint32_t op, const void *caller,
                                             const void *p, uint64_t asked, uint64_t usable)
{
        struct ifp_tls *tls = &ifp_tls;

        ifp_sample_next(tls, &lane->memory);
        ifp_allocator_look();
        if (ifp_seg->header.heap_interval) /* last: its frame takes the place of this one */
                ifp_heap_sample(tls, op, caller, p, asked, usable);
}

/* ---- counting ------------------------------------------------------------------ */

/* What one call adds. */
struct step {
        const void *p, *caller;
        uint64_t calls, asked, usable, frees, freed, failed;
};

static void count_into(struct ifp_alloc_row *row, struct ifp_lane_memory *m, const struct step *s,
                       bool shared)
{
        uint32_t c = class_of(s->frees ? s->freed : s->usable);

        ifp_lane_add(&row->calls, s->calls, shared);
        ifp_lane_add(&row->asked_bytes, s->asked, shared);
        ifp_lane_add(&row->usable_bytes, s->usable, shared);
        ifp_lane_add(&row->frees, s->frees, shared);
        ifp_lane_add(&row->freed_bytes, s->freed, shared);
        ifp_lane_add(&row->failed, s->failed, shared);
        ifp_lane_add(&m->calls[c], s->calls, shared);
        ifp_lane_add(&m->asked_bytes[c], s->asked, shared);
        ifp_lane_add(&m->usable_bytes[c], s->usable, shared);
        ifp_lane_add(&m->frees[c], s->frees, shared);
        ifp_lane_add(&m->alloc_usable, s->usable, shared);
        ifp_lane_add(&m->freed_usable, s->freed, shared);
}

uint32_t ifp_op_here(struct ifp_tls *tls, uint64_t sp)
{
        struct ifp_lane *lane = tls->lane;

        if (tls->crowd)
                return IFP_OP_NONE;
        ifp_prune(tls, lane, sp, false);
        if (!lane->top || ifp_open_at(lane, lane->top)->state != IFP_OPEN_SET)
                return IFP_OP_NONE;
        return ifp_open_op(ifp_open_at(lane, lane->top));
}

/* Threads of the crowd share sums, so each block is drawn for by itself. */
static void draw(struct ifp_tls *tls, const struct step *s)
{
        uint64_t interval = ifp_seg->header.heap_interval;

        if (interval == 1 || (interval && ifp_heap_gap(tls) < s->usable))
                ifp_heap_sample(tls, IFP_OP_NONE, s->caller, s->p, s->asked, s->usable);
}

/* Where there is no segment (yet). A fork child that allocates much gets one. */
static void count_early(const struct step *s)
{
        count_into(&ifp_early.row, &ifp_early.memory, s, true);
}

static bool much_in_child(const struct step *s)
{
        return ifp_seg && !ifp_off && !ifp_alive() && ifp_seg->header.heap_interval &&
               ifp_early.memory.alloc_usable + s->usable >= ifp_seg->header.heap_interval;
}

/* A thread without a lane, in the crowd, with ops set aside, or with frames gone. */
static __attribute__((noinline)) void count_slow(struct step s, uint64_t sp)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane;
        uint32_t op;

        if (tls->busy)
                return;
        if (IFP_UNLIKELY(!ifp_alive() && much_in_child(&s)))
                ifp_first_record();
        if (!ifp_seg || ifp_off || !ifp_alive()) {
                count_early(&s);
                return;
        }
        if (!tls->lane) {
                tls->busy++;
                ifp_lane_take(tls);
                tls->busy--;
        }
        lane = tls->lane;
        op = ifp_op_here(tls, sp);
        count_into(&lane->alloc[op][ifp_phase], &lane->memory, &s, tls->crowd);
        if (tls->crowd) {
                if (s.calls)
                        draw(tls, &s);
        } else if (s.calls && sample_due(&lane->memory)) {
                sample(lane, op, s.caller, s.p, s.asked, s.usable);
        }
        if (too_much_pending(&lane->memory))
                ifp_memory_flush(&lane->memory);
}

/*
 * The row of the innermost open op, whose place among the allocation rows is
 * that of its time row among those; NULL: not on the ordinary way.
 */
static inline struct ifp_alloc_row *row_of(struct ifp_lane *lane, uint64_t sp)
{
        const struct ifp_open *o = ifp_open_at(lane, lane->top);
        uint64_t row = o->row - (uint32_t)offsetof(struct ifp_lane, time);

        if (!lane->top)
                return &lane->alloc[IFP_OP_NONE][ifp_phase];
        if (IFP_UNLIKELY(o->sp <= sp || o->state != IFP_OPEN_SET))
                return NULL;
        return (struct ifp_alloc_row *)((uintptr_t)lane->alloc + row * 2);
}
_Static_assert(sizeof(struct ifp_alloc_row) == 2 * sizeof(struct ifp_time_row), "row_of");

static inline uint64_t stack_pointer(void)
{
        uint64_t sp;

#if defined(__x86_64__)
        __asm__("mov %%rsp, %0" : "=r"(sp));
#else
        sp = (uint64_t)(uintptr_t)__builtin_frame_address(0);
#endif
        return sp;
}

static inline struct ifp_lane *lane_of(const struct ifp_tls *tls)
{
        return IFP_LIKELY(ifp_alive()) ? tls->fast : NULL; /* NULL too where the shim allocates */
}

static inline uint32_t op_of(const struct ifp_lane *lane, const struct ifp_alloc_row *row)
{
        return (uint32_t)((uint64_t)(row - &lane->alloc[0][0]) / IFP_N_PHASES);
}

static inline __attribute__((always_inline)) void count_known(const void *p, size_t asked,
                                                              uint64_t usable, const void *caller)
{
        uint64_t sp = stack_pointer();
        struct ifp_lane *lane = lane_of(&ifp_tls);
        struct ifp_alloc_row *row = IFP_LIKELY(lane) ? row_of(lane, sp) : NULL;
        struct ifp_lane_memory *m;
        uint32_t c;

        if (IFP_UNLIKELY(!p)) {
                count_slow((struct step){.failed = 1}, sp);
                return;
        }
        if (IFP_UNLIKELY(!row)) {
                count_slow((struct step){.p = p,
                                         .caller = caller,
                                         .calls = 1,
                                         .asked = asked,
                                         .usable = usable},
                           sp);
                return;
        }
        m = &lane->memory;
        c = class_of(usable);
        ifp_local_add(&row->calls, 1);
        ifp_local_add(&row->asked_bytes, asked);
        ifp_local_add(&row->usable_bytes, usable);
        ifp_local_add(&m->calls[c], 1);
        ifp_local_add(&m->asked_bytes[c], asked);
        ifp_local_add(&m->usable_bytes[c], usable);
        ifp_local_add(&m->alloc_usable, usable);
        if (IFP_UNLIKELY(too_much_pending(m)))
                grown(m);
        if (IFP_UNLIKELY(sample_due(m)))
                sample(lane, op_of(lane, row), caller, p, asked, usable);
}

void ifp_count_alloc(const void *p, size_t asked, uint64_t usable)
{
        count_known(p, asked, usable, __builtin_return_address(0));
}

static inline __attribute__((always_inline)) void count_free_bytes(uint64_t usable)
{
        uint64_t sp = stack_pointer();
        struct ifp_lane *lane = lane_of(&ifp_tls);
        struct ifp_alloc_row *row = IFP_LIKELY(lane) ? row_of(lane, sp) : NULL;
        struct ifp_lane_memory *m;

        if (IFP_UNLIKELY(!row)) {
                count_slow((struct step){.frees = 1, .freed = usable}, sp);
                return;
        }
        m = &lane->memory;
        ifp_local_add(&row->frees, 1);
        ifp_local_add(&row->freed_bytes, usable);
        ifp_local_add(&m->frees[class_of(usable)], 1);
        ifp_local_add(&m->freed_usable, usable);
        if (IFP_UNLIKELY(too_much_pending(m)))
                ifp_memory_flush(m);
}

static inline __attribute__((always_inline)) void count_free(const void *p, uint64_t usable)
{
        if (IFP_UNLIKELY(ifp_live_filter[ifp_live_home(p)]))
                ifp_heap_gone(p);
        count_free_bytes(usable);
}

void ifp_count_free(const void *p, uint64_t usable)
{
        count_free(p, usable);
}

/* ---- the family ---------------------------------------------------------------- */

#define CALLER __builtin_return_address(0)

static inline __attribute__((always_inline)) void count_alloc(void *p, size_t asked,
                                                              const void *caller)
{
        uint64_t usable = p ? usable_of(p) : 0;

        if (IFP_UNLIKELY(p && !usable))
                usable = ifp_own_unsaid(asked);
        count_known(p, asked, usable, caller);
}

/*
 * What the loader takes while the shim loads something is the shim's, and comes from
 * its arena: the engine's heap stays as it would be without us.
 */
static inline bool own_memory(void)
{
        return IFP_UNLIKELY(arena_for_loader) && ifp_tls.busy;
}

void ifp_alloc_own(bool on)
{
        static bool headers;

        if (on) {
                headers = chunk_headers;
                chunk_headers = false; /* so that malloc and free take their longer way */
        }
        arena_for_loader = on;
        if (!on)
                chunk_headers = headers;
}

static inline bool ready(void)
{
        if (IFP_LIKELY(ifp_real.malloc_usable_size != NULL))
                return true;
        ifp_real_init();
        return ifp_real.malloc_usable_size != NULL;
}

/* The call of the real one, stamped. */
#define WATCHED(bytes, call)                                                                       \
        ({                                                                                         \
                size_t bytes_ = (bytes);                                                           \
                uint64_t start_ = ifp_watch_begin();                                               \
                __typeof__(call) ret_ = (call);                                                    \
                                                                                                   \
                ifp_watch_end(start_, bytes_);                                                     \
                ret_;                                                                              \
        })
#define WATCHED_IF_DUE(bytes, call) (ifp_watch_due(bytes) ? WATCHED(bytes, call) : (call))

static __attribute__((noinline)) void *malloc_otherwise(size_t n, const void *caller)
{
        void *p;

        if (!ready() || own_memory())
                return arena_take(16, n);
        p = WATCHED_IF_DUE(n, ifp_real.malloc(n));
        learn(p);
        count_alloc(p, n, caller);
        return p;
}

static __attribute__((noinline)) void *malloc_watched(size_t n)
{
        return WATCHED(n, ifp_real.malloc(n));
}

static __attribute__((noinline)) void free_watched(void *p, size_t usable)
{
        uint64_t start = ifp_watch_begin();

        ifp_real.free(p);
        ifp_watch_end(start, usable);
}

IFP_EXPORT void *malloc(size_t n)
{
        void *p;

        if (IFP_UNLIKELY(!chunk_headers))
                return malloc_otherwise(n, CALLER);
        p = ifp_watch_due(n) ? malloc_watched(n) : ifp_real.malloc(n);
        count_known(p, n, IFP_LIKELY(p) ? usable_of_new(p) : 0, CALLER);
        return p;
}

IFP_EXPORT void *calloc(size_t n, size_t size)
{
        void *p;

        if (IFP_UNLIKELY(!ready() || own_memory())) /* the arena is zero, and used once */
                return size && n > ARENA_BYTES / size ? NULL : arena_take(16, n * size);
        p = WATCHED_IF_DUE(n * size,
                           ifp_real.calloc(n, size)); /* too much wraps around, and fails */
        count_alloc(p, p ? n * size : 0, CALLER);
        return p;
}

IFP_EXPORT void free(void *p)
{
        uint64_t usable;

        if (!p)
                return;
        if (IFP_LIKELY(chunk_headers)) {
                if (IFP_UNLIKELY(header_word(p) == ARENA_MARK))
                        return;
        } else if (in_arena(p) || !ready()) {
                return;
        }
        usable = usable_of_old(p);
        count_free(p, usable);
        if (ifp_watch_due(usable))
                free_watched(p, usable);
        else
                ifp_real.free(p);
}

static void *realloc_from_arena(void *old, size_t n)
{
        size_t had = arena_size(old);
        void *p = malloc(n);

        if (p)
                ifp_copy(p, old, had < n ? had : n);
        return p;
}

/*
 * One allocation and, where there was a block, one free. realloc(p, 0) frees and may give NULL.
 * A sample is taken out before: right after, the address may be another thread's.
 */
static __attribute__((noinline)) void *realloc_block(void *old, size_t n, const void *caller)
{
        uint64_t had = old ? usable_of_old(old) : 0;
        struct ifp_sample sample;
        bool sampled = old && ifp_live_filter[ifp_live_home(old)] && ifp_live_take(old, &sample);
        void *p = WATCHED_IF_DUE(had > n ? had : n, ifp_real.realloc(old, n));

        if (sampled && (p || !n))
                ifp_heap_freed(&sample);
        else if (sampled)
                ifp_live_add(old, &sample);
        if (old && (p || !n))
                count_free_bytes(had);
        if (p || n)
                count_alloc(p, n, caller);
        return p;
}

static inline __attribute__((always_inline)) void *realloc_any(void *old, size_t n,
                                                               const void *caller)
{
        if (IFP_UNLIKELY(!ready() || (!old && own_memory())))
                return old ? NULL : arena_take(16, n);
        if (IFP_UNLIKELY(in_arena(old)))
                return realloc_from_arena(old, n);
        return realloc_block(old, n, caller);
}

IFP_EXPORT void *realloc(void *old, size_t n)
{
        return realloc_any(old, n, CALLER);
}

IFP_EXPORT void *reallocarray(void *old, size_t n, size_t size)
{
        size_t bytes;

        if (__builtin_mul_overflow(n, size, &bytes)) {
                if (ready())
                        count_alloc(NULL, 0, CALLER);
                errno = ENOMEM;
                return NULL;
        }
        return realloc_any(old, bytes, CALLER);
}

IFP_EXPORT int posix_memalign(void **ret, size_t align, size_t n)
{
        int error;

        if (IFP_UNLIKELY(!ready())) {
                void *p = arena_take(align, n);

                if (p)
                        *ret = p;
                return p ? 0 : ENOMEM;
        }
        error = WATCHED_IF_DUE(n, ifp_real.posix_memalign(ret, align, n));
        count_alloc(error ? NULL : *ret, n, CALLER);
        return error;
}

#define ALIGNED(name)                                                                              \
        IFP_EXPORT void *name(size_t align, size_t n)                                              \
        {                                                                                          \
                void *p;                                                                           \
                                                                                                   \
                if (IFP_UNLIKELY(!ready()))                                                        \
                        return arena_take(align, n);                                               \
                p = WATCHED_IF_DUE(n, ifp_real.name(align, n));                                    \
                count_alloc(p, n, CALLER);                                                         \
                return p;                                                                          \
        }
ALIGNED(aligned_alloc)
ALIGNED(memalign)

#define BY_PAGE(name)                                                                              \
        IFP_EXPORT void *name(size_t n)                                                            \
        {                                                                                          \
                void *p;                                                                           \
                                                                                                   \
                if (IFP_UNLIKELY(!ready()))                                                        \
                        return arena_take(4096, n);                                                \
                p = WATCHED_IF_DUE(n, ifp_real.name(n));                                           \
                count_alloc(p, n, CALLER);                                                         \
                return p;                                                                          \
        }
BY_PAGE(valloc)
BY_PAGE(pvalloc)

IFP_EXPORT size_t malloc_usable_size(void *p)
{
        if (IFP_UNLIKELY(in_arena(p)))
                return arena_size(p);
        return ready() ? ifp_real.malloc_usable_size(p) : 0;
}
