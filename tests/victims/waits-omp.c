/* SPDX-License-Identifier: MIT */
/*
 * waits-omp TEAM: OpenMP regions, a known number from each of two functions: in one the work is the
 * same for all, in the other thread 0 has TEAM times as much of it (naps, so that it needs no
 * core). Each thread stamps the end of its part, so that who came last, and how long the others
 * waited for it, is known whenever who had a CPU; then one region with an explicit barrier.
 */
#include "told.h"

#include <omp.h>

enum { EVEN = 20, ODD = 15, BARRIERS = 10, MAX_TEAM = 64 };

static uint64_t region_ns[2];
static int tids[MAX_TEAM], last[MAX_TEAM];        /* last: in how many odd regions */
static uint64_t done_ns[MAX_TEAM], odd_waited_ns; /* done_ns: in this region */
static _Atomic int n_done;                        /* of this region */
static int last_done;
static long members;

static void work(long ms)
{
        int i = omp_get_thread_num();

        nap_ms(ms);
        tids[i] = my_tid();
        done_ns[i] = now_ns();
        if (atomic_fetch_add(&n_done, 1) + 1 == omp_get_num_threads())
                last_done = i;
}

__attribute__((noinline)) static void even(void)
{
        uint64_t since = now_ns();

#pragma omp parallel
        work(2);
        region_ns[0] += now_ns() - since;
        members += atomic_exchange(&n_done, 0);
}

/* All wait for the last; the thread that began the region, until it goes on after that. */
__attribute__((noinline)) static void odd(void)
{
        uint64_t since = now_ns(), end;
        int n;

#pragma omp parallel
        work(omp_get_thread_num() ? 2 : 2 * omp_get_num_threads());
        end = now_ns();
        region_ns[1] += end - since;
        n = atomic_exchange(&n_done, 0);
        members += n;
        last[last_done]++;
        for (int i = 0; i < n; i++)
                if (i != last_done)
                        odd_waited_ns += (i ? done_ns[last_done] : end) - done_ns[i];
}

/* In each turn another thread is late. */
__attribute__((noinline)) static void meet(void)
{
#pragma omp parallel
        for (int k = 0; k < BARRIERS; k++) {
                if (omp_get_thread_num() == k % omp_get_num_threads())
                        nap_ms(3);
#pragma omp barrier
        }
}

__attribute__((noinline)) static long sum_of_loop(void)
{
        long sum = 0;

#pragma omp parallel for schedule(dynamic, 10) reduction(+ : sum)
        for (int i = 0; i < 1000; i++) {
#pragma omp critical
                sum += i;
        }
        return sum;
}

int main(int argc, char **argv)
{
        int team = argc > 1 ? atoi(argv[1]) : 3;

        expect(team > 0 && team <= MAX_TEAM, "a team of 1 to 64");
        omp_set_dynamic(0);
        omp_set_num_threads(team);
        for (int i = 0; i < EVEN; i++)
                even();
        for (int i = 0; i < ODD; i++)
                odd();
        expect(members == (EVEN + ODD) * (long)team, "all teams are whole");
        meet();
        expect(sum_of_loop() == 499500, "the sum of a loop");
        printf("{\"team\": %d, \"regions\": {\"even\": %d, \"odd\": %d, \"meet\": 1, "
               "\"sum_of_loop\": 1}, "
               "\"region_ns\": {\"even\": %llu, \"odd\": %llu}, \"barriers\": %d, "
               "\"odd_waited_ns\": %llu, \"last\": {",
               team, EVEN, ODD, (unsigned long long)region_ns[0], (unsigned long long)region_ns[1],
               BARRIERS, (unsigned long long)odd_waited_ns);
        for (int i = 0; i < team; i++)
                printf("%s\"%d\": %d", i ? ", " : "", tids[i], last[i]);
        printf("}}\n");
        return 0;
}
