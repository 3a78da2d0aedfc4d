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
#include "preload/slots.h"

#define ARENA_BYTES   (256u << 10)
#define PENDING_BYTES (64 << 10)

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
 * malloc_usable_size costs more than all the counting. Used only where init
 * has seen the two agree.
 */
static bool chunk_headers;

static inline uint64_t header_word(const void *p)
{
        return *(const uint64_t *)((uintptr_t)p - 8);
}

static inline uint64_t header_usable(const void *p)
{
        uint64_t size = header_word(p);

        return (size & ~7ull) - 8 - (size & 2 /* mapped: another 8 */) * 4;
}

static inline uint64_t usable_of(void *p)
{
        return IFP_LIKELY(chunk_headers) ? header_usable(p) : ifp_real.malloc_usable_size(p);
}

void ifp_alloc_init(void)
{
        static const size_t sizes[] = {1, 24, 25, 100, 1000, 5000, 70000, 300000, 5000000};
        bool agree = ifp_next_is_libc("malloc") && ifp_next_is_libc("malloc_usable_size");

        /* Another allocator's block may have nothing before it that can be read. */
        for (unsigned i = 0; agree && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                void *p = ifp_real.malloc(sizes[i]), *q = ifp_real.memalign(256, sizes[i]);

                if (p && header_usable(p) != ifp_real.malloc_usable_size(p))
                        agree = false;
                if (q && header_usable(q) != ifp_real.malloc_usable_size(q))
                        agree = false;
                ifp_real.free(q);
                ifp_real.free(p);
        }
        chunk_headers = agree;
}

static void add(uint64_t *p, uint64_t v, bool shared)
{
        if (IFP_UNLIKELY(shared))
                __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
        else
                ifp_local_add(p, v);
}

static __attribute__((noinline)) void flush_pending(struct ifp_lane *lane)
{
        int64_t bytes = __atomic_exchange_n(&lane->reserved, 0, __ATOMIC_RELAXED);
        int64_t now = __atomic_add_fetch(&ifp_seg->live.live_bytes, bytes, __ATOMIC_RELAXED);
        int64_t peak = __atomic_load_n(&ifp_seg->live.peak_bytes, __ATOMIC_RELAXED);

        while (now > peak && !__atomic_compare_exchange_n(&ifp_seg->live.peak_bytes, &peak, now,
                                                          true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                ;
}

static inline void moved(struct ifp_lane *lane, int64_t bytes)
{
        ifp_local_add(&lane->reserved, (uint64_t)bytes);
        if (IFP_UNLIKELY((uint64_t)(lane->reserved + PENDING_BYTES) > 2u * PENDING_BYTES))
                flush_pending(lane);
}

/* What one call adds to a row. */
struct step {
        uint64_t calls, asked, usable, frees, freed, failed;
};

static void count_early(const struct step *s)
{
        __atomic_fetch_add(&ifp_early.calls, s->calls, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ifp_early.asked_bytes, s->asked, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ifp_early.usable_bytes, s->usable, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ifp_early.frees, s->frees, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ifp_early.freed_bytes, s->freed, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ifp_early.failed, s->failed, __ATOMIC_RELAXED);
}

/* A thread without a lane, in the crowd, with ops set aside, or with frames gone. */
static __attribute__((noinline)) void count_slow(struct step s, uint64_t sp)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_alloc_row *row;
        uint32_t op = IFP_OP_NONE;
        struct ifp_lane *lane;

        if (tls->busy)
                return;
        if (!ifp_seg || ifp_off || !ifp_alive()) {
                count_early(&s);
                return;
        }
        if (!tls->lane) {
                tls->busy++;
                ifp_lane_take(tls, 0, 0);
                tls->busy--;
        }
        lane = tls->lane;
        if (!tls->crowd) {
                ifp_prune(tls, lane, sp, false);
                if (lane->top && ifp_open_at(lane, lane->top)->state == IFP_OPEN_SET)
                        op = ifp_open_op(ifp_open_at(lane, lane->top));
        }
        row = &lane->alloc[op][ifp_phase];
        add(&row->calls, s.calls, tls->crowd);
        add(&row->asked_bytes, s.asked, tls->crowd);
        add(&row->usable_bytes, s.usable, tls->crowd);
        add(&row->frees, s.frees, tls->crowd);
        add(&row->freed_bytes, s.freed, tls->crowd);
        add(&row->failed, s.failed, tls->crowd);
        add(&lane->reserved, s.usable - s.freed, tls->crowd);
        if ((uint64_t)(lane->reserved + PENDING_BYTES) > 2u * PENDING_BYTES)
                flush_pending(lane);
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

static inline __attribute__((always_inline)) void count_known(const void *p, size_t asked,
                                                              uint64_t usable)
{
        uint64_t sp = stack_pointer();
        struct ifp_lane *lane = lane_of(&ifp_tls);
        struct ifp_alloc_row *row = IFP_LIKELY(lane) ? row_of(lane, sp) : NULL;

        if (IFP_UNLIKELY(!p)) {
                count_slow((struct step){.failed = 1}, sp);
                return;
        }
        if (IFP_UNLIKELY(!row)) {
                count_slow((struct step){.calls = 1, .asked = asked, .usable = usable}, sp);
                return;
        }
        ifp_local_add(&row->calls, 1);
        ifp_local_add(&row->asked_bytes, asked);
        ifp_local_add(&row->usable_bytes, usable);
        moved(lane, (int64_t)usable);
}

static void count_alloc(void *p, size_t asked)
{
        count_known(p, asked, p ? usable_of(p) : 0);
}

static inline __attribute__((always_inline)) void count_free_bytes(uint64_t usable)
{
        uint64_t sp = stack_pointer();
        struct ifp_lane *lane = lane_of(&ifp_tls);
        struct ifp_alloc_row *row = IFP_LIKELY(lane) ? row_of(lane, sp) : NULL;

        if (IFP_UNLIKELY(!row)) {
                count_slow((struct step){.frees = 1, .freed = usable}, sp);
                return;
        }
        ifp_local_add(&row->frees, 1);
        ifp_local_add(&row->freed_bytes, usable);
        moved(lane, -(int64_t)usable);
}

/* ---- the family ---------------------------------------------------------------- */

static inline bool ready(void)
{
        if (IFP_LIKELY(ifp_real.malloc_usable_size != NULL))
                return true;
        ifp_real_init();
        return ifp_real.malloc_usable_size != NULL;
}

static __attribute__((noinline)) void *malloc_otherwise(size_t n)
{
        void *p;

        if (!ready())
                return arena_take(16, n);
        p = ifp_real.malloc(n);
        count_alloc(p, n);
        return p;
}

IFP_EXPORT void *malloc(size_t n)
{
        void *p;

        if (IFP_UNLIKELY(!chunk_headers))
                return malloc_otherwise(n);
        p = ifp_real.malloc(n);
        count_known(p, n, IFP_LIKELY(p) ? header_usable(p) : 0);
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
        if (!p)
                return;
        if (IFP_LIKELY(chunk_headers)) {
                if (IFP_UNLIKELY(header_word(p) == ARENA_MARK))
                        return;
        } else if (in_arena(p) || !ready()) {
                return;
        }
        count_free_bytes(usable_of(p));
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
        had = old ? usable_of(old) : 0;
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
