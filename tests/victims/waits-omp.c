/* SPDX-License-Identifier: MIT */
/*
 * waits-omp TEAM: OpenMP regions, a known number from each of two functions: in one the work is the
 * same for all, in the other thread 0 has TEAM times as much of it (naps, so that it needs no
 * core). Each thread's busy time by its own stopwatch; then one region with an explicit barrier.
 */
#include "told.h"

#include <omp.h>

enum { EVEN = 20, ODD = 15, BARRIERS = 10, MAX_TEAM = 64 };

static uint64_t busy_ns[2][MAX_TEAM], region_ns[2];
static _Atomic int tids[MAX_TEAM];
static _Atomic long members;

static void work(int which, long ms)
{
        uint64_t since = now_ns();
        int i = omp_get_thread_num();

        nap_ms(ms);
        busy_ns[which][i] += now_ns() - since;
        atomic_store(&tids[i], my_tid());
        atomic_fetch_add(&members, 1);
}

__attribute__((noinline)) static void even(void)
{
        uint64_t since = now_ns();

#pragma omp parallel
        work(0, 2);
        region_ns[0] += now_ns() - since;
}

__attribute__((noinline)) static void odd(void)
{
        uint64_t since = now_ns();

#pragma omp parallel
        work(1, omp_get_thread_num() ? 2 : 2 * omp_get_num_threads());
        region_ns[1] += now_ns() - since;
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

static void list(const char *name, const uint64_t *ns, int n)
{
        printf(", \"%s\": [", name);
        for (int i = 0; i < n; i++)
                printf("%s%llu", i ? ", " : "", (unsigned long long)ns[i]);
        printf("]");
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
               "\"region_ns\": {\"even\": %llu, \"odd\": %llu}, \"barriers\": %d, \"last_tid\": %d",
               team, EVEN, ODD, (unsigned long long)region_ns[0], (unsigned long long)region_ns[1],
               BARRIERS, tids[0]);
        list("even_busy_ns", busy_ns[0], team);
        list("odd_busy_ns", busy_ns[1], team);
        printf("}\n");
        return 0;
}
