/* SPDX-License-Identifier: MIT */
/*
 * What a victim that waits knows of its waits: how many of each kind, and how long by its own
 * stopwatch. Printed at the end as one line of JSON: {"waits": {KIND: {"count": n, "total_ns":
 * ns, "in_line_ns": ns}}, "values": {NAME: n}}.
 *
 * What only arranges that somebody waits must not be a wait itself, for whoever watches: naps and
 * looks at threads are system calls without libc.
 */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline long bare_syscall(long number, long a, long b, long c, long d, long e, long f)
{
        register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
        long ret;

        __asm__ volatile("syscall"
                         : "=a"(ret)
                         : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
        return ret;
}

static inline void nap_us(long us)
{
        struct timespec t = {us / 1000000, us % 1000000 * 1000};

        while (bare_syscall(SYS_nanosleep, (long)&t, (long)&t, 0, 0, 0, 0) == -EINTR)
                ;
}

static inline void nap_ms(long ms)
{
        nap_us(ms * 1000);
}

static inline int my_tid(void)
{
        return (int)bare_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

/* Never inline: the line of a call beside it is the call's own. */
__attribute__((noinline, unused)) static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void expect(bool right, const char *what)
{
        if (!right) {
                fprintf(stderr, "victim: %s (errno %d)\n", what, errno);
                _exit(90);
        }
}

static void *nothing(void *arg)
{
        return arg;
}

/* A process that did nothing of note is no run of its own: one thread is enough. */
__attribute__((unused)) static void be_noticed(void)
{
        pthread_t t;

        expect(!pthread_create(&t, NULL, nothing, NULL), "create");
        pthread_detach(t);
        nap_ms(5);
}

/* Until the thread sleeps in the kernel. */
static inline void until_asleep(int tid)
{
        char path[64], text[128];

        snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
        for (int i = 0; i < 20000; i++) {
                long fd = bare_syscall(SYS_openat, -100, (long)path, 0, 0, 0, 0), n = 0;
                char *end;

                if (fd >= 0) {
                        n = bare_syscall(SYS_read, fd, (long)text, sizeof(text) - 1, 0, 0, 0);
                        bare_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
                }
                text[n > 0 ? n : 0] = 0;
                end = strrchr(text, ')');
                if (end && end[1] == ' ' && end[2] == 'S')
                        return;
                nap_us(500);
        }
        expect(false, "a thread sleeps within ten seconds");
}

/* A word that a thread sets and another awaits. */
static inline void until_set(_Atomic int *word)
{
        for (int i = 0; i < 40000 && !atomic_load(word); i++)
                nap_us(500);
        expect(atomic_load(word) != 0, "a word is set within twenty seconds");
}

/* Until the main thread waits, as it does for a thread that it joins. */
__attribute__((unused)) static void until_joined(void)
{
        until_asleep((int)bare_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0));
}

/* ---- truth */

#define WAITS_MAX 32

struct told_wait {
        const char *kind;
        _Atomic long count;
        _Atomic uint64_t ns, in_line_ns;
};
static struct told_wait told_waits[WAITS_MAX];
static struct {
        const char *name;
        long long n;
} told_values[WAITS_MAX];
static atomic_flag told_lock = ATOMIC_FLAG_INIT;

static inline struct told_wait *told_of(const char *kind)
{
        int i = 0;

        while (atomic_flag_test_and_set(&told_lock))
                nap_us(50);
        while (told_waits[i].kind && strcmp(told_waits[i].kind, kind))
                i++;
        told_waits[i].kind = kind;
        atomic_flag_clear(&told_lock);
        return &told_waits[i];
}

/* How long this thread has stood in line for a CPU since it was asked last; ns. What of it lies
 * between the stopwatch and the call is no wait, and which part that is nobody knows. */
static inline uint64_t stood_in_line(void)
{
        static __thread unsigned long long before;
        unsigned long long ran = 0, all = before, since;
        char text[96];
        long fd = bare_syscall(SYS_openat, -100, (long)"/proc/thread-self/schedstat", 0, 0, 0, 0);

        if (fd >= 0) {
                long n = bare_syscall(SYS_read, fd, (long)text, sizeof(text) - 1, 0, 0, 0);

                bare_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
                text[n > 0 ? n : 0] = 0;
                (void)sscanf(text, "%llu %llu", &ran, &all);
        }
        since = all - before;
        before = all;
        return since;
}

static inline void told(const char *kind, uint64_t since)
{
        uint64_t ns = now_ns() - since;
        struct told_wait *w = told_of(kind);

        atomic_fetch_add(&w->in_line_ns, stood_in_line());
        atomic_fetch_add(&w->count, 1);
        atomic_fetch_add(&w->ns, ns);
}

/* `call` waits: counted and timed. */
#define WAITS(kind, call)                                                                          \
        do {                                                                                       \
                uint64_t waits_since_ = now_ns();                                                  \
                expect((call), #call);                                                             \
                told(kind, waits_since_);                                                          \
        } while (0)

static inline void value(const char *name, long long n)
{
        int i = 0;

        while (told_values[i].name && strcmp(told_values[i].name, name))
                i++;
        told_values[i].name = name;
        told_values[i].n = n;
}

static inline void told_print(void)
{
        printf("{\"waits\": {");
        for (int i = 0; told_waits[i].kind; i++)
                printf("%s\"%s\": {\"count\": %ld, \"total_ns\": %llu, \"in_line_ns\": %llu}",
                       i ? ", " : "", told_waits[i].kind, told_waits[i].count,
                       (unsigned long long)told_waits[i].ns,
                       (unsigned long long)told_waits[i].in_line_ns);
        printf("}, \"values\": {");
        for (int i = 0; told_values[i].name; i++)
                printf("%s\"%s\": %lld", i ? ", " : "", told_values[i].name, told_values[i].n);
        printf("}}\n");
        fflush(stdout);
}

/* One of a victim's ways. */
struct way {
        const char *name;
        int (*live)(void);
};

static inline int live_one(const struct way *ways, int argc, char **argv)
{
        for (; ways->name; ways++)
                if (argc > 1 && !strcmp(ways->name, argv[1])) {
                        int code = ways->live();

                        told_print();
                        return code;
                }
        fprintf(stderr, "victim: no such way\n");
        return 2;
}
