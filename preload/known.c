/* SPDX-License-Identifier: MIT */
/*
 * Places that a lane was at before, so that a stack that comes again and again (a barrier's, a
 * yield's, a thread's for each token) is unwound once. A place is known by the frame's address and
 * by the return addresses on the stack: where the first of them lie is remembered with the place,
 * and they have to lie there now.
 */
#include "preload/wait.h"

#define SETS  32u   /* of a lane; a graph has some thirty places with their ops */
#define WAYS  4u    /* places of a set */
#define DEPTH 24u   /* return addresses that are looked at */
#define REACH 8192u /* bytes from the frame on in which they are looked for */

struct place {
        uint64_t sp, object;
        uint32_t what;
        uint32_t epoch; /* of objects and of the process; 0: free */
        uint32_t value;
        uint32_t n;
        uint16_t at[DEPTH]; /* in words, from sp */
        uint64_t sum;       /* of what stands there */
};

static struct place places[IFP_MAX_LANES][SETS][WAYS] __attribute__((aligned(64)));
static uint32_t forgotten = 1u << 24;

static uint32_t epoch_now(void)
{
        return forgotten + (ifp_seg->live.object_epoch & 0xffffff);
}

static struct place *set_of(const struct ifp_tls *tls, uint64_t sp, uint64_t object, uint32_t what)
{
        uint64_t h = (sp ^ object * 3 ^ (uint64_t)what << 20) * 0x9e3779b97f4a7c15ull;

        return places[tls->lane_number][h >> 59];
}
_Static_assert(SETS == 1u << 5, "set_of");

static struct place *find(struct place *set, uint64_t sp, uint64_t object, uint32_t what)
{
        for (struct place *p = set; p < set + WAYS; p++)
                if (p->sp == sp && p->object == object && p->what == what)
                        return p;
        return NULL;
}

/* The one it has already, else one that is void, else any. */
static struct place *take(struct place *set, uint64_t sp, uint64_t object, uint32_t what)
{
        struct place *p = find(set, sp, object, what);

        for (uint32_t i = 0; !p && i < WAYS; i++)
                if (set[i].epoch != epoch_now())
                        p = &set[i];
        return p ? p : &set[(ifp_ticks() >> 5) % WAYS];
}

static inline uint64_t word_at(uint64_t sp, uint32_t i)
{
        return *(const volatile uint64_t *)(uintptr_t)(sp + 8ull * i);
}

static inline uint64_t sum_of(const struct place *p)
{
        uint64_t sum = 0;

        for (uint32_t i = 0; i < p->n; i++)
                sum = (sum + word_at(p->sp, p->at[i])) * 0x9e3779b97f4a7c15ull;
        return sum;
}

uint32_t ifp_known(const struct ifp_tls *tls, uint64_t sp, uint64_t object, uint32_t what)
{
        const struct place *p = find(set_of(tls, sp, object, what), sp, object, what);

        if (!p || p->epoch != epoch_now() || sp < tls->stack_lo ||
            sp + 8ull * p->at[p->n - 1] >=
                    tls->stack_hi) /* another thread's had it, a larger one */
                return 0;
        return p->sum == sum_of(p) ? p->value : 0;
}

void ifp_know(const struct ifp_tls *tls, uint64_t sp, uint64_t object, uint32_t what,
              const struct ifp_frames *frames, uint32_t value)
{
        struct place *p;
        uint64_t room = tls->stack_hi - sp;
        uint32_t words = (uint32_t)((room < REACH ? room : REACH) / 8), at = 1, first = 0;

        if (sp < tls->stack_lo || sp >= tls->stack_hi || (frames->flags & IFP_STACK_ONE))
                return;
        p = take(set_of(tls, sp, object, what), sp, object, what);
        p->epoch = 0;
        p->n = 0;
        while (first < frames->n && frames->at[first] != word_at(sp, 1))
                first++; /* called from the frame, not by whom it returns to */
        for (uint32_t i = first; i < frames->n && p->n < DEPTH; i++) {
                while (at < words && word_at(sp, at) != frames->at[i])
                        at++;
                if (at >= words)
                        break;
                p->at[p->n++] = (uint16_t)at++;
        }
        if (!p->n)
                return;
        p->sp = sp;
        p->object = object;
        p->what = what;
        p->value = value;
        p->sum = sum_of(p);
        p->epoch = epoch_now();
}

/* A fork child's table is another. */
void ifp_known_forget(void)
{
        forgotten += 1u << 24;
}
