/* SPDX-License-Identifier: MIT */
/*
 * How many records a second one core drains into distributions by op, thread
 * and phase. The records lie in memory as the writers leave them; writing them is not counted.
 * Rounds of 8 full rings, 60 ops in 3 phases, durations over four octaves; the
 * median of the rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/drain.h"
#include "fake-segment.h"

#define N_LANES  8u
#define N_OPS    60u
#define N_ROUNDS 101

static uint64_t cpu_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static uint64_t next(uint64_t *x)
{
        *x ^= *x << 13;
        *x ^= *x >> 7;
        *x ^= *x << 17;
        return *x;
}

/* What a thread does: the ops of a graph one after the other, again and again. */
static void fill(struct ifp_lane *l, uint32_t first_op, uint64_t *seed)
{
        for (uint32_t i = 0; i < IFP_RING_SLOTS; i++) {
                uint64_t dur = 200 + (next(seed) & 2047), op = first_op + i % N_OPS;
                uint64_t phase = IFP_PHASE_LOAD + i / (IFP_RING_SLOTS / 3 + 1);

                ifp_ring_push(&l->writer, &l->reader, l->ring,
                              &(struct ifp_record){i, dur | op << 48, phase << 56, 0, 0});
        }
}

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return x < y ? -1 : x > y;
}

int main(void)
{
        struct drain_lane lanes[N_LANES];
        double rates[N_ROUNDS];
        uint64_t seed = 88172645463325252ull, all = 0;
        uint32_t first = 0;
        struct drain d;
        struct fake f;

        fake_new(&f, N_LANES + 1);
        for (uint32_t i = 0; i < N_OPS; i++) {
                char name[32];
                uint32_t op;

                snprintf(name, sizeof(name), "op-%u", i);
                op = fake_op(&f, name, IFP_KIND_KERNEL);
                first = i ? first : op;
        }
        drain_init(&d);
        for (uint32_t i = 0; i < N_LANES; i++) {
                fake_lane_begin(&f, i, (int)i);
                drain_lane_init(&lanes[i], 0);
        }
        for (int r = 0; r < N_ROUNDS; r++) {
                uint64_t begin, n, sum = 0;

                for (uint32_t i = 0; i < N_LANES; i++)
                        fill(&f.seg->lanes[i], first, &seed);
                begin = cpu_ns();
                for (uint32_t i = 0; i < N_LANES; i++) {
                        if (drain_lane(&d, &lanes[i], &f.seg->lanes[i], &f.seg->live.n_ops, &n)) {
                                fprintf(stderr, "drain: refused\n");
                                return 1;
                        }
                        sum += n;
                }
                rates[r] = (double)sum * 1e3 / (double)(cpu_ns() - begin);
                all += sum;
        }
        qsort(rates, N_ROUNDS, sizeof(*rates), compare);
        printf("{\"bench\": \"drain\", \"unit\": \"million spans per second on one core\", "
               "\"spans\": "
               "%llu, \"median\": %.1f, \"min\": %.1f, \"max\": %.1f, \"budget\": 100}\n",
               (unsigned long long)all, rates[N_ROUNDS / 2], rates[0], rates[N_ROUNDS - 1]);
        for (uint32_t i = 0; i < N_LANES; i++)
                drain_lane_done(&lanes[i]);
        drain_done(&d);
        fake_free(&f);
        return all == (uint64_t)N_ROUNDS * N_LANES * IFP_RING_SLOTS ? 0 : 1;
}
