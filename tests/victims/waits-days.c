/* SPDX-License-Identifier: MIT */
/*
 * waits-days WAY: waits on a bad day; see the table at the end. What counts is what is counted, and
 * that it goes on as it would alone.
 */
#include "told.h"

#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { TIMES = 5, HOLD_MS = 12 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static _Atomic int tid, second_tid, held, told_to_go;

static pthread_t begin(void *(*life)(void *), void *arg)
{
        pthread_t t;

        expect(!pthread_create(&t, NULL, life, arg), "create");
        return t;
}

static void end(pthread_t t)
{
        WAITS("join", !pthread_join(t, NULL));
}

/* ---- between processes: in memory that both see */

static struct shared {
        pthread_mutex_t mutex;
        pthread_cond_t cond;
        _Atomic int ready, asked;
        int main_pid, n;
} * both;

static void share(int robust)
{
        pthread_mutexattr_t m;
        pthread_condattr_t c;

        both = mmap(NULL, sizeof(*both), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        pthread_mutexattr_init(&m);
        pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&m, robust);
        pthread_mutex_init(&both->mutex, &m);
        pthread_condattr_init(&c);
        pthread_condattr_setpshared(&c, PTHREAD_PROCESS_SHARED);
        pthread_cond_init(&both->cond, &c);
        value("object", (long long)(uintptr_t)&both->mutex);
        value("cond", (long long)(uintptr_t)&both->cond);
}

/* The child holds the mutex while its parent wants it, then signals it. */
static int way_shared(void)
{
        int status;
        pid_t pid;

        share(PTHREAD_MUTEX_STALLED);
        pid = fork();
        if (!pid) {
                for (int i = 0; i < TIMES; i++) {
                        pthread_mutex_lock(&both->mutex);
                        atomic_store(&both->ready, 1);
                        nap_ms(HOLD_MS);
                        pthread_mutex_unlock(&both->mutex);
                        until_set(&both->asked);
                        atomic_store(&both->asked, 0);
                        nap_ms(HOLD_MS);
                        pthread_mutex_lock(&both->mutex);
                        both->n++;
                        pthread_cond_signal(&both->cond);
                        pthread_mutex_unlock(&both->mutex);
                        until_set(&both->asked);
                        atomic_store(&both->asked, 0);
                }
                _exit(0);
        }
        for (int i = 0; i < TIMES; i++) {
                until_set(&both->ready);
                atomic_store(&both->ready, 0);
                WAITS("mutex", !pthread_mutex_lock(&both->mutex));
                atomic_store(&both->asked, 1);
                while (both->n <= i)
                        WAITS("condition", !pthread_cond_wait(&both->cond, &both->mutex));
                pthread_mutex_unlock(&both->mutex);
                atomic_store(&both->asked, 1);
        }
        expect(waitpid(pid, &status, 0) == pid && !status, "the child's end");
        return 0;
}

/* Who held it died; the next has it, and is told. */
static int way_robust(void)
{
        int status;

        share(PTHREAD_MUTEX_ROBUST);
        for (int i = 0; i < TIMES; i++) {
                pid_t pid = fork();

                if (!pid) {
                        pthread_mutex_lock(&both->mutex);
                        atomic_store(&both->ready, 1);
                        nap_ms(HOLD_MS);
                        _exit(0);
                }
                until_set(&both->ready);
                atomic_store(&both->ready, 0);
                WAITS("mutex", pthread_mutex_lock(&both->mutex) == EOWNERDEAD);
                expect(!pthread_mutex_consistent(&both->mutex), "consistent");
                pthread_mutex_unlock(&both->mutex);
                expect(waitpid(pid, &status, 0) == pid && !status, "the child's end");
        }
        return 0;
}

static void *dies_with_it(void *arg)
{
        pthread_mutex_lock(arg);
        atomic_store(&held, 1);
        nap_ms(HOLD_MS);
        return NULL;
}

static int way_robust_thread(void)
{
        share(PTHREAD_MUTEX_ROBUST);
        for (int i = 0; i < TIMES; i++) {
                pthread_t t = begin(dies_with_it, &both->mutex);

                until_set(&held);
                atomic_store(&held, 0);
                WAITS("mutex", pthread_mutex_lock(&both->mutex) == EOWNERDEAD);
                expect(!pthread_mutex_consistent(&both->mutex), "consistent");
                pthread_mutex_unlock(&both->mutex);
                nap_ms(20);
                pthread_detach(t);
        }
        return 0;
}

/* ---- what never comes: waits until stdin is closed */

static bool it_comes;

__attribute__((noinline)) static void await_what_never_comes(void)
{
        pthread_mutex_lock(&mutex);
        while (!it_comes)
                pthread_cond_wait(&cond, &mutex);
        pthread_mutex_unlock(&mutex);
}

static void *never_life(void *arg)
{
        (void)arg;
        pthread_setname_np(pthread_self(), "hopeful");
        atomic_store(&tid, my_tid());
        await_what_never_comes();
        return NULL;
}

static int way_never(void)
{
        char c;

        begin(never_life, NULL);
        until_set(&tid);
        until_asleep(tid);
        printf("{\"tid\": %d, \"object\": %lld}\n", tid, (long long)(uintptr_t)&cond);
        fflush(stdout);
        while (read(0, &c, 1) > 0)
                ;
        _exit(0);
}

/* ---- what goes on: a lock that is held and a thread that is joined until stdin is closed */

static void *holders_life(void *arg)
{
        char c;

        (void)arg;
        pthread_setname_np(pthread_self(), "holder");
        pthread_mutex_lock(&mutex);
        atomic_store(&held, my_tid());
        while (read(0, &c, 1) > 0)
                ;
        _exit(0);
}

static void *blocked_life(void *arg)
{
        (void)arg;
        pthread_setname_np(pthread_self(), "blocked");
        atomic_store(&tid, my_tid());
        pthread_mutex_lock(&mutex);
        return NULL;
}

static int way_held(void)
{
        pthread_t holder = begin(holders_life, NULL), blocked;

        until_set(&held);
        blocked = begin(blocked_life, NULL);
        until_set(&tid);
        until_asleep(tid);
        printf("{\"main\": %d, \"blocked\": %d, \"holder\": %d}\n", my_tid(), tid, held);
        fflush(stdout);
        pthread_join(blocked, NULL);
        pthread_join(holder, NULL);
        return 0;
}

static int way_joined_at_once(void)
{
        pthread_join(begin(holders_life, NULL), NULL);
        return 0;
}

static void *works_a_while(void *arg)
{
        atomic_store((_Atomic int *)arg, my_tid());
        nap_ms(HOLD_MS);
        return NULL;
}

static int way_join_each(void)
{
        enum { EACH = 3 };
        static _Atomic int tids[EACH];
        static const char *const names[EACH] = {"tid0", "tid1", "tid2"};

        for (int i = 0; i < EACH; i++) {
                pthread_t t = begin(works_a_while, (void *)&tids[i]);

                WAITS("join", !pthread_join(t, NULL));
                value(names[i], tids[i]);
        }
        value("joins", EACH);
        return 0;
}

/* ---- cancelled */

static void unlock(void *arg)
{
        pthread_mutex_unlock(arg);
}

static void *cancelled_in_cond(void *arg)
{
        (void)arg;
        pthread_mutex_lock(&mutex);
        pthread_cleanup_push(unlock, &mutex);
        atomic_store(&tid, my_tid());
        for (;;)
                pthread_cond_wait(&cond, &mutex);
        pthread_cleanup_pop(0);
        return NULL;
}

static void *cancelled_in_join(void *arg)
{
        atomic_store(&tid, my_tid());
        pthread_join(*(pthread_t *)arg, NULL);
        return NULL;
}

static void *cancelled_in_sleep(void *arg)
{
        (void)arg;
        atomic_store(&tid, my_tid());
        sleep(1000);
        return NULL;
}

static void *cancelled_in_sem(void *arg)
{
        atomic_store(&tid, my_tid());
        sem_wait(arg);
        return NULL;
}

static void *cancelled_in_poll(void *arg)
{
        (void)arg;
        atomic_store(&tid, my_tid());
        poll(NULL, 0, -1);
        return NULL;
}

static void *lives_on(void *arg)
{
        (void)arg;
        until_set(&told_to_go);
        until_joined();
        return NULL;
}

struct doomed {
        const char *kind;
        void *(*life)(void *);
        void *arg;
        uint64_t since;
};

/* The last that a thread does. What it waits for here is not seen: its wait lasts as long. */
static void is_joined(void *arg)
{
        struct doomed *d = arg;

        until_joined();
        told(d->kind, d->since);
}

static void *live_doomed(void *arg)
{
        struct doomed *d = arg;

        pthread_cleanup_push(is_joined, d);
        d->since = now_ns();
        d->life(d->arg);
        pthread_cleanup_pop(0);
        return NULL;
}

/* How a thread lives that dies in the midst of a wait, and works after another died so. */
static int way_cancel(void)
{
        sem_t sem;
        void *ret;
        pthread_t t, joined = begin(lives_on, NULL);
        struct doomed all[] = {
                {"condition", cancelled_in_cond, NULL, 0}, {"join", cancelled_in_join, &joined, 0},
                {"sleep", cancelled_in_sleep, NULL, 0},    {"semaphore", cancelled_in_sem, &sem, 0},
                {"poll", cancelled_in_poll, NULL, 0},
        };

        sem_init(&sem, 0, 0);
        for (int i = 0; i < 5; i++) {
                for (int k = 0; k < TIMES; k++) {
                        atomic_store(&tid, 0);
                        t = begin(live_doomed, &all[i]);
                        until_set(&tid);
                        until_asleep(tid);
                        nap_ms(HOLD_MS);
                        pthread_cancel(t);
                        WAITS("join", !pthread_join(t, &ret));
                        expect(ret == PTHREAD_CANCELED, "was cancelled");
                        expect(!pthread_mutex_lock(&mutex) && !pthread_mutex_unlock(&mutex),
                               "the mutex is free");
                }
        }
        atomic_store(&told_to_go, 1);
        end(joined);
        value("left", 5 * TIMES);
        return 0;
}

/* ---- signals */

static sigjmp_buf back;

/* While one wait goes on, another one. */
static void wait_in_handler(int number)
{
        (void)number;
        atomic_store(&second_tid, my_tid());
        WAITS("mutex", !pthread_mutex_lock(&second));
        pthread_mutex_unlock(&second);
}

static void jump_out(int number)
{
        (void)number;
        siglongjmp(back, 1);
}

static void *waits_on_cond(void *arg)
{
        (void)arg;
        pthread_mutex_lock(&mutex);
        atomic_store(&tid, my_tid());
        for (int i = 0; i < TIMES; i++) {
                uint64_t since = now_ns();

                atomic_store(&held, 0);
                while (!it_comes)
                        pthread_cond_wait(&cond, &mutex);
                it_comes = false;
                told("condition", since); /* what its handler waited is in there, too */
        }
        pthread_mutex_unlock(&mutex);
        return NULL;
}

static int way_handler(void)
{
        struct sigaction action = {.sa_handler = wait_in_handler, .sa_flags = SA_RESTART};
        pthread_t t;

        sigaction(SIGUSR1, &action, NULL);
        t = begin(waits_on_cond, NULL);
        until_set(&tid);
        for (int i = 0; i < TIMES; i++) {
                until_asleep(tid);
                pthread_mutex_lock(&second);
                atomic_store(&second_tid, 0);
                pthread_kill(t, SIGUSR1);
                until_set(&second_tid);
                until_asleep(tid);
                nap_ms(HOLD_MS);
                pthread_mutex_unlock(&second);
                nap_ms(HOLD_MS);
                pthread_mutex_lock(&mutex);
                it_comes = true;
                pthread_cond_signal(&cond);
                pthread_mutex_unlock(&mutex);
                nap_ms(5);
        }
        nap_ms(20);
        pthread_detach(t);
        value("tid", tid);
        return 0;
}

/* Locks of a handler's own, many, in the midst of locks and waits of any kind. */
static volatile sig_atomic_t n_handled;
static pthread_mutex_t handlers = PTHREAD_MUTEX_INITIALIZER;
static sem_t posted;

static void lock_in_handler(int number)
{
        (void)number;
        pthread_mutex_lock(&handlers); /* of this thread's handler alone */
        n_handled++;
        pthread_mutex_unlock(&handlers);
        sem_post(&posted);
}

static int way_storm(void)
{
        struct sigaction action = {.sa_handler = lock_in_handler, .sa_flags = SA_RESTART};
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
        struct itimerspec often = {{0, 200000}, {0, 200000}};
        struct timespec t = {0, 100000};
        timer_t timer;
        long n = 0;

        be_noticed();
        sem_init(&posted, 0, 0);
        sigaction(SIGUSR2, &action, NULL);
        expect(!timer_create(CLOCK_MONOTONIC, &event, &timer), "timer");
        timer_settime(timer, 0, &often, NULL);
        for (uint64_t until = now_ns() + 1000000000u; now_ns() < until;) {
                for (int i = 0; i < 2000; i++, n++) {
                        pthread_mutex_lock(&mutex);
                        pthread_mutex_unlock(&mutex);
                }
                nanosleep(&t, NULL);
                while (sem_trywait(&posted) == 0)
                        ;
                sem_wait(&posted);
        }
        timer_delete(timer);
        expect(n_handled > 500, "the handler was there");
        return 0;
}

static void *holds_long(void *arg)
{
        pthread_mutex_lock(arg);
        atomic_store(&held, 1);
        until_set(&told_to_go);
        until_joined();
        pthread_mutex_unlock(arg);
        return NULL;
}

/* Waits that are left by a jump, and waits after them. */
static int way_jump(void)
{
        struct sigaction action = {.sa_handler = jump_out, .sa_flags = SA_NODEFER};
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
        struct itimerspec once = {{0, 0}, {0, 15000000}};
        struct timespec t = {1000, 0};
        timer_t timer;
        sigset_t jumps;
        pthread_t other;

        /* The signal is the process's: it must not find the other thread, whose stack is not the
         * jump's. */
        sigemptyset(&jumps);
        sigaddset(&jumps, SIGUSR1);
        pthread_sigmask(SIG_BLOCK, &jumps, NULL);
        other = begin(holds_long, &second);
        pthread_sigmask(SIG_UNBLOCK, &jumps, NULL);
        until_set(&held);
        sigaction(SIGUSR1, &action, NULL);
        expect(!timer_create(CLOCK_MONOTONIC, &event, &timer), "timer");
        for (volatile int i = 0; i < 2 * TIMES; i++) {
                volatile uint64_t since = now_ns();

                if (sigsetjmp(back, 1)) {
                        told(i < TIMES ? "sleep" : "mutex", since);
                        continue;
                }
                timer_settime(timer, 0, &once, NULL);
                if (i < TIMES)
                        nanosleep(&t, NULL);
                else
                        pthread_mutex_lock(&second);
                expect(false, "nobody comes here");
        }
        value("left", 2 * TIMES);
        atomic_store(&told_to_go, 1);
        end(other);
        return 0;
}

/* ---- mutexes of all kinds */

static pthread_mutex_t one_special, *special = &one_special;
static _Atomic int wanted;

static void *holds_special(void *arg)
{
        (void)arg;
        atomic_store(&second_tid, my_tid());
        for (int i = 0; i < TIMES; i++) {
                until_set(&wanted);
                atomic_store(&wanted, 0);
                expect(!pthread_mutex_lock(special), "lock");
                atomic_store(&held, 1);
                until_asleep(tid);
                nap_ms(HOLD_MS);
                pthread_mutex_unlock(special);
        }
        return NULL;
}

static void contend_special(void)
{
        pthread_t t = begin(holds_special, NULL);

        atomic_store(&tid, my_tid());
        for (int i = 0; i < TIMES; i++) {
                atomic_store(&held, 0);
                atomic_store(&wanted, 1);
                until_set(&held);
                WAITS("mutex", !pthread_mutex_lock(special));
                pthread_mutex_unlock(special);
        }
        nap_ms(20);
        pthread_detach(t);
        value("object", (long long)(uintptr_t)special);
        value("for_tid", second_tid);
}

static int way_inherit(void)
{
        pthread_mutexattr_t a;

        pthread_mutexattr_init(&a);
        expect(!pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT), "protocol");
        expect(!pthread_mutex_init(special, &a), "init");
        contend_special();
        return 0;
}

static int way_recursive(void)
{
        pthread_mutexattr_t a;

        pthread_mutexattr_init(&a);
        pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
        pthread_mutex_init(special, &a);
        for (int i = 0; i < 100; i++)
                expect(!pthread_mutex_lock(special), "again");
        for (int i = 0; i < 100; i++)
                expect(!pthread_mutex_unlock(special), "and off");
        contend_special();
        return 0;
}

/* To lock what one holds is an error, and no wait. */
static int way_errors(void)
{
        pthread_mutexattr_t a;

        pthread_mutexattr_init(&a);
        pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
        pthread_mutex_init(special, &a);
        expect(!pthread_mutex_lock(special), "lock");
        for (int i = 0; i < 1000; i++)
                expect(pthread_mutex_lock(special) == EDEADLK, "deadlock");
        pthread_mutex_unlock(special);
        expect(pthread_mutex_unlock(special) == EPERM, "not held");
        contend_special();
        return 0;
}

/* ---- a lock that is gone while it is held, and another one in its place */

struct big {
        pthread_mutex_t mutex;
        char more[8000]; /* a thread does not keep blocks of this size for itself */
};

static void *holds_and_frees(void *arg)
{
        struct big *b = arg;

        pthread_mutex_lock(&b->mutex);
        atomic_store(&second_tid, my_tid());
        memset(b, 0x55, sizeof(*b));
        free(b);
        atomic_store(&held, 1);
        until_set(&told_to_go);
        until_joined();
        return NULL;
}

static int way_freed(void)
{
        struct big *b = malloc(sizeof(*b)), *guard = malloc(64), *next;
        uintptr_t at = (uintptr_t)b;
        pthread_t t;

        pthread_mutex_init(&b->mutex, NULL);
        t = begin(holds_and_frees, b);
        until_set(&held);
        value("gone_tid", second_tid);
        next = malloc(sizeof(*next));
        value("same_place", (uintptr_t)next == at);
        pthread_mutex_init(&next->mutex, NULL);
        special = &next->mutex;
        contend_special();
        atomic_store(&told_to_go, 1);
        end(t);
        free(guard);
        return 0;
}

/* ---- thousands */

enum { CROWD = 2000 };
static _Atomic int n_there;
static _Atomic long n_waited;

static void *crowd_life(void *arg)
{
        (void)arg;
        pthread_mutex_lock(&mutex);
        atomic_fetch_add(&n_there, 1);
        while (!it_comes) {
                pthread_cond_wait(&cond, &mutex);
                atomic_fetch_add(&n_waited, 1);
        }
        pthread_mutex_unlock(&mutex);
        return NULL;
}

static int way_crowd(void)
{
        static pthread_t crowd[CROWD];
        pthread_attr_t small;

        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 64 << 10);
        for (int i = 0; i < CROWD; i++)
                expect(!pthread_create(&crowd[i], &small, crowd_life, NULL), "create");
        while (atomic_load(&n_there) < CROWD)
                nap_ms(1);
        pthread_mutex_lock(&mutex);
        it_comes = true;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&mutex);
        for (int i = 0; i < CROWD; i++)
                pthread_join(crowd[i], NULL);
        value("conditions", n_waited);
        value("joins", CROWD);
        value("threads", CROWD);
        return 0;
}

static void *brief_life(void *arg)
{
        pthread_mutex_lock(&mutex);
        ++*(long *)arg;
        pthread_mutex_unlock(&mutex);
        return NULL;
}

/* More threads than there are thread ids, where these are few; four at a time. */
static int way_brief(void)
{
        enum { BRIEF = 40000 };
        pthread_t t[4];
        long n = 0;

        for (int i = 0; i < BRIEF / 4; i++) {
                for (int j = 0; j < 4; j++)
                        expect(!pthread_create(&t[j], NULL, brief_life, &n), "create");
                for (int j = 0; j < 4; j++)
                        expect(!pthread_join(t[j], NULL), "join");
        }
        expect(n == BRIEF, "all were there");
        value("joins", BRIEF);
        value("threads", BRIEF);
        return 0;
}

int main(int argc, char **argv)
{
        static const struct way ways[] = {
                {"shared", way_shared},
                {"robust", way_robust},
                {"robust-thread", way_robust_thread},
                {"never", way_never},
                {"held", way_held},
                {"join-each", way_join_each},
                {"joined-at-once", way_joined_at_once},
                {"cancel", way_cancel},
                {"handler", way_handler},
                {"storm", way_storm},
                {"jump", way_jump},
                {"inherit", way_inherit},
                {"recursive", way_recursive},
                {"errors", way_errors},
                {"freed", way_freed},
                {"crowd", way_crowd},
                {"brief", way_brief},
                {0},
        };

        return live_one(ways, argc, argv);
}
