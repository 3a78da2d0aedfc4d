/* SPDX-License-Identifier: MIT */
/*
 * Threads that write as fast as they can: each calls forty kernels, round and round, for
 * so many seconds, and counts for itself.
 *
 *   flood THREADS SECONDS       SECONDS 0: 500 rounds and a few, then wait for a line on stdin
 *
 * Prints JSON: {"calls": {"op_00": N, ...}, "ns": CPU time of all writers}. In the
 * second form "ready" is printed before it waits.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels.h"

#define MAX_THREADS 64
#define LAPS        500u

struct writer {
        pthread_t thread;
        uint64_t laps, cpu_ns;
};

static struct writer writers[MAX_THREADS];
static unsigned n_threads;
static uint64_t end_ns; /* 0: LAPS laps */
static pthread_barrier_t written, leave;

static uint64_t now_ns(clockid_t clock)
{
        struct timespec t;

        clock_gettime(clock, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void lap(void)
{
#define CALL(n) op_##n();
        BENCH_OPS(CALL)
}

static void *write_spans(void *arg)
{
        struct writer *w = arg;
        bool more = true;

        while (more) {
                for (unsigned i = 0; i < 64;
                     i++, w->laps++) /* the clock is not what fills the rings */
                        lap();
                more = end_ns ? now_ns(CLOCK_MONOTONIC) < end_ns : w->laps < LAPS;
        }
        w->cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
        pthread_barrier_wait(&written);
        pthread_barrier_wait(&leave);
        return NULL;
}

int main(int argc, char **argv)
{
        unsigned seconds = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
        uint64_t laps = 0, cpu_ns = 0;

        n_threads = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
        if (!n_threads || n_threads > MAX_THREADS) {
                fprintf(stderr, "usage: flood THREADS SECONDS\n");
                return 2;
        }
        end_ns = seconds ? now_ns(CLOCK_MONOTONIC) + seconds * 1000000000ull : 0;
        if (pthread_barrier_init(&written, NULL, n_threads + 1) ||
            pthread_barrier_init(&leave, NULL, n_threads + 1))
                return 1;
        for (unsigned i = 0; i < n_threads; i++)
                if (pthread_create(&writers[i].thread, NULL, write_spans, &writers[i]))
                        return 1;
        pthread_barrier_wait(&written);
        if (!seconds) {
                printf("ready\n");
                fflush(stdout);
                (void)getchar();
        }
        pthread_barrier_wait(&leave);
        for (unsigned i = 0; i < n_threads; i++) {
                pthread_join(writers[i].thread, NULL);
                laps += writers[i].laps;
                cpu_ns += writers[i].cpu_ns;
        }
        printf("{\"calls\": {");
        for (unsigned i = 0; i < N_BENCH_OPS; i++)
                printf("%s\"op_%02u\": %llu", i ? ", " : "", i, (unsigned long long)laps);
        printf("}, \"ns\": %llu}\n", (unsigned long long)cpu_ns);
        return 0;
}
