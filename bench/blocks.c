/* SPDX-License-Identifier: MIT */
/*
 * malloc and free in pairs, for profilers of the heap: what a pair takes of its thread's CPU time,
 * by mix of sizes and by the depth of calls it is made at. Run with and without a profiler in
 * turns.
 *
 *   blocks THREADS ROUNDS PAIRS [WAY...]
 *
 * Each round has a slice of PAIRS pairs of every way named, of all by default. Prints JSON: {"cpu":
 * {"uniform": [ns of each slice, per pair], ...}, "elapsed": the same}. CPU time is the thread's
 * own.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS 64
#define N_SIZES     4096u
#define WINDOW      64u

/* Ways end in the number of calls around the loop; frames-20 in that of all frames. */
static const struct way {
        const char *name;
        unsigned mix, depth;
} all_ways[] = {
        {"uniform", 0, 0}, {"uniform-20", 0, 20}, {"small", 1, 0},      {"small-20", 1, 20},
        {"octaves", 2, 0}, {"octaves-20", 2, 20}, {"window-20", 3, 20}, {"frames-20", 1, 13},
};
#define N_ALL (sizeof(all_ways) / sizeof(all_ways[0]))

static struct way ways[N_ALL];
static uint32_t sizes[3][N_SIZES]; /* drawn beforehand: drawing is not what is measured */
static unsigned n_threads, n_rounds, n_pairs, n_ways;
static double *figures[2]; /* CPU, elapsed: [thread][round][way] */
static pthread_barrier_t barrier;

static const clockid_t clocks[2] = {CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC};

static double now_ns(int clock)
{
        struct timespec t;

        clock_gettime(clocks[clock], &t);
        return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *take(size_t n)
{
        void *p = malloc(n);

        __asm__ volatile("" : "+r"(p)::"memory"); /* the pair may not be left out */
        return p;
}

static __attribute__((noinline)) void pairs(const uint32_t *of)
{
        for (unsigned i = 0; i < n_pairs; i++)
                free(take(of[i % N_SIZES]));
}

/* The same with 64 blocks alive at any time. */
static __attribute__((noinline)) void window(const uint32_t *of)
{
        void *live[WINDOW] = {0};

        for (unsigned i = 0; i < n_pairs; i++) {
                unsigned at = of[(i + 7) % N_SIZES] % WINDOW;

                free(live[at]);
                live[at] = take(of[i % N_SIZES]);
        }
        for (unsigned i = 0; i < WINDOW; i++)
                free(live[i]);
}

static __attribute__((noinline)) void at_depth(unsigned depth, unsigned mix)
{
        if (depth)
                at_depth(depth - 1, mix);
        else if (mix == 3)
                window(sizes[0]);
        else
                pairs(sizes[mix]);
        __asm__ volatile("" ::: "memory"); /* a frame of its own */
}

static void *run(void *arg)
{
        size_t at = (uintptr_t)arg * n_rounds * n_ways;

        pthread_barrier_wait(&barrier);
        for (unsigned r = 0; r < n_rounds; r++) {
                for (unsigned w = 0; w < n_ways; w++, at++) {
                        double from[2] = {now_ns(0), now_ns(1)};

                        at_depth(ways[w].depth, ways[w].mix);
                        for (int c = 0; c < 2; c++)
                                figures[c][at] = (now_ns(c) - from[c]) / n_pairs;
                }
        }
        return NULL;
}

static void print(const double *of)
{
        for (unsigned w = 0; w < n_ways; w++) {
                printf("%s\"%s\": [", w ? ", " : "{", ways[w].name);
                for (unsigned i = 0; i < n_threads * n_rounds; i++)
                        printf("%s%.3f", i ? ", " : "", of[i * n_ways + w]);
                printf("]");
        }
        printf("}");
}

static void draw(void)
{
        uint64_t x = 88172645463325252ull;

        for (unsigned i = 0; i < N_SIZES; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                sizes[0][i] = (uint32_t)(64 + x % (4096 - 64 + 1));
                sizes[1][i] = (uint32_t)(16 + x % (256 - 16 + 1));
                sizes[2][i] = 1u << (4 + x % 12); /* 16 B to 64 KiB, as many in each octave */
                sizes[2][i] += (uint32_t)(x >> 32) & (sizes[2][i] - 1);
        }
}

static void choose(int argc, char **argv)
{
        for (unsigned i = 0; i < N_ALL; i++) {
                int wanted = argc <= 4;

                for (int k = 4; k < argc; k++)
                        wanted |= !strcmp(argv[k], all_ways[i].name);
                if (wanted)
                        ways[n_ways++] = all_ways[i];
        }
}

int main(int argc, char **argv)
{
        pthread_t threads[MAX_THREADS];

        if (argc >= 4) {
                n_threads = (unsigned)atoi(argv[1]);
                n_rounds = (unsigned)atoi(argv[2]);
                n_pairs = (unsigned)atoi(argv[3]);
        }
        choose(argc, argv);
        if (!n_threads || n_threads > MAX_THREADS || !n_rounds || !n_pairs || !n_ways) {
                fprintf(stderr, "usage: blocks THREADS ROUNDS PAIRS [WAY...]\n");
                return 2;
        }
        draw();
        for (int c = 0; c < 2; c++)
                figures[c] = calloc((size_t)n_threads * n_rounds * n_ways, sizeof(*figures[c]));
        if (!figures[0] || !figures[1] || pthread_barrier_init(&barrier, NULL, n_threads))
                return 1;
        for (unsigned i = 0; i < n_threads; i++)
                if (pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i))
                        return 1;
        for (unsigned i = 0; i < n_threads; i++)
                pthread_join(threads[i], NULL);
        printf("{\"cpu\": ");
        print(figures[0]);
        printf(", \"elapsed\": ");
        print(figures[1]);
        printf("}\n");
        return 0;
}
