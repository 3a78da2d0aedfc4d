/* SPDX-License-Identifier: MIT */
/* Threads and processes that are made: each function that is hooked, once at least. */
#include "segment-waits.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- spawns ---- */

static void *nothing(void *arg)
{
        return arg;
}

static PLACE void spawn_ten(void)
{
        for (int i = 0; i < 10; i++) {
                pthread_t t;

                pthread_create(&t, NULL, nothing, NULL);
                pthread_join(t, NULL);
        }
}

static void a_spawn_site(void)
{
        uint64_t sites = 0, spawns = seg->live.spawns;

        spawn_ten();
        for (uint32_t i = 0; i < seg->live.n_sites; i++) {
                const struct ifp_site *s = &seg->sites[i];

                if (!passes(s->stack, (const void *)spawn_ten))
                        continue;
                sites++;
                EQUAL(s->kind, IFP_SPAWN_THREAD);
                EQUAL(s->count, 10);
                EQUAL(s->ended, 10);
                EQUAL(s->live, 0);
                EQUAL(s->peak, 1);
                CHECK(s->cost_ticks && s->life_ticks && s->cpu_ns);
        }
        EQUAL(sites, 1);
        EQUAL(seg->live.spawns, spawns + 10);
}

static struct ifp_site *site_of(const void *function)
{
        struct ifp_site *found = NULL;

        for (uint32_t i = 0; i < seg->live.n_sites; i++)
                if (passes(seg->sites[i].stack, function)) {
                        CHECK(!found);
                        found = &seg->sites[i];
                }
        CHECK(found);
        return found;
}

static PLACE void spawn_fork(void)
{
        int status;
        pid_t pid = fork();

        if (!pid)
                _exit(3);
        EQUAL(waitpid(pid, &status, 0), pid);
        EQUAL(WEXITSTATUS(status), 3);
}

static PLACE void spawn_vfork(void)
{
        int status;
        pid_t pid = vfork();

        if (!pid)
                _exit(4);
        EQUAL(waitpid(pid, &status, 0), pid);
        EQUAL(WEXITSTATUS(status), 4);
}

static PLACE void spawn_posix(const char *path)
{
        char *argv[] = {"true", NULL}, *env[] = {NULL};
        int status, failed;
        pid_t pid;

        failed = *path == '/' ? posix_spawn(&pid, path, NULL, NULL, argv, env)
                              : posix_spawnp(&pid, path, NULL, NULL, argv, env);
        EQUAL(failed != 0, *path == '/');
        if (!failed)
                waitpid(pid, &status, 0);
}

static int clone_child(void *arg)
{
        return *(int *)arg;
}

static PLACE void spawn_clone(void)
{
        static char stack[65536] __attribute__((aligned(16)));
        int status, code = 5, parent = 0;
        pid_t pid = clone(clone_child, stack + sizeof(stack), SIGCHLD | CLONE_PARENT_SETTID, &code,
                          &parent);

        EQUAL(pid, parent);
        EQUAL(waitpid(pid, &status, 0), pid);
        EQUAL(WEXITSTATUS(status), 5);
}

static PLACE void spawn_clone_badly(void)
{
        EQUAL(clone(clone_child, NULL, SIGCHLD, NULL), -1);
        EQUAL(errno, EINVAL);
}

static PLACE void spawn_too_large(void)
{
        pthread_attr_t attr;
        pthread_t t;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 1ull << 46);
        CHECK(pthread_create(&t, &attr, nothing, NULL));
}

static void every_way_to_spawn(void)
{
        uint64_t spawns = seg->live.spawns, in = my_lane()->waits.spawn_ticks[IFP_STATE_NONE];
        struct ifp_site *s;

        spawn_fork();
        spawn_vfork();
        spawn_posix("true");
        spawn_posix("/does/not/exist");
        spawn_clone();
        spawn_clone_badly();
        spawn_too_large();
        EQUAL(seg->live.spawns, spawns + 4);
        CHECK(my_lane()->waits.spawn_ticks[IFP_STATE_NONE] > in);
        EQUAL(my_lane()->waits.in_alloc, 0);
        s = site_of((const void *)spawn_fork);
        EQUAL(s->kind, IFP_SPAWN_FORK);
        EQUAL(s->count, 1);
        s = site_of((const void *)spawn_vfork);
        EQUAL(s->kind, IFP_SPAWN_VFORK);
        EQUAL(s->count, 1);
        CHECK(s->cost_ticks);
        s = site_of((const void *)spawn_clone);
        EQUAL(s->kind, IFP_SPAWN_CLONE);
        EQUAL(s->count, 1);
        EQUAL(site_of((const void *)spawn_clone_badly)->count, 0);
        s = site_of((const void *)spawn_too_large);
        EQUAL(s->count + s->live + s->peak + s->ended, 0);
        uint64_t posix = 0;
        for (uint32_t i = 0; i < seg->live.n_sites; i++)
                if (seg->sites[i].kind == IFP_SPAWN_POSIX)
                        posix += seg->sites[i].count;
        EQUAL(posix, 1);
}

/* ---- threads at once ---- */

static pthread_barrier_t of_five;

static void *meets(void *arg)
{
        pthread_barrier_wait(&of_five);
        return arg;
}

static PLACE void spawn_five(void)
{
        pthread_t t[5];

        phase = 0;
        for (int i = 0; i < 5; i++)
                pthread_create(&t[i], NULL, meets, NULL);
        for (int i = 0; i < 5; i++)
                pthread_join(t[i], NULL);
}

static void five_are_alive_at_once(void)
{
        struct ifp_site *s;

        pthread_barrier_init(&of_five, NULL, 5);
        spawn_five();
        s = site_of((const void *)spawn_five);
        EQUAL(s->count, 5);
        EQUAL(s->peak, 5);
        EQUAL(s->ended, 5);
        EQUAL(s->live, 0);
        pthread_barrier_destroy(&of_five);
}

/* ---- switched off ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void nothing_is_kept(void)
{
        struct ifp_site *s;

        EQUAL(seg->header.flags & IFP_HEADER_WAITS, 0);
        pthread_mutex_lock(&mutex);
        phase = 0;
        pthread_t t = start(takes_mutex, &mutex);
        nap(20);
        pthread_mutex_unlock(&mutex);
        pthread_join(t, NULL);
        sched_yield();
        usleep(1000);
        spawn_ten();
        spawn_fork();
        EQUAL(seg->live.n_waits, 1);
        for (uint32_t i = 0; i < seg->live.n_lanes_used; i++)
                for (uint32_t k = 0; k < IFP_N_WAIT_KINDS; k++)
                        EQUAL(seg->lanes[i].waits.count[k], 0);
        s = site_of((const void *)spawn_ten); /* spawns are told still, by the caller alone */
        EQUAL(s->count, 10);
        EQUAL(s->ended, 10);
        EQUAL(seg->stacks[s->stack].n_frames, 1);
        CHECK(seg->stacks[s->stack].flags & IFP_STACK_ONE);
}

int main(int argc, char **argv)
{
        static const struct named_case cases[] = {
                {"a_spawn_site", a_spawn_site},
                {"every_way_to_spawn", every_way_to_spawn},
                {"five_are_alive_at_once", five_are_alive_at_once},
        };

        static const struct named_case off[] = {{"nothing_is_kept", nothing_is_kept}};

        if (argc == 2 && !strcmp(argv[1], "off"))
                return run_cases(off, 1, 1, argv);
        return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
