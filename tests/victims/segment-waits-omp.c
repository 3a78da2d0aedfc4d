/* SPDX-License-Identifier: MIT */
/* OpenMP by libgomp: regions, their teams, the barriers called and those that end a region. */
#include "segment-waits.h"

#include <omp.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 200

static struct ifp_site *region_of(const void *function)
{
        struct ifp_site *found = NULL;

        for (uint32_t i = 0; i < seg->live.n_sites; i++)
                if (seg->sites[i].kind == IFP_SPAWN_OMP && passes(seg->sites[i].stack, function)) {
                        CHECK(!found);
                        found = &seg->sites[i];
                }
        CHECK(found);
        return found;
}

static uint64_t calls_of(const char *name)
{
        uint64_t n = 0;

        for (uint32_t op = 0; op < seg->live.n_ops; op++) {
                const char *s = seg->names + seg->ops[op].name;
                uint32_t i = 0;

                while (s[i] && s[i] == name[i])
                        i++;
                if (s[i] != name[i])
                        continue;
                EQUAL(seg->ops[op].kind, IFP_KIND_WAIT);
                for (uint32_t l = 0; l < seg->live.n_lanes_used; l++)
                        for (uint32_t p = 0; p < IFP_N_PHASES; p++)
                                n += seg->lanes[l].time[op][p].timed;
        }
        return n;
}

/* A lane's time in ops. */
static uint64_t op_ticks(const struct ifp_lane *lane)
{
        uint64_t n = 0;

        for (uint32_t op = IFP_OP_FIRST; op < seg->live.n_ops; op++)
                for (uint32_t p = 0; p < IFP_N_PHASES; p++)
                        n += lane->time[op][p].total;
        return n;
}

/* Sums of barriers since then. */
static struct sums barriers(struct sums before)
{
        struct sums now = waits_of(NULL, IFP_WAIT_BARRIER, NULL);

        now.count -= before.count;
        now.last -= before.last;
        now.unknown -= before.unknown;
        return now;
}

static void check_region(struct ifp_site *s, uint64_t rounds, uint64_t team)
{
        EQUAL(s->count, rounds);
        EQUAL(s->ended, rounds);
        EQUAL(s->team, rounds * team);
        EQUAL(s->live, 0);
        EQUAL(s->peak, 1);
        CHECK(s->life_ticks > s->cost_ticks);
}

static PLACE void plain(int threads, int rounds)
{
        for (int i = 0; i < rounds; i++) {
#pragma omp parallel num_threads(threads)
                nap(0);
        }
        __asm__ volatile("");
}

static void regions(void)
{
        struct sums before = waits_of(NULL, IFP_WAIT_BARRIER, NULL), s;
        uint64_t spawns = seg->live.spawns;

        plain(3, ROUNDS);
        check_region(region_of((const void *)plain), ROUNDS, 3);
        EQUAL(seg->live.spawns, spawns + 2); /* the pool's threads; a region is none */
        s = barriers(before);                /* each region ends with one */
        EQUAL(s.last, ROUNDS);
        EQUAL(s.count, ROUNDS * 2);
        EQUAL(s.unknown, 0);
}

static PLACE void with_barrier(int rounds)
{
        for (int i = 0; i < rounds; i++) {
#pragma omp parallel num_threads(2)
                {
                        if (omp_get_thread_num())
                                nap(2);
#pragma omp barrier
                        if (!omp_get_thread_num())
                                nap(2);
                }
        }
        __asm__ volatile("");
}

static void barriers_that_are_called(void)
{
        struct ifp_lane *me = my_lane();
        struct sums before = waits_of(NULL, IFP_WAIT_BARRIER, NULL),
                    mine = waits_of(me, IFP_WAIT_BARRIER, NULL), s;
        uint64_t ms = ms_ticks(), ticks,
                 in_state = me->waits.in_state[IFP_STATE_NONE][IFP_GROUP_BARRIER] +
                            me->waits.in_state[IFP_STATE_WAIT][IFP_GROUP_BARRIER];

        with_barrier(50);
        check_region(region_of((const void *)with_barrier), 50, 2);
        s = barriers(before);
        EQUAL(s.count + s.last, 50 * 4);
        EQUAL(s.last, 50 * 2);
        EQUAL(s.unknown, 0);
        EQUAL(calls_of("GOMP_barrier"), 100);
        /* this thread waits at the one called, the other at the region's end */
        s = waits_of(me, IFP_WAIT_BARRIER, NULL);
        AT_LEAST(s.count - mine.count, 20); /* other programs may have it otherwise at times */
        AT_LEAST(s.ticks - mine.ticks, 40 * ms);
        CHECK(s.flags & IFP_WAIT_SPINS);
        /* what an op tells already is not told again by state */
        ticks = s.ticks - mine.ticks;
        in_state = me->waits.in_state[IFP_STATE_NONE][IFP_GROUP_BARRIER] +
                   me->waits.in_state[IFP_STATE_WAIT][IFP_GROUP_BARRIER] - in_state;
        AT_LEAST(ticks, in_state + 30 * ms);
        AT_LEAST(op_ticks(me) + 50 * ms, ticks - in_state);
}

static PLACE long loops(int rounds)
{
        long sum = 0;

        for (int i = 0; i < rounds; i++) {
#pragma omp parallel for num_threads(2) schedule(dynamic, 3) reduction(+ : sum)
                for (int k = 0; k < 100; k++)
                        sum += k;
        }
        return sum;
}

static PLACE long sections(int rounds)
{
        long a = 0, b = 0;

        for (int i = 0; i < rounds; i++) {
#pragma omp parallel sections num_threads(2)
                {
#pragma omp section
                        a += 1;
#pragma omp section
                        b += 2;
                }
        }
        return a + b;
}

static void loops_and_sections(void)
{
        EQUAL(loops(50), 50 * 4950);
        check_region(region_of((const void *)loops), 50, 2);
        EQUAL(sections(50), 150);
        check_region(region_of((const void *)sections), 50, 2);
}

static void one_thread_waits_for_nobody(void)
{
        struct sums before = waits_of(NULL, IFP_WAIT_BARRIER, NULL), s;

        plain(1, 10);
        s = barriers(before);
        EQUAL(s.count, 0);
        EQUAL(s.last, 10);
}

static PLACE void outer(int rounds)
{
        omp_set_max_active_levels(2);
        for (int i = 0; i < rounds; i++) {
#pragma omp parallel num_threads(2)
                {
                        plain(2, 3);
#pragma omp barrier
                        nap(1);
                }
        }
        __asm__ volatile("");
}

static void regions_within_regions(void)
{
        struct sums before = waits_of(NULL, IFP_WAIT_BARRIER, NULL), s;

        outer(10);
        s = barriers(before);
        EQUAL(s.unknown, 0);
        /* per round: the outer region's end and its barrier, and six inner ends, of two each */
        EQUAL(s.count + s.last, 10 * (2 + 2 + 6 * 2));
        EQUAL(s.last, 10 * 8);
}

/* ---- fork children --------------------------------------------------------------- */

static void *barrier_of_no_region(void *arg)
{
#pragma omp barrier
        return arg;
}

static void *nothing(void *arg)
{
        return arg;
}

static void one_thread(void *(*fn)(void *))
{
        pthread_t thread;

        if (!pthread_create(&thread, NULL, fn, NULL))
                pthread_join(thread, NULL);
}

/* Its threads have the numbers of those that its parent's regions had. */
static int child_without_regions(void)
{
        struct sums s;

        for (int i = 0; i < 3; i++)
                one_thread(barrier_of_no_region);
        s = waits_of(NULL, IFP_WAIT_BARRIER, NULL);
        EQUAL(calls_of("GOMP_barrier"), 3);
        EQUAL(s.count + s.last, 0);
        return n_failed();
}

static void a_child_begins_in_no_region(void)
{
        int status = -1;
        uint32_t inside = 0, over = 0;

#pragma omp parallel num_threads(2)
        {
                if (omp_get_thread_num()) {
                        __atomic_store_n(&inside, 1, __ATOMIC_RELEASE);
                        while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
                                nap(1);
                } else {
                        pid_t pid;

                        while (!__atomic_load_n(&inside, __ATOMIC_ACQUIRE))
                                nap(1);
                        pid = fork();
                        if (!pid)
                                _exit(child_without_regions());
                        waitpid(pid, &status, 0);
                        __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
                }
        }
        EQUAL(status, 0);
}

/* The region that a child ends is its parent's: it has no site of its own for it. */
static void a_child_ends_its_parents_region(void)
{
        pid_t pid = 0;
        int status;

#pragma omp parallel num_threads(1)
        {
                pid = fork();
                if (!pid)
                        one_thread(nothing);
        }
        if (!pid) {
                for (uint32_t i = 0; i < IFP_MAX_SITES; i++) {
                        EQUAL(seg->sites[i].live, 0);
                        EQUAL(seg->sites[i].count, i < seg->live.n_sites);
                }
                _exit(n_failed());
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        EQUAL(status, 0);
}

int main(int argc, char **argv)
{
        static const struct named_case cases[] = {
                {"regions", regions},
                {"barriers_that_are_called", barriers_that_are_called},
                {"loops_and_sections", loops_and_sections},
                {"one_thread_waits_for_nobody", one_thread_waits_for_nobody},
                {"regions_within_regions", regions_within_regions},
                {"a_child_begins_in_no_region", a_child_begins_in_no_region},
                {"a_child_ends_its_parents_region", a_child_ends_its_parents_region},
        };

        return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
