/* SPDX-License-Identifier: MIT */
/*
 * A victim that looks into its own segment: what it has waited for and spawned, held against what
 * the shim wrote of it.
 */
#pragma once

#include <infprof/segment.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* ---- the segment ---- */

extern struct ifp_segment *seg; /* NULL: there is no shim */

void find_segment(void);
struct ifp_lane *lane_of(int tid); /* the live lane of a thread; dies where there is none */
struct ifp_lane *my_lane(void);
int my_tid(void);

/* Sums over the entries of one kind and object (0: all) of a lane (NULL: all). */
struct sums {
        uint64_t entries, count, ticks, left, timeouts, last, unknown, by, others;
        uint64_t hist;            /* values in the histograms */
        uint32_t flags;           /* of all, or-ed */
        const struct ifp_wait *e; /* the last one seen */
};
struct sums waits_of(const struct ifp_lane *lane, uint32_t kind, const void *object);
/* Waits of that kind and object blamed on a lane. */
uint64_t blamed(uint32_t kind, const void *object, const struct ifp_lane *lane, uint32_t gen);
/* What must hold of every entry and lane. Called after each case. */
void check_all(void);

/* A function that stacks are looked for: it has so much room to itself. */
#define PLACE_BYTES 1024
#define PLACE       __attribute__((noinline, aligned(PLACE_BYTES), section(".text.places")))
/* Does the stack pass through it? */
bool passes(uint32_t stack, const void *function);

/* ---- cases ---- */

#define CHECK(condition) check_((condition), #condition, __FILE__, __LINE__)
#define EQUAL(got, wanted)                                                                         \
        equal_((uint64_t)(got), (uint64_t)(wanted), #got " == " #wanted, __FILE__, __LINE__)
#define AT_LEAST(got, least)                                                                       \
        check_((uint64_t)(got) >= (uint64_t)(least), #got " >= " #least, __FILE__, __LINE__)

int n_failed(void); /* of this case, so far */
void check_(bool ok, const char *what, const char *file, int line);
void equal_(uint64_t got, uint64_t wanted, const char *what, const char *file, int line);

void nap(unsigned ms);   /* not seen by the shim */
uint64_t ms_ticks(void); /* in a millisecond, measured here */
struct timespec in_ms(clockid_t clock, long ms);
/* Waits, unseen, until the thread has such a wait in progress. */
void until_waiting(int tid, uint32_t kind, const void *object);

/* A time by that clock: far, or near. */
#define LATER(clock) (&(struct timespec[]){in_ms(clock, 20000)}[0])
#define SOON(clock)  (&(struct timespec[]){in_ms(clock, 5)}[0])

/* Two threads in step: one reaches a number, the other awaits it, unseen. */
extern volatile int phase;
extern int other_tid; /* of the thread that start() started: it sets this and reaches 1 */
void reach(int p);
void await(int p);
pthread_t start(void *(*fn)(void *), void *arg);
void *takes_mutex(void *arg); /* for start(): the mutex, and gives it back */
/* The mutex is taken here, and wanted by another thread for a moment. */
void contend(pthread_mutex_t *m);

struct named_case {
        const char *name;
        void (*run)(void);
};
int run_cases(const struct named_case *cases, size_t n, int argc, char **argv);
