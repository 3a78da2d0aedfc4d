/* SPDX-License-Identifier: MIT */
/*
 * Locks that are free, barriers of one, threads that are made and joined: what a pair of calls
 * takes. Run with and without the shim in turns; the difference is what watching costs.
 *
 *   locks ROUNDS WAY...
 *
 * Prints JSON: {WAY: {"cpu": [ns a pair, of each slice], "elapsed": [...]}}. CPU time is the
 * thread's own, but for spawns, where it is the process's: the new thread's part is in it.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_ROUNDS 1000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spinlock;
static pthread_barrier_t barrier;
static sem_t sem;

static void lock_mutex(void)
{
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
}

static void lock_read(void)
{
        pthread_rwlock_rdlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
}

static void lock_write(void)
{
        pthread_rwlock_wrlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
}

static void lock_spin(void)
{
        pthread_spin_lock(&spinlock);
        pthread_spin_unlock(&spinlock);
}

static void use_sem(void)
{
        sem_wait(&sem);
        sem_post(&sem);
}

static void meet_alone(void)
{
        pthread_barrier_wait(&barrier);
}

static void *live(void *arg)
{
        return arg;
}

static void spawn(void)
{
        pthread_t t;

        if (pthread_create(&t, NULL, live, NULL))
                abort();
        pthread_join(t, NULL);
}

static const struct way {
        const char *name;
        void (*pair)(void);
        unsigned slice;
        clockid_t clock;
} ways[] = {
        {"mutex", lock_mutex, 65536, CLOCK_THREAD_CPUTIME_ID},
        {"rwlock-read", lock_read, 65536, CLOCK_THREAD_CPUTIME_ID},
        {"rwlock-write", lock_write, 65536, CLOCK_THREAD_CPUTIME_ID},
        {"spinlock", lock_spin, 65536, CLOCK_THREAD_CPUTIME_ID},
        {"semaphore", use_sem, 65536, CLOCK_THREAD_CPUTIME_ID},
        {"barrier", meet_alone, 8192, CLOCK_THREAD_CPUTIME_ID},
        {"spawn", spawn, 256, CLOCK_PROCESS_CPUTIME_ID},
};

static double now_ns(clockid_t clock)
{
        struct timespec t;

        clock_gettime(clock, &t);
        return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void list(const char *name, const double *ns, unsigned n)
{
        printf("\"%s\": [", name);
        for (unsigned i = 0; i < n; i++)
                printf("%s%.3f", i ? ", " : "", ns[i]);
        printf("]");
}

static void measure(const struct way *w, unsigned rounds)
{
        double cpu[MAX_ROUNDS], elapsed[MAX_ROUNDS];

        for (unsigned r = 0; r < rounds; r++) {
                double from_cpu = now_ns(w->clock), from = now_ns(CLOCK_MONOTONIC);

                for (unsigned i = 0; i < w->slice; i++)
                        w->pair();
                elapsed[r] = (now_ns(CLOCK_MONOTONIC) - from) / w->slice;
                cpu[r] = (now_ns(w->clock) - from_cpu) / w->slice;
        }
        printf("\"%s\": {", w->name);
        list("cpu", cpu, rounds);
        printf(", ");
        list("elapsed", elapsed, rounds);
        printf("}");
}

int main(int argc, char **argv)
{
        unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
        const char *comma = "{";

        if (!rounds || rounds > MAX_ROUNDS || argc < 3) {
                fprintf(stderr, "usage: locks ROUNDS WAY...\n");
                return 2;
        }
        pthread_spin_init(&spinlock, 0);
        pthread_barrier_init(&barrier, NULL, 1);
        sem_init(&sem, 0, 1);
        for (int a = 2; a < argc; a++)
                for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
                        if (!strcmp(argv[a], ways[i].name)) {
                                printf("%s", comma);
                                measure(&ways[i], rounds);
                                comma = ", ";
                        }
        printf("}\n");
        return 0;
}
