/* SPDX-License-Identifier: MIT */
/*
 * Calls kernels of libbenchkernels.so in slices, one kernel after the other, round by round, and
 * says what a call of each took of its thread's CPU time. Whether a call is a profiled one is
 * decided outside, by LD_PRELOAD and INFPROF_KERNELS; this program only calls and counts.
 *
 *   calls [--threads N] [--rounds N] [--slice N] [--nap-us N] [--steps N] [--alone] [--wait]
 *         KERNEL...
 *
 * KERNEL is a kernel's name, or tsc: two rdtsc; or marker, marker_off, named, counter: the bare
 * kernel in a marker, or behind a count. Between slices each thread naps, so that a reader
 * may keep up. With --alone nobody else is given the processor in the midst of a slice, where the
 * system lets us ask for that. With --wait each kernel is called once, "ready" is printed, and a
 * line on stdin is waited for.
 *
 * Prints JSON: {name: {"calls": N, "ns": [of each slice, per call, first thread first]}}.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <infprof/arch.h>
#include <infprof/infprof.h>

#include "kernels.h"

#define MAX_THREADS 64
#define MAX_KERNELS 16

/* What is called is named at the call, as an engine does it: through the PLT. */
#define KERNELS(X)                                                                                 \
        X(empty_bare)                                                                              \
        X(empty_plain) X(empty_args) X(empty_hot) X(empty_off) X(work_bare) X(work_full) X(work_hot)

#define LOOP(name)                                                                                 \
        __attribute__((noinline, aligned(64))) static void loop_##name(uint64_t n)                 \
        {                                                                                          \
                while (n--)                                                                        \
                        name();                                                                    \
        }
KERNELS(LOOP)

static volatile uint64_t sink;

__attribute__((noinline, aligned(64))) static void loop_tsc(uint64_t n)
{
        uint64_t sum = 0;

        while (n--) {
                uint64_t start = ifp_ticks();

                sum += ifp_ticks() - start;
        }
        sink = sum;
}

/* The bare kernel in a marker of that name, and behind a count. */
#define MARKED(name)                                                                               \
        __attribute__((noinline, aligned(64))) static void loop_##name(uint64_t n)                 \
        {                                                                                          \
                while (n--) {                                                                      \
                        INFPROF_SCOPE(#name);                                                      \
                        empty_bare();                                                              \
                }                                                                                  \
        }
MARKED(marker)
MARKED(marker_off)

__attribute__((noinline, aligned(64))) static void loop_named(uint64_t n)
{
        while (n--) {
                infprof_begin_named("named");
                empty_bare();
                infprof_end_named("named");
        }
}

__attribute__((noinline, aligned(64))) static void loop_counter(uint64_t n)
{
        while (n--) {
                infprof_count("counter", 1);
                empty_bare();
        }
}

struct kernel {
        const char *name;
        void (*loop)(uint64_t n);
};

#define ENTRY(name) {#name, loop_##name},
static const struct kernel table[] = {KERNELS(ENTRY) ENTRY(marker) ENTRY(marker_off) ENTRY(named)
                                              ENTRY(counter) ENTRY(tsc)};

static const struct kernel *kernels[MAX_KERNELS];
static unsigned n_kernels, n_threads = 1, n_rounds = 41, slice = 8192, nap_us = 2000;
static double *figures; /* [thread][round][kernel] */
static pthread_barrier_t barrier;

static uint64_t cpu_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *run(void *arg)
{
        double *mine = figures + (uintptr_t)arg * n_rounds * n_kernels;
        struct timespec nap = {0, nap_us * 1000l};

        pthread_barrier_wait(&barrier);
        for (unsigned r = 0; r < n_rounds; r++) {
                for (unsigned i = 0; i < n_kernels; i++) {
                        unsigned k = (i + r) % n_kernels;
                        uint64_t from;

                        if (nap_us)
                                nanosleep(&nap, NULL);
                        kernels[k]->loop(64); /* what napping cooled down */
                        from = cpu_ns();
                        kernels[k]->loop(slice);
                        mine[r * n_kernels + k] = (double)(cpu_ns() - from) / slice;
                }
        }
        return NULL;
}

static void print(bool waited)
{
        uint64_t calls = (uint64_t)n_threads * n_rounds * (slice + 64) + waited;

        for (unsigned k = 0; k < n_kernels; k++) {
                printf("%s\"%s\": {\"calls\": %llu, \"ns\": [", k ? ", " : "{", kernels[k]->name,
                       (unsigned long long)calls);
                for (unsigned i = 0; i < n_threads * n_rounds; i++)
                        printf("%s%.3f", i ? ", " : "", figures[i * n_kernels + k]);
                printf("]}");
        }
        printf("}\n");
}

static void usage(void)
{
        fprintf(stderr, "calls: see the head of bench/calls.c\n");
        exit(2);
}

static void add_kernel(const char *name)
{
        for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                if (n_kernels < MAX_KERNELS && !strcmp(table[i].name, name)) {
                        kernels[n_kernels++] = &table[i];
                        return;
                }
        }
        usage();
}

static bool parse(int argc, char **argv)
{
        bool wait = false;

        for (int i = 1; i < argc; i++) {
                const char *a = argv[i];
                unsigned *to = !strcmp(a, "--threads")  ? &n_threads
                               : !strcmp(a, "--rounds") ? &n_rounds
                               : !strcmp(a, "--slice")  ? &slice
                               : !strcmp(a, "--nap-us") ? &nap_us
                               : !strcmp(a, "--steps")  ? &bench_steps
                                                        : NULL;

                if (!strcmp(a, "--wait"))
                        wait = true;
                else if (!strcmp(a, "--alone"))
                        (void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1});
                else if (to && ++i < argc)
                        *to = (unsigned)atoi(argv[i]);
                else
                        add_kernel(a);
        }
        if (!n_kernels || !n_threads || n_threads > MAX_THREADS || !n_rounds || !slice)
                usage();
        return wait;
}

int main(int argc, char **argv)
{
        bool wait = parse(argc, argv);
        pthread_t threads[MAX_THREADS];

        figures = calloc((size_t)n_threads * n_rounds * n_kernels, sizeof(*figures));
        if (!figures || pthread_barrier_init(&barrier, NULL, n_threads))
                return 1;
        for (unsigned k = 0; wait && k < n_kernels; k++)
                kernels[k]->loop(1);
        if (wait) {
                printf("ready\n");
                fflush(stdout);
                if (getchar() == EOF)
                        return 1;
        }
        for (unsigned i = 1; i < n_threads; i++)
                if (pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i))
                        return 1;
        run(NULL);
        for (unsigned i = 1; i < n_threads; i++)
                pthread_join(threads[i], NULL);
        print(wait);
        return 0;
}
