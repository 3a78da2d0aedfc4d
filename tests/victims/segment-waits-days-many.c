/* SPDX-License-Identifier: MIT */
/* Waits early and late, by thousands, and by hand. Each case is right by itself without the shim;
 * what the shim wrote must be, too. */
#include "segment-waits.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t m;

/* ---- early and late ---- */

static pthread_mutex_t early = PTHREAD_MUTEX_INITIALIZER;
static volatile bool early_done;

static void *takes_early(void *arg)
{
        pthread_mutex_lock(&early);
        pthread_mutex_unlock(&early);
        early_done = true;
        return arg;
}

__attribute__((constructor)) static void before_main(void)
{
        pthread_t t;

        pthread_mutex_lock(&early);
        pthread_create(&t, NULL, takes_early, NULL);
        nap(50);
        pthread_mutex_unlock(&early);
        pthread_join(t, NULL);
}

static void before_main_there_are_waits(void)
{
        struct sums s = waits_of(NULL, IFP_WAIT_MUTEX, &early);

        CHECK(early_done);
        EQUAL(s.count, 1);
        EQUAL(s.by, 1);
}

static pthread_key_t key;

static void late_destructor(void *arg)
{
        pthread_mutex_lock(arg);
        pthread_mutex_unlock(arg);
        sched_yield();
}

static void *has_a_destructor(void *arg)
{
        pthread_setspecific(key, arg);
        other_tid = my_tid();
        reach(1);
        return NULL;
}

static void a_destructor_that_waits(void)
{
        uint64_t n;
        pthread_t t;

        pthread_key_create(&key, late_destructor);
        m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        n = waits_of(NULL, IFP_WAIT_MUTEX, &m).count;
        pthread_mutex_lock(&m);
        t = start(has_a_destructor, &m);
        until_waiting(other_tid, IFP_WAIT_MUTEX, &m);
        pthread_mutex_unlock(&m);
        pthread_join(t, NULL);
        EQUAL(waits_of(NULL, IFP_WAIT_MUTEX, &m).count, n + 1);
}

/* A fork child has a segment of its own once it spawns, and waits are counted there. */
static void in_a_fork_child(void)
{
        int status;
        pid_t pid;

        m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        pid = fork();
        if (!pid) {
                struct ifp_segment *parents = seg;
                pthread_t t;
                int bad;

                pthread_mutex_lock(&m); /* before it has one */
                pthread_mutex_unlock(&m);
                sched_yield();
                t = start(takes_mutex, &early);
                pthread_join(t, NULL);
                find_segment();
                CHECK(seg == parents); /* another, at the same place */
                EQUAL(seg->header.pid, getpid());
                EQUAL(seg->header.mapped_at, (uintptr_t)seg);
                contend(&m);
                EQUAL(waits_of(NULL, IFP_WAIT_MUTEX, NULL).count, 1);
                check_all();
                bad = n_failed();
                fflush(stdout);
                _exit(bad ? 9 : 0);
        }
        waitpid(pid, &status, 0);
        EQUAL(status, 0);
        CHECK(seg->header.pid == getpid());
}

/* ---- numbers ---- */

static void *one_of_many(void *arg)
{
        __atomic_fetch_add((int *)&phase, 1, __ATOMIC_SEQ_CST);
        pthread_mutex_lock(arg);
        pthread_mutex_unlock(arg);
        return NULL;
}

/* More than there are lanes: the rest is the crowd's. */
static void two_thousand_threads(void)
{
        enum { N = 2200 };
        static pthread_t t[N];
        struct ifp_lane *crowd = &seg->lanes[seg->header.n_lanes - 1];
        uint64_t before = crowd->waits.count[IFP_WAIT_MUTEX], sum = 0;
        pthread_attr_t attr;
        int n = 0;

        m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        sum -= waits_of(NULL, IFP_WAIT_MUTEX, &m).count;
        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 65536);
        pthread_mutex_lock(&m);
        phase = 0;
        while (n < N && !pthread_create(&t[n], &attr, one_of_many, &m))
                n++;
        await(n);
        nap(300);
        pthread_mutex_unlock(&m);
        for (int i = 0; i < n; i++)
                pthread_join(t[i], NULL);
        AT_LEAST(n, 500);
        sum += waits_of(NULL, IFP_WAIT_MUTEX, &m).count + crowd->waits.count[IFP_WAIT_MUTEX] -
               before;
        AT_LEAST(sum, (uint64_t)n * 9 / 10); /* all but those that came too late to wait */
        CHECK(sum <= (uint64_t)n);
        if (n == N)
                CHECK(crowd->waits.count[IFP_WAIT_MUTEX] > before);
}

static void more_objects_than_entries(void)
{
        enum { N = 20000 };
        pthread_mutex_t *all = calloc(N, sizeof(*all));
        struct ifp_lane *me = my_lane();
        uint64_t n = me->waits.count[IFP_WAIT_MUTEX];
        struct timespec past = {1, 0};

        for (int i = 0; i < N; i++) {
                pthread_mutex_lock(&all[i]);
                EQUAL(pthread_mutex_timedlock(&all[i], &past), ETIMEDOUT);
        }
        EQUAL(me->waits.count[IFP_WAIT_MUTEX], n + N);
        AT_LEAST(seg->live.n_waits, IFP_MAX_WAITS / 2);
        CHECK(seg->live.n_waits < IFP_MAX_WAITS / 2 + 1000); /* what came then shares an entry */
        EQUAL(seg->live.waits_other, 0);
        free(all);
}

/* ---- by hand ---- */

static uint32_t word;

static int raw_child(void *arg)
{
        (void)arg;
        __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
        return 0;
}

/* Its thread pointer is ours: it must not disturb. */
static void raw_clones_and_futexes(void)
{
        static char stack[65536] __attribute__((aligned(16)));

        for (int i = 0; i < 100; i++) {
                int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                            CLONE_SYSVSEM | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID;
                int tid = 1;

                word = 0;
                if (clone(raw_child, stack + sizeof(stack), flags, NULL, NULL, NULL, &tid) < 0)
                        abort();
                while (!__atomic_load_n(&word, __ATOMIC_SEQ_CST))
                        syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
                while (__atomic_load_n(&tid, __ATOMIC_SEQ_CST))
                        nap(0);
        }
        EQUAL(my_lane()->waits.since, 0);
}

static void a_lock_freed_while_held(void)
{
        for (int i = 0; i < 100; i++) {
                pthread_mutex_t *p = malloc(sizeof(*p));

                pthread_mutex_init(p, NULL);
                pthread_mutex_lock(p);
                memset(p, 0xee, sizeof(*p));
                free(p);
                p = calloc(1, sizeof(*p));
                if (i % 20 == 0)
                        contend(p);
                free(p);
        }
}

/* What was linked with the first version of conditions has pointers there. */
struct old_cond {
        void *real;
};
extern int old_wait(struct old_cond *c, pthread_mutex_t *m);
extern int old_signal(struct old_cond *c);
extern int old_init(struct old_cond *c, void *attr);
__asm__(".symver old_wait, pthread_cond_wait@GLIBC_2.2.5");
__asm__(".symver old_signal, pthread_cond_signal@GLIBC_2.2.5");
__asm__(".symver old_init, pthread_cond_init@GLIBC_2.2.5");

static struct {
        struct old_cond cond;
        uint64_t guard[8];
} old;
static bool said;

static void *waits_the_old_way(void *arg)
{
        pthread_mutex_lock(arg);
        reach(1);
        while (!said)
                old_wait(&old.cond, arg);
        pthread_mutex_unlock(arg);
        return NULL;
}

static void conditions_of_the_first_version(void)
{
        pthread_t t;

        m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        memset(&old, 0, sizeof(old));
        old_init(&old.cond, NULL);
        said = false;
        t = start(waits_the_old_way, &m);
        nap(20);
        pthread_mutex_lock(&m);
        said = true;
        old_signal(&old.cond);
        pthread_mutex_unlock(&m);
        pthread_join(t, NULL);
        for (int i = 0; i < 8; i++)
                EQUAL(old.guard[i], 0);
}

int main(int argc, char **argv)
{
        static const struct named_case cases[] = {
                {"before_main_there_are_waits", before_main_there_are_waits},
                {"a_destructor_that_waits", a_destructor_that_waits},
                {"in_a_fork_child", in_a_fork_child},
                {"raw_clones_and_futexes", raw_clones_and_futexes},
                {"a_lock_freed_while_held", a_lock_freed_while_held},
                {"conditions_of_the_first_version", conditions_of_the_first_version},
                {"two_thousand_threads", two_thousand_threads},
                {"more_objects_than_entries", more_objects_than_entries},
        };

        return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
