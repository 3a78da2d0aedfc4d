/* SPDX-License-Identifier: MIT */
/* The same waits by C11's names: mtx, cnd, thrd. */
#include "told.h"

#include <threads.h>

enum { TIMES = 5, HOLD_MS = 12 };

static mtx_t mutex;
static cnd_t cond;
static _Atomic int wanted, held, main_tid, her_tid;
static int n_signals;

static int holds(void *arg)
{
        (void)arg;
        atomic_store(&her_tid, my_tid());
        for (int i = 0; i < TIMES; i++) {
                until_set(&wanted);
                atomic_store(&wanted, 0);
                mtx_lock(&mutex);
                atomic_store(&held, 1);
                until_asleep(main_tid);
                nap_ms(HOLD_MS);
                mtx_unlock(&mutex);
        }
        for (int i = 0; i < TIMES; i++) {
                until_set(&wanted);
                atomic_store(&wanted, 0);
                until_asleep(main_tid);
                nap_ms(HOLD_MS);
                mtx_lock(&mutex);
                n_signals++;
                if (i % 2)
                        cnd_broadcast(&cond);
                else
                        cnd_signal(&cond);
                mtx_unlock(&mutex);
        }
        nap_ms(HOLD_MS);
        return 7;
}

int main(void)
{
        struct timespec t = {0, 10000000};
        thrd_t her;
        int code;

        mtx_init(&mutex, mtx_plain);
        cnd_init(&cond);
        atomic_store(&main_tid, my_tid());
        expect(thrd_create(&her, holds, NULL) == thrd_success, "create");
        for (int i = 0; i < TIMES; i++) {
                atomic_store(&held, 0);
                atomic_store(&wanted, 1);
                until_set(&held);
                WAITS("mutex", mtx_lock(&mutex) == thrd_success);
                mtx_unlock(&mutex);
        }
        for (int i = 0; i < TIMES; i++) {
                mtx_lock(&mutex);
                atomic_store(&wanted, 1);
                while (n_signals <= i)
                        WAITS("condition", cnd_wait(&cond, &mutex) == thrd_success);
                mtx_unlock(&mutex);
        }
        mtx_lock(&mutex);
        timespec_get(&t, TIME_UTC);
        t.tv_sec += (t.tv_nsec + 10000000) / 1000000000;
        t.tv_nsec = (t.tv_nsec + 10000000) % 1000000000;
        WAITS("condition", cnd_timedwait(&cond, &mutex, &t) == thrd_timedout);
        mtx_unlock(&mutex);
        WAITS("join", thrd_join(her, &code) == thrd_success && code == 7);
        t = (struct timespec){0, 10000000};
        WAITS("sleep", thrd_sleep(&t, NULL) == 0);
        for (int i = 0; i < 10; i++) {
                uint64_t since = now_ns();

                thrd_yield();
                told("yield", since);
        }
        value("threads", 1);
        value("for_tid", her_tid);
        told_print();
        return 0;
}
