/* SPDX-License-Identifier: MIT */
/*
 * Which allocations are sampled, and what a sample stands for.
 *
 * Points lie on the line of all usable bytes that a thread allocates, at gaps
 * drawn from an exponential distribution (a Poisson process); a block that
 * covers a point is sampled. So a block of u bytes is with probability p = 1 - exp(-u / interval),
 * whatever came before it, and counts 1 / p times (Horvitz and Thompson,
 * 1952): sums over samples have the true sums as their mean. The variance of such a sum of v is
 * estimated by the sum of v^2 (1 - p) / p^2.
 *
 * Fixed point throughout: malloc's callers may be anything, so no vector
 * register is touched here either.
 */
#include "preload/heap.h"

#include <sys/mman.h>

#define ONE   (1ull << 32)  /* 1.0 in Q32 */
#define LN2   2977044472ull /* ln 2 in Q32 */
#define LARGE 32u           /* intervals; such a block is sampled but for one time in 10^13 */

static uint64_t short_ticks;

void ifp_heap_init(void)
{
        short_ticks = ifp_seg->header.ticks_per_second / (1000000000u / IFP_SHORT_LIFE_NS);
        if (ifp_seg->header.heap_interval)
                ifp_live_init();
}

/* ---- numbers ---------------------------------------------------------------- */

static uint64_t mul32(uint64_t a, uint64_t b)
{
        return (uint64_t)((unsigned __int128)a * b >> 32);
}

/* n times w, w in Q32, to the nearest. */
static uint64_t whole(uint64_t n, uint64_t w)
{
        return (uint64_t)(((unsigned __int128)n * w + ONE / 2) >> 32);
}

/* splitmix64 (Steele, Lea and Flood, 2014) */
static uint64_t random_word(struct ifp_tls *tls)
{
        uint64_t z;

        if (!tls->random)
                tls->random = ifp_ticks() ^ (uint64_t)(uintptr_t)tls << 20;
        z = tls->random += 0x9e3779b97f4a7c15ull;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ z >> 27) * 0x94d049bb133111ebull;
        return z ^ z >> 31;
}

/* ln of m in [1, 2), Q32 both: 2 artanh((m - 1) / (m + 1)), whose argument is at most 1/3. */
static uint64_t ln_mantissa(uint64_t m)
{
        uint64_t s = ((m - ONE) << 31) / ((m + ONE) >> 1), square = mul32(s, s);
        uint64_t power = s, sum = s;

        for (uint32_t k = 3; k <= 15; k += 2) {
                power = mul32(power, square);
                sum += power / k;
        }
        return 2 * sum;
}

uint64_t ifp_heap_gap(struct ifp_tls *tls)
{
        uint64_t r = random_word(tls) | 1, ln;
        uint32_t zeros = (uint32_t)__builtin_clzll(r);

        /* r / 2^64 = m / 2^(zeros + 1) is even in (0, 1) */
        ln = (uint64_t)(zeros + 1) * LN2 - ln_mantissa(r << zeros >> 31);
        return mul32(ifp_seg->header.heap_interval, ln);
}

/* exp(-x) in Q32, x in Q32 below LARGE. */
static uint64_t exp_minus(uint64_t x)
{
        uint64_t halvings = x / LN2, rest = x % LN2, term = ONE, up = 0, down = 0;

        for (uint32_t k = 1; k < 12; k++) { /* the series of exp(-rest), its signs apart */
                *(k & 1 ? &up : &down) += term;
                term = mul32(term, rest) / k;
        }
        return (up - down) >> halvings;
}

struct weight {
        uint64_t w;           /* Q32 */
        uint64_t bytes;       /* usable * w */
        uint64_t objects_var; /* w (w - 1) */
        uint64_t bytes_var;   /* usable^2 w (w - 1) / interval^2, Q16 */
};

/*
 * 1 / (1 - exp(-x)): below 1 by its series 1/x + 1/2 + x/12 - x^3/720 + x^5/30240
 * (the Bernoulli numbers), which is exact to 10^-6 there.
 */
static uint64_t weight_of(uint64_t usable, uint64_t interval, uint64_t x)
{
        uint64_t square;

        if (x >= LARGE * ONE)
                return ONE;
        if (x >= ONE)
                return 2 * ((1ull << 63) / (ONE - exp_minus(x)));
        square = mul32(x, x);
        return (interval << 32) / usable + ONE / 2 + x / 12 - mul32(x, square) / 720 +
               mul32(x, mul32(square, square)) / 30240;
}

static struct weight weigh(uint64_t usable)
{
        uint64_t interval = ifp_seg->header.heap_interval, x, more;
        struct weight ret = {.w = ONE, .bytes = usable};

        if (interval <= 1 || !usable || usable / interval >= LARGE)
                return ret;
        if (usable < 1ull << 32)
                x = (usable << 32) / interval;
        else
                x = (uint64_t)(((unsigned __int128)usable << 32) / interval);
        ret.w = weight_of(usable, interval, x);
        more = ret.w - ONE;
        ret.bytes = whole(usable, ret.w);
        ret.objects_var = (uint64_t)((unsigned __int128)ret.w * more >> 64);
        ret.bytes_var = mul32(mul32(x, ret.w), mul32(x, more)) >> 16;
        return ret;
}

/* ---- samples ------------------------------------------------------------------ */

static inline void add(uint64_t *p, uint64_t v, bool own)
{
        if (own)
                ifp_local_add(p, v);
        else if (v)
                __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}

static inline bool is_own(const struct ifp_tls *tls, const struct ifp_stack *stack)
{
        return stack->lane == tls->lane_number && tls->lane && !tls->crowd;
}

static void account_alloc(const struct ifp_tls *tls, struct ifp_stack *stack, uint64_t asked,
                          uint64_t usable)
{
        bool own = is_own(tls, stack), exact = ifp_seg->header.heap_interval == 1;
        struct weight w = weigh(usable);

        add(&stack->samples, 1, own);
        add(&stack->alloc_objects, w.w >> 16, own);
        add(&stack->alloc_bytes, w.bytes, own);
        add(&stack->asked_bytes, exact ? asked : whole(asked, w.w), own);
        if (exact)
                return;
        add(&stack->alloc_objects_var, w.objects_var, own);
        add(&stack->alloc_bytes_var, w.bytes_var, own);
}

void ifp_heap_freed(const struct ifp_sample *s)
{
        const struct ifp_tls *tls = &ifp_tls;
        struct ifp_stack_freed *freed;
        struct ifp_stack *stack;
        struct weight w;
        uint64_t life;
        bool own;

        if (!ifp_seg || ifp_off ||
            !ifp_alive()) /* of its segment a fork child inherits what is left */
                return;
        stack = &ifp_seg->stacks[s->stack];
        own = is_own(tls, stack);
        freed = own ? &stack->freed_own : &stack->freed_else;
        w = weigh(s->usable);
        life = ifp_ticks() - s->born;
        add(&freed->objects, w.w >> 16, own);
        add(&freed->bytes, w.bytes, own);
        if (ifp_seg->header.heap_interval > 1) {
                add(&freed->objects_var, w.objects_var, own);
                add(&freed->bytes_var, w.bytes_var, own);
        }
        if (life < short_ticks)
                add(&freed->short_objects, w.w >> 16, own);
        add(&freed->lifetime_ticks, life, own);
        add(&freed->samples, 1, own);
}

void ifp_heap_gone(const void *p)
{
        struct ifp_sample s;

        if (ifp_live_take(p, &s))
                ifp_heap_freed(&s);
}

static __attribute__((noinline)) uint32_t stack_here(struct ifp_tls *tls, uint32_t op,
                                                     const void *caller)
{
        struct ifp_frames frames;

        if (!ifp_frames_here(tls, caller, &frames))
                add(&ifp_seg->live.samples_short, 1, false);
        return ifp_stack(tls, false, op, ifp_phase, frames.at, frames.n, frames.flags);
}

void ifp_heap_sample(struct ifp_tls *tls, uint32_t op, const void *caller, const void *p,
                     uint64_t asked, uint64_t usable)
{
        IFP_KEEP_ERRNO;
        struct ifp_sample s = {.usable = usable, .stack = stack_here(tls, op, caller)};

        account_alloc(tls, &ifp_seg->stacks[s.stack], asked, usable);
        s.born = ifp_ticks();
        if (!ifp_live_add(p, &s)) {
                add(&ifp_seg->live.samples_untracked, 1, false);
                ifp_heap_freed(&s);
        }
}

/* ---- fork ---------------------------------------------------------------------- */

static void inherit_one(const struct ifp_sample *s)
{
        struct ifp_stack *stack = &ifp_seg->stacks[s->stack];
        struct weight w = weigh(s->usable);

        stack->inherited_objects += w.w >> 16;
        stack->inherited_bytes += w.bytes;
        stack->inherited_objects_var += w.objects_var;
        stack->inherited_bytes_var += w.bytes_var;
}

void ifp_heap_inherit(void)
{
        ifp_live_each(inherit_one);
}
