/* SPDX-License-Identifier: MIT */
/*
 * Threads and waits that libc knows nothing about: clone and futex as bare system calls, without
 * libc and with its syscall(). Whoever watches libc sees none of the first; that is all right. The
 * thread of a bare clone has no thread pointer of its own: it calls nothing.
 */
#include "told.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>

enum { TIMES = 50, STACK = 64 << 10 };

static _Atomic int word, done, tid_word;

/* In a thread made by hand: no libc, no thread-local storage. */
__attribute__((noinline, no_stack_protector)) static void raw_life(void)
{
        for (int i = 0; i < TIMES; i++) {
                while (atomic_load(&word) == 2 * i)
                        bare_syscall(SYS_futex, (long)&word, FUTEX_WAIT_PRIVATE, 2 * i, 0, 0, 0);
                nap_us(1000); /* the other waits meanwhile */
                atomic_fetch_add(&word, 1);
                bare_syscall(SYS_futex, (long)&word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
        }
        atomic_store(&done, 1);
        bare_syscall(SYS_exit, 0, 0, 0, 0, 0, 0);
}

static void raw_thread(void)
{
        char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                     CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
        register long r10 __asm__("r10") = (long)&tid_word;
        register long r8 __asm__("r8") = 0;
        long ret;

        atomic_store(&tid_word, 1);
        __asm__ volatile("syscall\n"
                         "test %%rax, %%rax\n"
                         "jnz 1f\n"
                         "xor %%ebp, %%ebp\n"
                         "call *%[life]\n"
                         "hlt\n"
                         "1:"
                         : "=a"(ret)
                         : "a"(SYS_clone), "D"(flags), "S"(stack + STACK - 64), "d"(0), "r"(r10),
                           "r"(r8), [life] "r"(raw_life)
                         : "rcx", "r11", "memory");
        expect(ret > 0, "clone");
}

static int way_bare(void)
{
        be_noticed();
        raw_thread();
        for (int i = 0; i < TIMES; i++) {
                nap_us(300);
                atomic_fetch_add(&word, 1);
                bare_syscall(SYS_futex, (long)&word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
                while (atomic_load(&word) == 2 * i + 1)
                        bare_syscall(SYS_futex, (long)&word, FUTEX_WAIT_PRIVATE, 2 * i + 1, 0, 0,
                                     0);
        }
        until_set(&done);
        value("rounds", TIMES);
        return 0;
}

/* The same, where this side waits by syscall(). */
static int way_syscall(void)
{
        be_noticed();
        raw_thread();
        for (int i = 0; i < TIMES; i++) {
                nap_us(300);
                atomic_fetch_add(&word, 1);
                expect(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0,
                       "wake");
                while (atomic_load(&word) == 2 * i + 1) {
                        uint64_t since = now_ns();
                        long r = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 2 * i + 1, NULL,
                                         NULL, 0);

                        expect(!r || errno == EAGAIN, "wait");
                        if (!r) /* else it had another value by then, and nobody waited */
                                told("futex", since);
                }
        }
        until_set(&done);
        return 0;
}

/* syscall() hands six arguments on and gives back what the kernel says, errno and all. */
static int way_numbers(void)
{
        char *p = (char *)syscall(SYS_mmap, NULL, 4096L, (long)(PROT_READ | PROT_WRITE),
                                  (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1L, 0L);

        be_noticed();
        expect(p != MAP_FAILED, "mmap");
        p[4095] = 1;
        expect(syscall(SYS_getpid) == getpid(), "getpid");
        errno = 0;
        expect(syscall(SYS_close, -1L) == -1 && errno == EBADF, "close");
        expect(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 77, NULL, NULL, 0) == -1 &&
                       errno == EAGAIN,
               "a futex of another value");
        expect(syscall(100000L) == -1 && errno == ENOSYS, "none such");
        errno = 7;
        expect(syscall(SYS_gettid) == my_tid() && errno == 7, "errno stays");
        return 0;
}

int main(int argc, char **argv)
{
        static const struct way ways[] = {
                {"bare", way_bare}, {"syscall", way_syscall}, {"numbers", way_numbers}, {0}};

        return live_one(ways, argc, argv);
}
