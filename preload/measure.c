/* SPDX-License-Identifier: MIT */
/*
 * What a timed call costs on this machine: an empty function is called
 * through a stub, on a lane of its own that is thrown away, and directly.
 * stamp_ticks is the shortest span seen: the stamps' own share, which is taken off every span.
 * span_ticks is the median of what a call costs more.
 */
#include "preload/shim.h"

#include <sys/mman.h>

#define ROUNDS 9
#define CALLS  128

uint64_t ifp_stamp;

static const uint8_t switch_on = 1;

__attribute__((noinline)) static void nothing(void)
{
        __asm__ volatile("");
}

static uint64_t time_calls(void (*fn)(void))
{
        uint64_t start = ifp_ticks();

        for (int i = 0; i < CALLS; i++) {
                fn();
                __asm__ volatile("" : "+r"(fn));
        }
        return ifp_ticks() - start;
}

static uint64_t median(uint64_t *v, int n)
{
        for (int i = 1; i < n; i++)
                for (int j = i; j && v[j] < v[j - 1]; j--) {
                        uint64_t t = v[j];

                        v[j] = v[j - 1];
                        v[j - 1] = t;
                }
        return v[n / 2];
}

void ifp_measure(void)
{
        uint64_t more[ROUNDS], shortest = ~0ull;
        uint16_t busy = ifp_tls.busy;
        struct ifp_lane *lane;
        uint32_t i;
        long at;

        at = IFP_SYS(mmap, NULL, sizeof(*lane), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (ifp_sys_failed(at) || !ifp_stub_new(&i))
                return;
        lane = (struct ifp_lane *)at;
        ifp_stubs[i] =
                (struct ifp_stub){.target = (void *)(uintptr_t)nothing,
                                  .sw = &switch_on,
                                  .op = IFP_OP_OTHER,
                                  .plain_op = (uint64_t)IFP_OP_OTHER << 48,
                                  .row = (uint32_t)(offsetof(struct ifp_lane, time[IFP_OP_OTHER])),
                                  .load = UINT32_MAX};
        lane->open[0].sp = ~0ull;
        ifp_tls.lane = ifp_tls.fast = lane;
        ifp_tls.busy = 0;
        for (int r = 0; r < ROUNDS; r++) {
                uint64_t with = time_calls((void (*)(void))(uintptr_t)ifp_stub_entry(i));
                uint64_t without = time_calls(nothing);

                more[r] = with > without ? (with - without) / CALLS : 0;
        }
        for (uint32_t r = 0; r < ROUNDS * CALLS; r++)
                if (ifp_record_dur(&lane->ring[r]) < shortest)
                        shortest = ifp_record_dur(&lane->ring[r]);
        ifp_tls.lane = ifp_tls.fast = NULL;
        ifp_tls.busy = busy;
        ifp_seg->header.stamp_ticks = ifp_stamp = shortest;
        ifp_seg->header.span_ticks = median(more, ROUNDS);
        IFP_SYS(munmap, lane, sizeof(*lane));
}
