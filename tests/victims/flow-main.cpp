/* SPDX-License-Identifier: MIT */
/* flow HOW: leaves kernels in that way; see the table at the end. */
#include "flow.h"
#include "truth.h"

#include <atomic>
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <stdexcept>
#include <string>

static long leaf(long x)
{
        truth_calls("k_leaf", 1);
        return k_leaf(x);
}

/* ---- exceptions */

static long throw_string(long x)
{
        truth_calls("k_leaf", 1);
        k_leaf(x);
        throw std::runtime_error("thrown " + std::to_string(x));
}

static long throw_through_call(long x)
{
        truth_calls("k_call", 1);
        return k_call(throw_string, x);
}

static long catch_inside(long x)
{
        try {
                truth_calls("k_call_too", 1);
                k_call_too(throw_through_call, x);
        } catch (const std::runtime_error &e) {
                truth_value("caught", (long)strlen(e.what()));
        }
        return leaf(x);
}

static void exceptions()
{
        for (long i = 0; i < 200; i++) {
                try {
                        truth_calls("k_throw", 6);
                        k_throw(5);
                } catch (int e) {
                        truth_value("caught", e);
                }
                leaf(i);
                truth_calls("k_catch", 1);
                truth_calls("k_throw", 4);
                truth_value("caught", k_catch(3));
                truth_calls("k_call", 1);
                truth_value("sum", k_call(catch_inside, i));
        }
        truth_value("left", 200 * (6 + 4 + 2));
}

/* ---- longjmp */

static jmp_buf here;
static sigjmp_buf sig_here;

static long jump(long x)
{
        if (x)
                longjmp(here, 7);
        return 0;
}

static long call_twice(long x)
{
        truth_calls("k_call_too", 1);
        return k_call_too(jump, x);
}

static void on_signal(int number)
{
        siglongjmp(sig_here, number);
}

static long raise_it(long x)
{
        raise((int)x);
        return 0;
}

static void jumps()
{
        struct sigaction sa = {};

        sa.sa_handler = on_signal;
        sigaction(SIGUSR1, &sa, NULL);
        for (volatile long i = 0; i < 200; i = i + 1) {
                if (!setjmp(here)) {
                        truth_calls("k_call", 1);
                        k_call(call_twice, 1);
                }
                truth_calls("k_call", 1);
                k_call(leaf, i);
                if (!sigsetjmp(sig_here, 1)) {
                        truth_calls("k_call_too", 1);
                        k_call_too(raise_it, SIGUSR1);
                }
                leaf(i);
        }
        truth_value("left", 600);
}

/* From a handler on a stack of its own, out over the kernels it called and those it interrupted. */
static long jump_far(long x)
{
        siglongjmp(sig_here, (int)x);
}

static void far_handler(int number)
{
        (void)number;
        truth_calls("k_call", 1);
        k_call(jump_far, 1);
}

static void *far_jumps_in_thread(void *arg)
{
        static char stack[65536];
        struct sigaction sa = {};
        stack_t alt = {};

        alt.ss_sp = stack;
        alt.ss_size = sizeof(stack);
        sigaltstack(&alt, NULL);
        sa.sa_handler = far_handler;
        sa.sa_flags = SA_ONSTACK;
        sigaction(SIGUSR1, &sa, NULL);
        for (volatile long i = 0; i < 600; i = i + 1) {
                if (!sigsetjmp(sig_here, 1)) {
                        truth_calls("k_call_too", 1);
                        k_call_too(raise_it, SIGUSR1);
                }
                leaf(i);
        }
        truth_value("left", 1200);
        return arg;
}

static void far_jumps() /* on a thread: what its last handler left is closed as it ends */
{
        pthread_t t;

        pthread_create(&t, NULL, far_jumps_in_thread, NULL);
        pthread_join(t, NULL);
}

/* ---- the ends of threads */

static std::atomic<long> n_leaf, n_call, n_call_too, n_started;
static pthread_key_t key;

static void cleanup(void *arg)
{
        (void)arg;
        n_leaf++;
        k_leaf(1);
}

static long wait_forever(long x)
{
        (void)x;
        n_started++;
        for (;;)
                usleep(1000);
}

static long spin_forever(long x)
{
        (void)x;
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
        n_started++;
        for (;;)
                __asm__ volatile("");
}

static long end_thread(long x)
{
        (void)x;
        n_started++;
        pthread_exit((void *)5);
}

static long call_inside(long x)
{
        static const flow_fn how[] = {wait_forever, spin_forever, end_thread};

        n_call_too++;
        return k_call_too(how[x], x);
}

static void *thread(void *arg)
{
        void *volatile block = malloc(100);

        pthread_setspecific(key, block);
        pthread_cleanup_push(cleanup, NULL);
        n_call++;
        k_call(call_inside, (long)arg);
        pthread_cleanup_pop(0);
        return NULL;
}

static void key_gone(void *block)
{
        free(block);
        n_leaf++;
        k_leaf(2);
}

static void ends()
{
        pthread_t t[30];
        void *result;
        long exited = 0;

        pthread_key_create(&key, key_gone);
        for (long i = 0; i < 30; i++)
                pthread_create(&t[i], NULL, thread, (void *)(i % 3));
        while (n_started < 30)
                usleep(1000);
        for (int i = 0; i < 30; i++) {
                if (i % 3 != 2)
                        pthread_cancel(t[i]);
                pthread_join(t[i], &result);
                exited += result == (void *)5;
        }
        truth_calls("k_leaf", n_leaf);
        truth_calls("k_call", n_call);
        truth_calls("k_call_too", n_call_too);
        truth_value("exited", exited);
        truth_value("left", 60);
        truth_value("spawns", 30);
}

/* ---- exit in the midst: what is open then is said to be open */

static long exit_now(long x)
{
        truth_calls("k_leaf", 2); /* this and the one at exit */
        k_leaf(x);
        truth_value("open", 2);
        truth_print();
        if (x == 1)
                exit(3);
        k_leaf(x);
        _exit(4);
}

static long exit_deep(long x)
{
        return k_call_too(exit_now, x);
}

static void exits()
{
        atexit([] { k_leaf(1); });
        k_call(exit_deep, 1);
}

static void exits_at_once()
{
        k_call(exit_deep, 2);
}

/* ---- depth */

static void deep()
{
        for (long depth : {200, 2000, 1, 600}) {
                truth_calls("k_recurse", depth + 1);
                truth_value("depth", k_recurse(depth));
        }
        truth_calls("k_even", 101 + 50);
        truth_calls("k_odd", 100 + 50);
        truth_value("even", k_even(200) + k_even(99));
        for (long i = 0; i < 100; i++) {
                truth_calls("k_tail_a", 6);
                truth_calls("k_tail_b", 5);
                truth_value("tail", k_tail_a(10));
        }
        leaf(1);
}

/* ---- signal handlers that call kernels */

static std::atomic<long> n_handled;

static long leaf_only(long x)
{
        return k_leaf(x);
}

static void handler(int number)
{
        (void)number;
        k_leaf(1);
        k_call(leaf_only, 1);
        n_handled++;
}

static void *work(void *arg)
{
        long *n = (long *)arg;

        while (n_handled < 400) {
                k_call_too(leaf_only, 1);
                k_recurse(3);
                ++*n;
        }
        return NULL;
}

static void signals(bool on_stack)
{
        struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
        struct sigaction sa = {};
        static char stack[65536];
        stack_t alt = {};
        long n[3] = {0, 0, 0};
        pthread_t t[2];

        alt.ss_sp = stack;
        alt.ss_size = sizeof(stack);
        sigaltstack(&alt, NULL);
        sa.sa_handler = handler;
        sa.sa_flags = SA_RESTART | (on_stack ? SA_ONSTACK : 0);
        sigaction(SIGALRM, &sa, NULL);
        for (int i = 0; i < 2; i++)
                pthread_create(&t[i], NULL, work, &n[i]);
        setitimer(ITIMER_REAL, &often, NULL);
        work(&n[2]);
        for (int i = 0; i < 2; i++)
                pthread_join(t[i], NULL);
        setitimer(ITIMER_REAL, &never, NULL);
        truth_calls("k_leaf", 2 * n_handled + n[0] + n[1] + n[2]);
        truth_calls("k_call", n_handled);
        truth_calls("k_call_too", n[0] + n[1] + n[2]);
        truth_calls("k_recurse", 4 * (n[0] + n[1] + n[2]));
        truth_value("left", 0);
}

static void signals_here()
{
        signals(false);
}

static void signals_on_stack()
{
        signals(true);
}

/* While threads come and go, libraries too, and kernels are called for the first time. */
static void *short_thread(void *arg)
{
        k_call_too(leaf_only, (long)arg);
        return NULL;
}

static void storm()
{
        struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
        const char *library = getenv("VICTIM_LIBRARY");
        struct sigaction sa = {};
        long n_threads = 0, n_opened = 0;

        sa.sa_handler = handler;
        sa.sa_flags = SA_RESTART;
        sigaction(SIGALRM, &sa, NULL);
        setitimer(ITIMER_REAL, &often, NULL);
        while (n_handled < 2000) {
                void *handle = dlopen(library, RTLD_NOW);
                long (*k_step)(long) = (long (*)(long))dlsym(handle, "k_step");
                pthread_t t;

                for (int i = 0; i < 5; i++) {
                        pthread_create(&t, NULL, short_thread, (void *)1);
                        free(malloc(100));
                        pthread_join(t, NULL);
                }
                k_step(1);
                dlclose(handle);
                n_threads += 5;
                n_opened++;
        }
        setitimer(ITIMER_REAL, &never, NULL);
        truth_calls("k_leaf", 2 * n_handled + n_threads);
        truth_calls("k_call", n_handled);
        truth_calls("k_call_too", n_threads);
        truth_calls("k_step", n_opened);
        truth_value("spawns", n_threads);
}

/* ---- stacks seen from inside a kernel */

static void *outermost;

struct search {
        bool found;
        long frames;
};

static _Unwind_Reason_Code look(struct _Unwind_Context *context, void *arg)
{
        struct search *s = (struct search *)arg;

        s->frames++;
        s->found |= (void *)_Unwind_GetIP(context) == outermost;
        return s->frames < 200 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static long walk(long x)
{
        void *frames[200];
        int n = backtrace(frames, 200);
        struct search s = {};
        bool found = false;

        for (int i = 0; i < n; i++)
                found |= frames[i] == outermost;
        _Unwind_Backtrace(look, &s);
        truth_value("backtrace finds the caller", found);
        truth_value("_Unwind_Backtrace finds the caller", s.found);
        return x;
}

static long walk_deeper(long x)
{
        truth_calls("k_call_too", 1);
        return k_call_too(walk, x);
}

static __attribute__((noinline)) void walk_from_here()
{
        outermost = __builtin_return_address(0);
        truth_calls("k_call", 1);
        k_call(walk_deeper, 1);
        __asm__ volatile("");
}

static void unwinding()
{
        for (int i = 0; i < 3; i++) {
                walk_from_here();
                __asm__ volatile("");
        }
}

/* ---- coroutines on two stacks that lie side by side */

#define STACK_BYTES (64 << 10)

static ucontext_t main_context, co[2];
static volatile int current;

static long yield(long x)
{
        swapcontext(&co[current], &main_context);
        return x;
}

static void body(int which)
{
        for (int i = 0; i < 20; i++) {
                leaf(i);
                truth_calls("k_call", 1);
                k_call(yield, i); /* gives way in the midst of a kernel */
                truth_calls("k_call_too", 1);
                k_call_too(leaf, i);
                yield(which);
        }
        swapcontext(&co[which], &main_context);
}

static void make(char *stacks)
{
        for (int i = 0; i < 2; i++) {
                getcontext(&co[i]);
                co[i].uc_stack.ss_sp = stacks + i * STACK_BYTES;
                co[i].uc_stack.ss_size = STACK_BYTES;
                co[i].uc_link = &main_context;
                makecontext(&co[i], (void (*)())body, 1, i);
        }
}

static long resume(long which)
{
        current = (int)which;
        swapcontext(&main_context, &co[which]);
        return which;
}

static void alternate(int times)
{
        for (int i = 0; i < times; i++) {
                resume(i & 1);
                leaf(i);
                truth_calls("k_call_too", 1);
                k_call_too(resume, !(i & 1)); /* and from inside a kernel */
        }
}

static void *coroutines_in_thread(void *arg)
{
        char *stacks = (char *)mmap(NULL, 2 * STACK_BYTES, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        make(stacks);
        alternate(41); /* each is resumed 41 times: to its end */
        make(stacks);
        alternate(7); /* 7 times: both are inside a kernel, and stay there */
        leaf(1);
        if (arg) { /* the next use the same stacks, over what was left */
                make(stacks);
                alternate(41);
        }
        munmap(stacks, 2 * STACK_BYTES);
        return NULL;
}

static void coroutines()
{
        pthread_t t;

        for (long i = 0; i < 2; i++) {
                pthread_create(&t, NULL, coroutines_in_thread, (void *)i);
                pthread_join(t, NULL);
        }
        truth_value("left", 2 * 2);
}

/* 1,000 generators, each on a stack of its own, each left in the midst of a kernel */
static void *abandon_in_thread(void *arg)
{
        size_t bytes = 16 << 10, n = 1000;
        char *stacks = (char *)mmap(NULL, n * bytes, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        for (size_t i = 0; i < n; i++) {
                getcontext(&co[0]);
                co[0].uc_stack.ss_sp = stacks + i * bytes;
                co[0].uc_stack.ss_size = bytes;
                co[0].uc_link = &main_context;
                makecontext(&co[0], (void (*)())body, 1, 0);
                truth_calls("k_call_too", 1);
                k_call_too(resume, 0);
                leaf((long)i);
        }
        munmap(stacks, n * bytes);
        return arg;
}

static void abandoned()
{
        pthread_t t;

        pthread_create(&t, NULL, abandon_in_thread, NULL);
        pthread_join(t, NULL);
        for (int i = 0; i < 100; i++)
                leaf(i);
}

/* ---- time */

static void times()
{
        long parent = 0, child = 0;

        for (int i = 0; i < 20; i++) {
                struct timespec a, b;

                clock_gettime(CLOCK_MONOTONIC, &a);
                truth_calls("k_parent", 1);
                truth_calls("k_busy", 1);
                k_parent(1000000, 3000000, &child);
                clock_gettime(CLOCK_MONOTONIC, &b);
                parent += (b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec;
        }
        truth_value("parent_ns", parent);
        truth_value("child_ns", child);
}

static void names()
{
        truth_calls("conv::apply(int, double)", 1);
        truth_value("sum", conv::apply(3, 1.5));
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                void (*fn)();
        } ways[] = {{"exceptions", exceptions},
                    {"jumps", jumps},
                    {"ends", ends},
                    {"exit", exits},
                    {"_exit", exits_at_once},
                    {"deep", deep},
                    {"signals", signals_here},
                    {"altstack", signals_on_stack},
                    {"unwinding", unwinding},
                    {"coroutines", coroutines},
                    {"abandoned", abandoned},
                    {"far-jumps", far_jumps},
                    {"storm", storm},
                    {"times", times},
                    {"names", names}};

        for (const auto &way : ways) {
                if (argc > 1 && !strcmp(argv[1], way.name)) {
                        way.fn();
                        truth_print();
                        return 0;
                }
        }
        return 2;
}
