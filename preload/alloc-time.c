/* SPDX-License-Identifier: MIT */
/* Stamps around calls of the allocator; see alloc-time.h. */
#include "preload/alloc-time.h"
#include "preload/wait.h"

/* Uniform in 0 .. 2 (n - 1): a call is taken with the chance 1 / n. */
void ifp_watch_next(struct ifp_tls *tls)
{
        uint32_t x = tls->seed ? tls->seed : (uint32_t)ifp_ticks() | 1;

        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        tls->seed = x;
        tls->watch_left = (uint32_t)((uint64_t)x * (2 * (IFP_WATCH_INTERVAL - 1) + 1) >> 32);
}

uint64_t ifp_watch_begin(void)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = tls->fast;

        if (!ifp_waits_on || !lane || tls->busy || !ifp_alive() || lane->waits.in_alloc)
                return 0; /* it serves the ledger */
        lane->waits.in_alloc = 1;
        return ifp_ticks();
}

void ifp_watch_end(uint64_t start, size_t bytes)
{
        uint64_t dur = ifp_ticks() - start;
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = tls->lane;

        if (bytes < IFP_WATCH_ALL)
                ifp_watch_next(tls);
        if (!start || !lane || tls->crowd || !ifp_alive())
                return;
        lane->waits.in_alloc = 0;
        dur = dur > ifp_stamp ? dur - ifp_stamp : 0;
        if (bytes < IFP_WATCH_ALL)
                dur *= IFP_WATCH_INTERVAL;
        ifp_local_add(&lane->waits.alloc_ticks[ifp_state_here(lane)], dur);
}
