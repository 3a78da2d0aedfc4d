/* SPDX-License-Identifier: MIT */
/*
 * Does what a kernel sees, and knows how much of it: system calls, page faults, sleeps, futexes,
 * reads from a disk, fights for a CPU. The first thing on stdout is a line per thread of what the
 * kernel says itself (getrusage, schedstat), the last one the truth of the part as JSON.
 *
 *   kernel-days PART N [more]
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static uint64_t now_ns(clockid_t clock)
{
        struct timespec t;

        clock_gettime(clock, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What the kernel counts of this thread itself. */
struct told {
        uint64_t running, runnable, voluntary, involuntary, minor, major;
};

static struct told told(void)
{
        struct told t = {0};
        struct rusage ru;
        char buf[128];
        int fd = open("/proc/thread-self/schedstat", O_RDONLY);
        ssize_t n = read(fd, buf, sizeof(buf) - 1);

        close(fd);
        buf[n > 0 ? n : 0] = '\0';
        sscanf(buf, "%*u %" SCNu64, &t.runnable);
        t.running = now_ns(CLOCK_THREAD_CPUTIME_ID); /* in schedstat it is that of the last tick */
        getrusage(RUSAGE_THREAD, &ru);
        t.voluntary = (uint64_t)ru.ru_nvcsw;
        t.involuntary = (uint64_t)ru.ru_nivcsw;
        t.minor = (uint64_t)ru.ru_minflt;
        t.major = (uint64_t)ru.ru_majflt;
        return t;
}

static void print_told(const char *name, struct told a, struct told b)
{
        printf("{\"thread\": \"%s\", \"running\": %" PRIu64 ", \"runnable\": %" PRIu64
               ", \"voluntary\": %" PRIu64 ", \"involuntary\": %" PRIu64 ", \"minor\": %" PRIu64
               ", \"major\": %" PRIu64 "}\n",
               name, b.running - a.running, b.runnable - a.runnable, b.voluntary - a.voluntary,
               b.involuntary - a.involuntary, b.minor - a.minor, b.major - a.major);
}

static void spin(uint64_t ns)
{
        uint64_t until = now_ns(CLOCK_MONOTONIC) + ns;

        while (now_ns(CLOCK_MONOTONIC) < until)
                ;
}

/* ---- parts ---- */

static void system_calls(long n)
{
        for (long i = 0; i < n; i++)
                syscall(SYS_getppid);
        for (long i = 0; i < n / 10; i++)
                syscall(SYS_close, -1); /* fails */
        printf("{\"getppid\": %ld, \"failed\": %ld}\n", n, n / 10);
}

static void faults(long n)
{
        char *p = mmap(NULL, (size_t)n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                       -1, 0);
        struct told a, b;

        madvise(p, (size_t)n * PAGE, MADV_NOHUGEPAGE);
        a = told();
        for (int round = 0; round < 2; round++) {
                for (long i = 0; i < n; i++)
                        p[i * PAGE] = 1;
                madvise(p, (size_t)n * PAGE, MADV_DONTNEED);
        }
        b = told();
        print_told("main", a, b);
        printf("{\"minor\": %ld}\n", 2 * n);
}

static void sleeps(long ms)
{
        struct timespec t = {0, 1000000};

        for (long i = 0; i < ms; i++)
                nanosleep(&t, NULL);
        printf("{\"sleeps\": %ld}\n", ms);
}

static uint32_t turn;

static void wait_turn(uint32_t mine)
{
        uint32_t now;

        while ((now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) % 2 != mine)
                syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
}

static void pass_turn(void)
{
        __atomic_fetch_add(&turn, 1, __ATOMIC_RELEASE);
        syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static long n_turns;

static void *partner(void *arg)
{
        struct told a = told();

        (void)arg;
        pthread_setname_np(pthread_self(), "partner");
        for (long i = 0; i < n_turns; i++) {
                wait_turn(1);
                pass_turn();
        }
        print_told("partner", a, told());
        return NULL;
}

static void futexes(long n)
{
        pthread_t t;

        n_turns = n;
        pthread_create(&t, NULL, partner, NULL);
        for (long i = 0; i < n; i++) {
                wait_turn(0);
                usleep(200); /* the partner waits meanwhile */
                pass_turn();
        }
        pthread_join(t, NULL);
        printf("{\"turns\": %ld}\n", n);
}

static uint64_t running_of(pid_t pid)
{
        char path[64], buf[128];
        uint64_t ns = 0;
        ssize_t n;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
        fd = open(path, O_RDONLY);
        n = read(fd, buf, sizeof(buf) - 1);
        close(fd);
        buf[n > 0 ? n : 0] = '\0';
        sscanf(buf, "%" SCNu64, &ns);
        return ns;
}

/* Another process computes on the same CPU, and has had its part before we stop. */
static void hog(long ms)
{
        struct told a;
        cpu_set_t one;
        pid_t pid;

        CPU_ZERO(&one);
        CPU_SET((size_t)sched_getcpu(), &one);
        sched_setaffinity(0, sizeof(one), &one);
        a = told();
        pid = fork();
        if (pid == 0) {
                execl("/bin/sh", "hog", "-c", "while :; do :; done", (char *)NULL);
                _exit(1);
        }
        spin((uint64_t)ms * 1000000u);
        for (int i = 0; i < 300 && running_of(pid) < 100000000u; i++)
                spin(100000000u);
        print_told("main", a, told());
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        printf("{\"hog\": %d}\n", (int)pid);
}

static void reads(long n, const char *path)
{
        int fd = open(path, O_RDONLY | O_DIRECT);
        void *buf =
                mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        long got = 0;

        memset(buf, 1, 64 * PAGE);
        for (long i = 0; i < n; i++)
                got += pread(fd, buf, 16 * PAGE, i * 16 * PAGE) == 16 * PAGE;
        printf("{\"reads\": %ld, \"bytes\": %ld}\n", got, got * 16 * PAGE);
}

static void *few_calls(void *arg)
{
        (void)arg;
        for (int i = 0; i < 10; i++) {
                syscall(SYS_getppid);
                usleep(1000);
        }
        return NULL;
}

static void threads(long n)
{
        pthread_t *t = calloc((size_t)n, sizeof(*t));
        pthread_attr_t attr;
        long made = 0;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 64 << 10);
        for (long i = 0; i < n; i++)
                made += !pthread_create(&t[made], &attr, few_calls, NULL);
        for (long i = 0; i < made; i++)
                pthread_join(t[i], NULL);
        printf("{\"threads\": %ld, \"getppid\": %ld}\n", made, made * 10);
}

/* Threads that come and go, so that lanes are used again. */
static void churn(long n)
{
        for (long i = 0; i < n; i++) {
                pthread_t t;

                pthread_create(&t, NULL, few_calls, NULL);
                pthread_join(t, NULL);
        }
        printf("{\"threads\": %ld, \"getppid\": %ld}\n", n, n * 10);
}

/*
 * The shim's own words, written over: the address of the lane, and what is open on it. Nothing of
 * the shim runs meanwhile: raw system calls only.
 */
static void hostile(long n, uint64_t tls_offset, uint64_t top_offset)
{
        uint64_t *lane = (uint64_t *)((uintptr_t)__builtin_thread_pointer() + tls_offset);
        uint64_t right = *lane, *top = (uint64_t *)(uintptr_t)(right + top_offset), was = *top;
        const uint64_t lies[] = {1,         0xffffffff81000000ull, 0x4141414141414141ull,
                                 right + 8, right - 4096,          ~0ull};
        const uint64_t tops[] = {1, ~0ull, 64 * 255, 64 * 256, 0x4000};
        long made = 0;

        for (size_t k = 0; k < sizeof(lies) / sizeof(lies[0]); k++) {
                *(volatile uint64_t *)lane = lies[k];
                for (long i = 0; i < n; i++)
                        made += syscall(SYS_getppid) > 0;
                *(volatile uint64_t *)lane = right;
        }
        for (size_t k = 0; k < sizeof(tops) / sizeof(tops[0]); k++) {
                *(volatile uint64_t *)top = tops[k];
                for (long i = 0; i < n; i++)
                        made += syscall(SYS_getppid) > 0;
                *(volatile uint64_t *)top = was;
        }
        printf("{\"getppid\": %ld}\n", made);
}

static void *nothing(void *arg)
{
        pthread_setname_np(pthread_self(), "nothing");
        return arg;
}

/* A process that makes no thread is not worth a run file. */
static void be_worth_a_file(void)
{
        pthread_t t;

        if (!pthread_create(&t, NULL, nothing, NULL))
                pthread_join(t, NULL);
}

int main(int argc, char **argv)
{
        const char *part = argc > 2 ? argv[1] : "";
        long n = argc > 2 ? atol(argv[2]) : 0;

        be_worth_a_file();
        if (!strcmp(part, "syscalls"))
                system_calls(n);
        else if (!strcmp(part, "faults"))
                faults(n);
        else if (!strcmp(part, "sleeps"))
                sleeps(n);
        else if (!strcmp(part, "futexes"))
                futexes(n);
        else if (!strcmp(part, "hog"))
                hog(n);
        else if (!strcmp(part, "spin"))
                spin((uint64_t)n * 1000000u);
        else if (!strcmp(part, "threads"))
                threads(n);
        else if (!strcmp(part, "churn"))
                churn(n);
        else if (!strcmp(part, "reads") && argc > 3)
                reads(n, argv[3]);
        else if (!strcmp(part, "hostile") && argc > 4)
                hostile(n, strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0));
        else if (!strcmp(part, "wait"))
                sleep((unsigned)n);
        else
                return 2;
        fflush(stdout);
        return 0;
}
