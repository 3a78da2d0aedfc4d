/* SPDX-License-Identifier: MIT */
/*
 * Runs that never were, told through runfile_put_*, of which each shows one way to cut work. Their
 * figures are few and round, so that a test can work out by hand what follows from them. Ticks
 * are ns.
 */
#pragma once

enum work_fixture {
        /* Two threads on two CPUs, all tables filled: see work-fixture.c for the figures. And a
           process that does not decode, at the same places. */
        WORK_FIXTURE,
        WORK_LONE,    /* one thread on two CPUs */
        WORK_HEALTHY, /* two threads of a pool on two CPUs, that hardly wait */
        WORK_PINNED,  /* two threads on one CPU, of which one is made for each token; they spin */
        WORK_FINE,    /* two threads made for each op, on two CPUs, and joined */
        WORK_CROWDED, /* eight threads of a pool on two CPUs */
        WORK_UNEVEN,  /* two threads on two CPUs, of which one has three quarters of the work */
        WORK_CONVOY,  /* four threads on four CPUs, and one lock */
        WORK_OUSTED,  /* two threads on two CPUs, on one of which another process runs */
        WORK_SMALL,   /* two threads on two CPUs that meet after each 2 us of work */
        WORK_BARE,    /* threads and sites only, as with INFPROF_WAITS=off */
        WORK_PASSING, /* two threads that meet, of which one is another one each time; no tokens */
        WORK_STAMPED, /* one thread on two CPUs, and a twentieth of its time is infprof's */
        WORK_SHARED,  /* as pinned, and half of the threads made share the row (later threads) */
        N_WORK_FIXTURES,
};

extern const char *const work_fixture_names[N_WORK_FIXTURES];

/* Writes the run to `path`, which must not exist; 0, or what the run file answered. */
int work_fixture_write(const char *path, enum work_fixture which);
