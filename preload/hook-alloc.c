/* SPDX-License-Identifier: MIT */
/*
 * The malloc family, counted: each call goes to the row of the op that is open
 * on the calling thread. No lock; the process's live bytes are brought up to
 * date once a thread has moved 64 KiB.
 *
 * Before the allocator behind us is known (the loader allocates while it looks for it),
 * requests are served from a small arena that is never given back.
 */
#include "preload/real.h"

#define ARENA_BYTES   (256u << 10)
#define PENDING_BYTES (64 << 10)

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(64)));
static uint64_t arena_used;

static bool in_arena(const void *p)
{
        return (const uint8_t *)p >= arena && (const uint8_t *)p < arena + ARENA_BYTES;
}

/* The block's size stands in the 16 bytes before it. */
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
        return arena + at;
}

static size_t arena_size(const void *p)
{
        return *(const uint64_t *)(const void *)((const uint8_t *)p - 16);
}

/* ---- counting ---------------------------------------------------------------- */

static void add(uint64_t *p, uint64_t v, bool shared)
{
        if (IFP_UNLIKELY(shared))
                __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
        else
                ifp_local_add(p, v);
}

static void flush_pending(struct ifp_lane *lane)
{
        int64_t bytes = __atomic_exchange_n(&lane->pending_bytes, 0, __ATOMIC_RELAXED);
        int64_t now = __atomic_add_fetch(&ifp_seg->live.live_bytes, bytes, __ATOMIC_RELAXED);
        int64_t peak = __atomic_load_n(&ifp_seg->live.peak_bytes, __ATOMIC_RELAXED);

        while (now > peak && !__atomic_compare_exchange_n(&ifp_seg->live.peak_bytes, &peak, now,
                                                          true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                ;
}

static inline void moved(struct ifp_lane *lane, int64_t bytes, bool shared)
{
        add((uint64_t *)&lane->pending_bytes, (uint64_t)bytes, shared);
        if (IFP_UNLIKELY(lane->pending_bytes >= PENDING_BYTES ||
                         lane->pending_bytes <= -PENDING_BYTES))
                flush_pending(lane);
}

/* NULL: not to be counted here (the shim itself, or no lane: counted early). */
static struct ifp_lane *lane_slow(struct ifp_tls *tls)
{
        if (ifp_seg && !ifp_off && ifp_alive() && !tls->lane && !tls->busy) {
                uint16_t busy = tls->busy++;

                ifp_lane_take(tls, 0, 0);
                tls->busy = busy;
                return tls->lane;
        }
        return NULL;
}

static inline struct ifp_lane *lane_of(struct ifp_tls *tls)
{
        if (IFP_UNLIKELY(tls->busy))
                return NULL;
        if (IFP_LIKELY(tls->lane && ifp_alive()))
                return tls->lane;
        return lane_slow(tls);
}

static inline struct ifp_alloc_row *row_of(struct ifp_tls *tls, struct ifp_lane *lane)
{
        uint32_t op = IFP_OP_NONE;

        if (lane->top && !tls->crowd) {
                uint64_t sp = (uint64_t)(uintptr_t)__builtin_frame_address(0);
                struct ifp_open *o = ifp_open_at(lane, lane->top);

                if (IFP_UNLIKELY(o->sp <= sp || o->state != IFP_OPEN_SET)) {
                        ifp_prune(tls, lane, sp, false);
                        if (lane->top)
                                op = ifp_open_at(lane, lane->top)->op;
                } else {
                        op = o->op;
                }
        }
        return &lane->alloc[op][ifp_phase];
}

static void count_early(uint64_t calls, uint64_t asked, uint64_t usable, uint64_t frees,
                        uint64_t freed)
{
        __atomic_fetch_add(&ifp_early.calls, calls, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ifp_early.asked_bytes, asked, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ifp_early.usable_bytes, usable, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ifp_early.frees, frees, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ifp_early.freed_bytes, freed, __ATOMIC_RELAXED);
}

static inline void count_alloc(void *p, size_t asked)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = lane_of(tls);
        struct ifp_alloc_row *row;
        uint64_t usable;

        if (IFP_UNLIKELY(!lane)) {
                if (!tls->busy && p)
                        count_early(1, asked, ifp_real.malloc_usable_size(p), 0, 0);
                return;
        }
        row = row_of(tls, lane);
        if (IFP_UNLIKELY(!p)) {
                add(&row->failed, 1, tls->crowd);
                return;
        }
        usable = ifp_real.malloc_usable_size(p);
        add(&row->calls, 1, tls->crowd);
        add(&row->asked_bytes, asked, tls->crowd);
        add(&row->usable_bytes, usable, tls->crowd);
        moved(lane, (int64_t)usable, tls->crowd);
}

static inline void count_free_bytes(uint64_t usable)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = lane_of(tls);
        struct ifp_alloc_row *row;

        if (IFP_UNLIKELY(!lane)) {
                if (!tls->busy)
                        count_early(0, 0, 0, 1, usable);
                return;
        }
        row = row_of(tls, lane);
        add(&row->frees, 1, tls->crowd);
        add(&row->freed_bytes, usable, tls->crowd);
        moved(lane, -(int64_t)usable, tls->crowd);
}

/* ---- the family ---------------------------------------------------------------- */

static inline bool ready(void)
{
        if (IFP_LIKELY(ifp_real.malloc_usable_size != NULL))
                return true;
        ifp_real_init();
        return ifp_real.malloc_usable_size != NULL;
}

IFP_EXPORT void *malloc(size_t n)
{
        void *p;

        if (IFP_UNLIKELY(!ready()))
                return arena_take(16, n);
        p = ifp_real.malloc(n);
        count_alloc(p, n);
        return p;
}

IFP_EXPORT void *calloc(size_t n, size_t size)
{
        void *p;

        if (IFP_UNLIKELY(!ready())) /* the arena is zero, and used once */
                return size && n > ARENA_BYTES / size ? NULL : arena_take(16, n * size);
        p = ifp_real.calloc(n, size);
        count_alloc(p, p ? n * size : 0);
        return p;
}

IFP_EXPORT void free(void *p)
{
        if (!p || IFP_UNLIKELY(in_arena(p)))
                return;
        if (IFP_UNLIKELY(!ready()))
                return;
        count_free_bytes(ifp_real.malloc_usable_size(p));
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

/* One allocation and, where there was a block, one free. realloc(p, 0) frees and may give NULL. */
static void count_realloc(void *old, uint64_t had, void *p, size_t n)
{
        if (old && (p || !n))
                count_free_bytes(had);
        if (p || n)
                count_alloc(p, n);
}

IFP_EXPORT void *realloc(void *old, size_t n)
{
        uint64_t had;
        void *p;

        if (IFP_UNLIKELY(!ready()))
                return old ? NULL : arena_take(16, n);
        if (IFP_UNLIKELY(in_arena(old)))
                return realloc_from_arena(old, n);
        had = old ? ifp_real.malloc_usable_size(old) : 0;
        p = ifp_real.realloc(old, n);
        count_realloc(old, had, p, n);
        return p;
}

IFP_EXPORT void *reallocarray(void *old, size_t n, size_t size)
{
        size_t bytes;

        if (__builtin_mul_overflow(n, size, &bytes)) {
                if (ready())
                        count_alloc(NULL, 0);
                errno = ENOMEM;
                return NULL;
        }
        return realloc(old, bytes);
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
        error = ifp_real.posix_memalign(ret, align, n);
        count_alloc(error ? NULL : *ret, n);
        return error;
}

#define ALIGNED(name)                                                                              \
        IFP_EXPORT void *name(size_t align, size_t n)                                              \
        {                                                                                          \
                void *p;                                                                           \
                                                                                                   \
                if (IFP_UNLIKELY(!ready()))                                                        \
                        return arena_take(align, n);                                               \
                p = ifp_real.name(align, n);                                                       \
                count_alloc(p, n);                                                                 \
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
                p = ifp_real.name(n);                                                              \
                count_alloc(p, n);                                                                 \
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
