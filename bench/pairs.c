/* SPDX-License-Identifier: MIT */
/*
 * malloc and free, in pairs: what a pair takes of its thread's CPU time. Run with and without the
 * shim in turns; the difference is what counting costs.
 *
 *   pairs THREADS ROUNDS
 *
 * Each round has a slice of pairs of 64 bytes, of 64 bytes to 4 KiB at random, and of those again
 * with 64 blocks alive at any time. Prints JSON: {"fixed": [ns of each slice, per pair], "uniform":
 * [...], "window": [...]}.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_THREADS 64
#define SLICE       65536u
#define N_SIZES     4096u
#define WINDOW      64u

static const char *const names[] = {"fixed", "uniform", "window"};
#define N_WAYS (sizeof(names) / sizeof(names[0]))

static uint16_t sizes[N_SIZES]; /* drawn beforehand: drawing is not what is measured */
static unsigned n_threads, n_rounds;
static double *figures; /* [thread][round][way] */
static pthread_barrier_t barrier;

static uint64_t cpu_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *take(size_t n)
{
        void *p = malloc(n);

        __asm__ volatile("" : "+r"(p)::"memory"); /* the pair may not be left out */
        return p;
}

static void fixed(void)
{
        for (unsigned i = 0; i < SLICE; i++)
                free(take(64));
}

static void uniform(void)
{
        for (unsigned i = 0; i < SLICE; i++)
                free(take(sizes[i % N_SIZES]));
}

static void window(void)
{
        void *live[WINDOW] = {0};

        for (unsigned i = 0; i < SLICE; i++) {
                unsigned at = sizes[(i + 7) % N_SIZES] % WINDOW;

                free(live[at]);
                live[at] = take(sizes[i % N_SIZES]);
        }
        for (unsigned i = 0; i < WINDOW; i++)
                free(live[i]);
}

static void (*const ways[])(void) = {fixed, uniform, window};

static void *run(void *arg)
{
        double *mine = figures + (uintptr_t)arg * n_rounds * N_WAYS;

        pthread_barrier_wait(&barrier);
        for (unsigned r = 0; r < n_rounds; r++) {
                for (unsigned w = 0; w < N_WAYS; w++) {
                        uint64_t from = cpu_ns();

                        ways[w]();
                        mine[r * N_WAYS + w] = (double)(cpu_ns() - from) / SLICE;
                }
        }
        return NULL;
}

int main(int argc, char **argv)
{
        pthread_t threads[MAX_THREADS];
        uint64_t x = 88172645463325252ull;

        n_threads = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
        n_rounds = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
        if (!n_threads || n_threads > MAX_THREADS || !n_rounds) {
                fprintf(stderr, "usage: pairs THREADS ROUNDS\n");
                return 2;
        }
        for (unsigned i = 0; i < N_SIZES; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                sizes[i] = (uint16_t)(64 + x % (4096 - 64 + 1));
        }
        figures = calloc((size_t)n_threads * n_rounds * N_WAYS, sizeof(*figures));
        if (!figures || pthread_barrier_init(&barrier, NULL, n_threads))
                return 1;
        for (unsigned i = 1; i < n_threads; i++)
                if (pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i))
                        return 1;
        run(NULL);
        for (unsigned i = 1; i < n_threads; i++)
                pthread_join(threads[i], NULL);
        for (unsigned w = 0; w < N_WAYS; w++) {
                printf("%s\"%s\": [", w ? ", " : "{", names[w]);
                for (unsigned i = 0; i < n_threads * n_rounds; i++)
                        printf("%s%.3f", i ? ", " : "", figures[i * N_WAYS + w]);
                printf("]");
        }
        printf("}\n");
        return 0;
}
