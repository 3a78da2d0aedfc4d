/* SPDX-License-Identifier: MIT */
/*
 * process HOW: lives and dies, multiplies and becomes another in that way; see the table at the
 * end. How often all its processes called k_work together stands in the file $VICTIM_SHARED, which
 * survives them.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

long k_work(long x);

static struct {
        int64_t calls, children, go;
} * shared;
static char *self;
extern char **environ;

static void work(long n)
{
        for (long i = 0; i < n; i++) {
                k_work(i);
                __atomic_fetch_add(&shared->calls, 1, __ATOMIC_RELAXED);
        }
}

static void expect(bool right, const char *what)
{
        if (!right) {
                fprintf(stderr, "process: %s (errno %d)\n", what, errno);
                _exit(90);
        }
}

static void wait_for(pid_t pid, int code)
{
        int status;

        expect(waitpid(pid, &status, 0) == pid, "waitpid");
        expect(WIFEXITED(status) && WEXITSTATUS(status) == code, "the child's exit code");
}

static void give_way(void)
{
        struct timespec t = {0, 1000000};

        nanosleep(&t, NULL);
}

/* Until the test says so. */
static void wait_for_go(void)
{
        while (!__atomic_load_n(&shared->go, __ATOMIC_ACQUIRE))
                give_way();
}

/* ---- other processes */

static int forks(void)
{
        pid_t pid;

        work(10);
        pid = fork();
        if (!pid) {
                work(20);
                _exit(3);
        }
        wait_for(pid, 3);
        work(5);
        return 2;
}

static int forks_and_returns(void) /* the child goes on as its parent would have */
{
        pid_t pid = fork();

        work(pid ? 7 : 9);
        if (pid)
                wait_for(pid, 0);
        return 0;
}

/* Children begin with the parent's MiB and leave at once; the parent frees it. */
static int forks_with_memory(void)
{
        char *volatile block = malloc(1 << 20);

        if (!block)
                return 1;
        memset(block, 1, 1 << 20);
        for (int i = 0; i < 20; i++) {
                pid_t pid = fork();

                if (!pid) {
                        work(1);
                        _exit(0);
                }
                wait_for(pid, 0);
        }
        work(1);
        free(block);
        return 0;
}

static int forks_twice(void)
{
        pid_t pid = fork();

        if (!pid) {
                if (!fork()) {
                        work(30);
                        __atomic_fetch_add(&shared->children, 1, __ATOMIC_RELEASE);
                        _exit(0);
                }
                _exit(0);
        }
        wait_for(pid, 0);
        while (!__atomic_load_n(&shared->children, __ATOMIC_ACQUIRE))
                give_way();
        work(1);
        return 0;
}

static int forks_and_execs(void)
{
        pid_t pid;

        work(3);
        pid = fork();
        if (!pid) {
                execl(self, self, "work", NULL);
                _exit(127);
        }
        wait_for(pid, 0);
        return 0;
}

static int execs(void)
{
        work(4);
        execl(self, self, "work", NULL);
        return 127;
}

static int execs_nothing(void)
{
        work(4);
        execl("/nonexistent", "nonexistent", NULL);
        work(6);
        return 8;
}

static int vforks(void)
{
        pid_t pid;

        work(2);
        pid = vfork();
        if (!pid) {
                k_work(1);
                __atomic_fetch_add(&shared->calls, 1, __ATOMIC_RELAXED);
                _exit(9);
        }
        wait_for(pid, 9);
        pid = vfork();
        if (!pid) {
                execl(self, self, "work", NULL);
                _exit(127);
        }
        wait_for(pid, 0);
        work(2);
        return 6;
}

static int vforks_and_dies(void)
{
        pid_t pid = vfork();

        if (!pid)
                _exit(9);
        wait_for(pid, 9);
        work(2);
        kill(getpid(), SIGKILL);
        return 0;
}

static int spawns(void)
{
        char *const argv[] = {self, (char *)(uintptr_t) "work", NULL};
        pid_t pid;
        FILE *pipe;
        int status;

        work(2);
        expect(!posix_spawn(&pid, self, NULL, NULL, argv, environ), "posix_spawn");
        wait_for(pid, 0);
        status = system("exit 5");
        expect(WIFEXITED(status) && WEXITSTATUS(status) == 5, "system");
        pipe = popen("echo hello", "r");
        expect(pipe && fgetc(pipe) == 'h', "popen");
        pclose(pipe);
        work(2);
        return 0;
}

static int clones(void)
{
        long pid;

        work(2);
        pid = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
        if (!pid) {
                work(11);
                syscall(SYS_exit_group, 4L);
        }
        wait_for((pid_t)pid, 4);
        work(2);
        return 0;
}

/* 50 children at once, of which each has one of its own */
static int breeds(void)
{
        for (int i = 0; i < 50; i++) {
                if (!fork()) {
                        pid_t pid = fork();

                        work(10);
                        if (pid)
                                wait_for(pid, 0);
                        _exit(0);
                }
        }
        while (wait(NULL) > 0)
                ;
        return 0;
}

static void *once(void *arg)
{
        (void)arg;
        work(1);
        return NULL;
}

static void *fork_in_thread(void *arg)
{
        pid_t pid;

        (void)arg;
        work(5);
        pid = fork();
        if (!pid) {
                work(6);
                exit(0);
        }
        wait_for(pid, 0);
        return NULL;
}

static void *churn(void *arg)
{
        while (!*(volatile int *)arg) {
                free(malloc(1000));
                work(1);
        }
        return NULL;
}

static int forks_in_threads(void)
{
        pthread_t t[6];
        int stop = 0;

        for (int i = 0; i < 2; i++)
                pthread_create(&t[i], NULL, churn, &stop);
        for (int i = 2; i < 6; i++)
                pthread_create(&t[i], NULL, fork_in_thread, NULL);
        for (int i = 2; i < 6; i++)
                pthread_join(t[i], NULL);
        stop = 1;
        for (int i = 0; i < 2; i++)
                pthread_join(t[i], NULL);
        return 0;
}

static void *spawn_and_open(void *arg)
{
        while (!*(volatile int *)arg) {
                pthread_t t;

                if (!pthread_create(&t, NULL, once, NULL))
                        pthread_join(t, NULL);
        }
        return NULL;
}

/* Children of a process whose other threads are in the midst of spawning and allocating. */
static int fork_storm(void)
{
        pthread_t t[3];
        int stop = 0;

        for (int i = 0; i < 3; i++)
                pthread_create(&t[i], NULL, i ? spawn_and_open : churn, &stop);
        for (int i = 0; i < 100; i++) {
                pid_t pid = fork();

                if (!pid) {
                        pthread_t mine;

                        work(3);
                        pthread_create(&mine, NULL, once, NULL);
                        pthread_join(mine, NULL);
                        _exit(0);
                }
                wait_for(pid, 0);
        }
        stop = 1;
        for (int i = 0; i < 3; i++)
                pthread_join(t[i], NULL);
        return 0;
}

/* ---- manners */

static volatile sig_atomic_t n_sigchld;

static void on_child(int number)
{
        (void)number;
        n_sigchld++;
}

static int waits_for_any(void)
{
        siginfo_t info = {0};
        int seen = 0, status;

        expect(waitpid(-1, &status, WNOHANG | __WALL) == -1 && errno == ECHILD, "a child at start");
        expect(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) == -1, "a child at start");
        signal(SIGCHLD, on_child);
        work(3);
        for (int i = 0; i < 3; i++) {
                pid_t pid = fork();

                if (!pid) {
                        work(2);
                        _exit(i);
                }
                while (wait(&status) != pid)
                        ;
                seen |= 1 << WEXITSTATUS(status);
        }
        expect(seen == 7, "each child once");
        expect(wait(&status) == -1 && errno == ECHILD, "no child more");
        expect(n_sigchld == 3, "a SIGCHLD for each child, and no more");
        return 0;
}

static int first_descriptor(void)
{
        int fd;

        work(1);
        fd = open("/dev/null", O_RDONLY);
        expect(fd == 3, "the first descriptor is 3");
        close(fd);
        for (int i = 3; i < 20; i++)
                expect(fcntl(i, F_GETFD) == -1, "no descriptor is open");
        return 0;
}

static int closes_all_first(void)
{
        close_range(3, ~0u, 0);
        work(10);
        return first_descriptor();
}

static int closes_all_midway(void)
{
        pthread_t t[2];
        int stop = 0;

        for (int i = 0; i < 2; i++)
                pthread_create(&t[i], NULL, churn, &stop);
        for (int i = 0; i < 5; i++) {
                work(1000);
                close_range(0, ~0u, 0);
                give_way();
        }
        stop = 1;
        for (int i = 0; i < 2; i++)
                pthread_join(t[i], NULL);
        return 0;
}

/* Its own file is put where our descriptor was; a fork child must leave it alone. */
static int takes_all_descriptors(void)
{
        struct rlimit limit;
        pid_t pid;
        int fd;

        work(1);
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_cur > 70000 ? 70000 : limit.rlim_cur;
        for (unsigned i = 10; i < limit.rlim_cur; i++)
                dup2(2, (int)i);
        pid = fork();
        if (!pid) {
                work(5);
                for (unsigned i = 10; i < limit.rlim_cur; i += 7)
                        expect(fcntl((int)i, F_GETFD) >= 0, "the engine's descriptors stay");
                _exit(0);
        }
        wait_for(pid, 0);
        fd = open("/dev/null", O_RDONLY);
        expect(fd == 3, "the first descriptor is 3");
        return 0;
}

/* Three stretches of work; the test does something in between. */
static int in_stages(void)
{
        for (int stage = 1; stage <= 3; stage++) {
                work(100);
                __atomic_store_n(&shared->children, stage, __ATOMIC_RELEASE);
                while (stage < 3 && __atomic_load_n(&shared->go, __ATOMIC_ACQUIRE) < stage)
                        give_way();
        }
        return 0;
}

/* ---- ends */

static int aborts(void)
{
        work(100);
        abort();
}

static int crashes(void)
{
        work(100);
        *(volatile int *)8 = 1;
        return 0;
}

static int is_killed(void)
{
        work(100);
        kill(getpid(), SIGKILL);
        return 0;
}

static int is_terminated(void)
{
        work(100);
        raise(SIGTERM);
        return 0;
}

static int is_killed_from_outside(void)
{
        work(1000);
        __atomic_fetch_add(&shared->children, 1, __ATOMIC_RELEASE);
        wait_for_go(); /* it never does */
        return 0;
}

static int ends_by_syscall(void)
{
        work(100);
        syscall(SYS_exit_group, 33L);
        return 0;
}

/* ---- threads */

static int one_after_another(void)
{
        for (int i = 0; i < 2000; i++) {
                pthread_t t;

                expect(!pthread_create(&t, NULL, once, NULL), "pthread_create");
                pthread_join(t, NULL);
        }
        work(1);
        return 0;
}

static pthread_barrier_t barrier;

static void *together(void *arg)
{
        work(1);
        pthread_barrier_wait(&barrier);
        return arg;
}

static void many_at_once(int n)
{
        pthread_t t[500];
        pthread_attr_t attr;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 64 << 10);
        pthread_barrier_init(&barrier, NULL, (unsigned)n + 1);
        for (int i = 0; i < n; i++)
                expect(!pthread_create(&t[i], &attr, together, NULL), "pthread_create");
        pthread_barrier_wait(&barrier);
        for (int i = 0; i < n; i++)
                pthread_join(t[i], NULL);
}

static int all_at_once(void)
{
        for (int i = 0; i < 4; i++)
                many_at_once(500);
        work(1);
        wait_for_go();
        return 0;
}

static void *named(void *arg)
{
        char name[16];

        snprintf(name, sizeof(name), "worker-%ld", (long)arg);
        pthread_setname_np(pthread_self(), name);
        work((long)arg);
        if ((long)arg % 2) { /* detached, and still there at exit */
                __atomic_fetch_add(&shared->children, 1, __ATOMIC_RELEASE);
                for (;;)
                        give_way();
        }
        return NULL;
}

__attribute__((noinline)) static void spawn_even(pthread_t *t, long i)
{
        pthread_create(t, NULL, named, (void *)i);
        __asm__ volatile("");
}

__attribute__((noinline)) static void spawn_odd(pthread_t *t, long i)
{
        pthread_attr_t attr;

        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_create(t, &attr, named, (void *)i);
        __asm__ volatile("");
}

static int names(void)
{
        pthread_t t[11];

        for (long i = 1; i <= 10; i++)
                (i % 2 ? spawn_odd : spawn_even)(&t[i], i);
        for (int i = 2; i <= 10; i += 2)
                pthread_join(t[i], NULL);
        while (__atomic_load_n(&shared->children, __ATOMIC_ACQUIRE) < 5)
                give_way();
        work(1);
        return 0;
}

static int too_many(void)
{
        struct rlimit limit = {0, 0};
        pthread_attr_t attr;
        pthread_t t;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, (size_t)1 << 46);
        expect(pthread_create(&t, &attr, once, NULL) == EAGAIN, "a thread that cannot be");
        (void)limit;
        expect(!pthread_create(&t, NULL, once, NULL), "pthread_create");
        pthread_join(t, NULL);
        work(1);
        return 0;
}

static __thread char *kept;
static pthread_key_t keys[3];
static bool at_end_too;

static void key_gone(void *arg)
{
        static __thread int rounds;

        work(1);
        free(malloc(10));
        free(kept);
        kept = NULL;
        if (++rounds < 10) /* four rounds of the three: as many as there are */
                pthread_setspecific(*(pthread_key_t *)arg, arg);
}

static void *with_keys(void *arg)
{
        for (int i = 0; i < 3; i++)
                pthread_setspecific(keys[i], &keys[i]);
        kept = malloc(100);
        work(1);
        return arg;
}

static void at_exit(void)
{
        work(3);
        free(malloc(10));
}

__attribute__((destructor)) static void at_end(void)
{
        if (at_end_too)
                work(2);
}

static int destructors(void)
{
        pthread_t t;

        atexit(at_exit);
        at_end_too = true;
        for (int i = 0; i < 3; i++)
                pthread_key_create(&keys[i], key_gone);
        for (int i = 0; i < 10; i++) {
                pthread_create(&t, NULL, with_keys, NULL);
                pthread_join(t, NULL);
        }
        return 0;
}

static int works(void)
{
        work(25);
        return 0;
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                int (*fn)(void);
        } ways[] = {{"work", works},
                    {"fork", forks},
                    {"fork-return", forks_and_returns},
                    {"fork-memory", forks_with_memory},
                    {"double-fork", forks_twice},
                    {"fork-exec", forks_and_execs},
                    {"exec", execs},
                    {"exec-nothing", execs_nothing},
                    {"vfork", vforks},
                    {"vfork-killed", vforks_and_dies},
                    {"spawn", spawns},
                    {"clone", clones},
                    {"breed", breeds},
                    {"fork-threads", forks_in_threads},
                    {"fork-storm", fork_storm},
                    {"wait-any", waits_for_any},
                    {"descriptors", first_descriptor},
                    {"close-first", closes_all_first},
                    {"close-midway", closes_all_midway},
                    {"take-all", takes_all_descriptors},
                    {"stages", in_stages},
                    {"abort", aborts},
                    {"segv", crashes},
                    {"kill", is_killed},
                    {"term", is_terminated},
                    {"wait-kill", is_killed_from_outside},
                    {"syscall", ends_by_syscall},
                    {"one-after-another", one_after_another},
                    {"all-at-once", all_at_once},
                    {"names", names},
                    {"too-many", too_many},
                    {"destructors", destructors}};
        const char *path = getenv("VICTIM_SHARED");
        int fd = path ? open(path, O_RDWR | O_CREAT, 0600) : -1;

        self = argv[0];
        expect(fd >= 0 && !ftruncate(fd, 4096), "VICTIM_SHARED");
        shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
                if (argc > 1 && !strcmp(argv[1], ways[i].name))
                        return ways[i].fn();
        return 2;
}
