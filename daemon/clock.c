/* SPDX-License-Identifier: MIT */
/*
 * The stamps are ticks of the processor's clock; the header gives one instant
 * on that clock and on CLOCK_MONOTONIC, and a first estimate of the rate. A
 * second instant, taken here, gives the rate to about 100 ns in the
 * time between: 1e-7 after a second. From then on it stands still, so
 * that rows written at different times agree with each other. A rate that is far from the
 * estimate means that one of the two instants is not true, and is not used.
 */
#include "daemon/clock.h"

#include <time.h>

static uint64_t now_ns(clockid_t id)
{
        struct timespec t;

        clock_gettime(id, &t);
        return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
        return now_ns(CLOCK_MONOTONIC);
}

uint64_t clock_real_ns(void)
{
        return now_ns(CLOCK_REALTIME);
}

uint64_t clock_cpu_ns(void)
{
        return now_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void clock_init(struct clock *c, const struct ifp_header *h)
{
        c->start_ticks = h->start_ticks;
        c->start_mono_ns = h->start_mono_ns;
        c->ns_per_tick = 1e9 / (double)h->ticks_per_second;
        c->refine_ticks = h->start_ticks + h->ticks_per_second / 20;
}

/* Both clocks at one instant: of several tries the one with the least in between. */
static void both(uint64_t *ret_ticks, uint64_t *ret_ns)
{
        uint64_t best = UINT64_MAX;

        for (int i = 0; i < 5; i++) {
                uint64_t before = ifp_ticks(), ns = clock_mono_ns(), after = ifp_ticks();

                if (after - before < best) {
                        best = after - before;
                        *ret_ticks = before + (after - before) / 2;
                        *ret_ns = ns;
                }
        }
}

void clock_refine(struct clock *c)
{
        uint64_t ticks = 0, ns = 0;
        double rate, off;

        if (ifp_ticks() < c->refine_ticks)
                return;
        both(&ticks, &ns);
        if (ticks <= c->start_ticks || ns <= c->start_mono_ns) {
                c->refine_ticks = UINT64_MAX;
                return;
        }
        rate = (double)(ns - c->start_mono_ns) / (double)(ticks - c->start_ticks);
        off = rate / c->ns_per_tick - 1;
        if (off < -0.02 || off > 0.02) {
                c->refine_ticks = UINT64_MAX;
                return;
        }
        c->ns_per_tick = rate;
        c->refine_ticks = ns - c->start_mono_ns > 2000000000ull ? UINT64_MAX
                                                                : ticks + (ticks - c->start_ticks);
}
