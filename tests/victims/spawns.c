/* SPDX-License-Identifier: MIT */
/*
 * spawns: threads and processes of all kinds, a known number from each of some functions; what each
 * function's threads lived and burned by their own clocks, what it cost to make them by that of
 * whoever did, and how long it was from when each was asked for to its end.
 */
#include "told.h"

#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>

extern char **environ;

struct site {
        const char *function;
        long count;
        uint64_t cost_ns;
        _Atomic uint64_t life_ns, asked_life_ns, cpu_ns;
        long nap_ms, burn_ms; /* what its threads do */
};

static struct site brief = {"make_brief"}, pool = {"make_pool", .nap_ms = 150},
                   burners = {"make_burners", .burn_ms = 30}, named = {"make_named", .nap_ms = 5},
                   c11 = {"make_c11"}, early = {"make_early_leavers", .nap_ms = 3};
static struct site *const sites[] = {&brief, &pool, &burners, &named, &c11, &early};

static uint64_t cpu_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct asked {
        struct site *site;
        uint64_t ns;
};

static struct asked *ask(struct site *s)
{
        struct asked *a = malloc(sizeof(*a));

        expect(a != NULL, "memory");
        *a = (struct asked){s, now_ns()};
        return a;
}

static void live_as(struct asked *a)
{
        struct site *s = a->site;
        uint64_t since = now_ns(), burn = (uint64_t)s->burn_ms * 1000000u, asked = a->ns, end;

        free(a);

        if (s->nap_ms)
                nap_ms(s->nap_ms);
        while (cpu_ns() < burn)
                ;
        atomic_fetch_add(&s->cpu_ns, cpu_ns());
        end = now_ns();
        atomic_fetch_add(&s->life_ns, end - since);
        atomic_fetch_add(&s->asked_life_ns, end - asked);
}

static void *life(void *arg)
{
        live_as(arg);
        return NULL;
}

static void *leaves_early(void *arg)
{
        live_as(arg);
        pthread_exit(NULL);
}

static int c11_life(void *arg)
{
        live_as(arg);
        return 3;
}

#define MADE(site, call)                                                                           \
        do {                                                                                       \
                struct asked *asked = ask(&(site));                                                \
                uint64_t since_ = asked->ns;                                                       \
                                                                                                   \
                expect((call), "create");                                                          \
                (site).cost_ns += now_ns() - since_;                                               \
                (site).count++;                                                                    \
        } while (0)
#define CREATE(site, t, entry) MADE(site, !pthread_create(t, NULL, entry, asked))

__attribute__((noinline)) static void make_brief(void)
{
        pthread_t t;

        for (int i = 0; i < 200; i++) {
                CREATE(brief, &t, life);
                pthread_join(t, NULL);
        }
}

__attribute__((noinline)) static void make_pool(void)
{
        pthread_t t[4];

        for (int i = 0; i < 4; i++)
                CREATE(pool, &t[i], life);
        for (int i = 0; i < 4; i++)
                pthread_join(t[i], NULL);
}

__attribute__((noinline)) static void make_burners(void)
{
        pthread_t t[3];

        for (int i = 0; i < 3; i++)
                CREATE(burners, &t[i], life);
        for (int i = 0; i < 3; i++)
                pthread_join(t[i], NULL);
}

/* By a thread of its own name, detached. */
__attribute__((noinline)) static void make_named(void)
{
        pthread_attr_t detached;
        pthread_t t;

        pthread_attr_init(&detached);
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        for (int i = 0; i < 6; i++)
                MADE(named, !pthread_create(&t, &detached, life, asked));
        nap_ms(60);
}

__attribute__((noinline)) static void make_early_leavers(void)
{
        pthread_t t;

        for (int i = 0; i < 5; i++) {
                CREATE(early, &t, leaves_early);
                pthread_join(t, NULL);
        }
}

__attribute__((noinline)) static void make_c11(void)
{
        thrd_t t;
        int code;

        for (int i = 0; i < 9; i++) {
                MADE(c11, thrd_create(&t, c11_life, asked) == thrd_success);
                expect(thrd_join(t, &code) == thrd_success && code == 3, "join");
        }
}

/* A thread that is refused is none. */
__attribute__((noinline)) static void make_none(void)
{
        pthread_attr_t huge;
        pthread_t t;

        pthread_attr_init(&huge);
        pthread_attr_setstacksize(&huge, (size_t)1 << 46);
        expect(pthread_create(&t, &huge, life, NULL) != 0, "no room for such a stack");
}

/* ---- processes */

static void reap(pid_t pid, int code)
{
        int status;

        expect(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
                       WEXITSTATUS(status) == code,
               "the child's end");
}

static int clone_life(void *arg)
{
        (void)arg;
        _exit(4);
}

__attribute__((noinline)) static void make_processes(void)
{
        char *const args[] = {"true", NULL};
        char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        pid_t pid;

        for (int i = 0; i < 3; i++) {
                pid = fork();
                if (!pid)
                        _exit(3);
                reap(pid, 3);
        }
        for (int i = 0; i < 2; i++) {
                pid = vfork();
                if (!pid)
                        _exit(5);
                reap(pid, 5);
        }
        for (int i = 0; i < 2; i++) {
                expect(!posix_spawn(&pid, "/bin/true", NULL, NULL, args, environ), "spawn");
                reap(pid, 0);
        }
        expect(!posix_spawnp(&pid, "true", NULL, NULL, args, environ), "spawnp");
        reap(pid, 0);
        expect(posix_spawn(&pid, "/nonexistent", NULL, NULL, args, environ) == ENOENT,
               "nothing to spawn");
        for (int i = 0; i < 2; i++)
                reap(clone(clone_life, stack + 65536, SIGCHLD, NULL), 4);
}

int main(int argc, char **argv)
{
        bool threads = argc < 2 || !strcmp(argv[1], "threads");
        bool processes = argc < 2 || !strcmp(argv[1], "processes");
        long n = 0;

        if (threads) {
                make_brief();
                make_pool();
                make_burners();
                make_named();
                make_early_leavers();
                make_c11();
                make_none();
                nap_ms(400); /* the threads of the pool are gone for most of the run */
        }
        if (processes)
                make_processes();
        printf("{\"sites\": {");
        for (unsigned i = 0; threads && i < sizeof(sites) / sizeof(*sites); i++) {
                struct site *s = sites[i];

                printf("%s\"%s\": {\"count\": %ld, \"cost_ns\": %llu, \"life_ns\": %llu, "
                       "\"asked_life_ns\": %llu, \"cpu_ns\": %llu}",
                       i ? ", " : "", s->function, s->count, (unsigned long long)s->cost_ns,
                       (unsigned long long)s->life_ns, (unsigned long long)s->asked_life_ns,
                       (unsigned long long)s->cpu_ns);
                n += s->count;
        }
        printf("}, \"kinds\": {");
        if (threads)
                printf("\"thread\": %ld%s", n, processes ? ", " : "");
        if (processes)
                printf("\"fork\": 3, \"vfork\": 2, \"posix-spawn\": 3, \"clone\": 2");
        printf("}}\n");
        return 0;
}
