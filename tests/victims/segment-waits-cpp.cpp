// SPDX-License-Identifier: MIT
// What C++ makes of waits and threads: all of it comes by libstdc++ or by syscall().
#define _Static_assert static_assert
#define _Alignas alignas
extern "C" {
#include "segment-waits.h"
}

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <future>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <stdexcept>
#include <thread>

static PLACE int spawn_and_wait()
{
        std::mutex m;
        std::condition_variable c;
        bool said = false;
        std::thread t([&] {
                nap(20);
                std::lock_guard lock(m);
                said = true;
                c.notify_one();
        });
        {
                std::unique_lock lock(m);
                while (!said)
                        c.wait(lock);
        }
        t.join();
        return 1;
}

static void threads_and_conditions()
{
        ifp_lane *me = my_lane();
        uint64_t conds = me->waits.count[IFP_WAIT_COND];
        ifp_site *found = nullptr;

        EQUAL(spawn_and_wait(), 1);
        EQUAL(me->waits.count[IFP_WAIT_COND], conds + 1);
        for (uint32_t i = 0; i < seg->live.n_sites; i++)
                if (passes(seg->sites[i].stack, (const void *)spawn_and_wait))
                        found = &seg->sites[i];
        CHECK(found);
        if (!found)
                return;
        EQUAL(found->count, 1);
        // not libstdc++, which starts everybody's threads, but who asked it to
        uint64_t at = seg->objects[found->object].base + found->offset;
        AT_LEAST(PLACE_BYTES - 1, at - (uintptr_t)&spawn_and_wait);
}

static void locks()
{
        std::timed_mutex timed;
        std::shared_timed_mutex shared;
        ifp_lane *me = my_lane();
        uint64_t mutexes = me->waits.count[IFP_WAIT_MUTEX],
                 rwlocks = me->waits.count[IFP_WAIT_RWLOCK];
        std::atomic<int> held = 0;

        std::thread t([&] {
                std::lock_guard a(timed);
                std::lock_guard b(shared);
                held = 1;
                nap(60);
        });
        while (!held)
                nap(1);
        CHECK(!timed.try_lock_for(std::chrono::milliseconds(5)));
        CHECK(!shared.try_lock_shared_for(std::chrono::milliseconds(5)));
        timed.lock();
        shared.lock_shared();
        timed.unlock();
        shared.unlock_shared();
        EQUAL(me->waits.count[IFP_WAIT_MUTEX], mutexes + 2);
        AT_LEAST(me->waits.count[IFP_WAIT_RWLOCK], rwlocks + 1);
        t.join();
}

static void futures_and_atomics()
{
        ifp_lane *me = my_lane();
        uint64_t futexes = me->waits.count[IFP_WAIT_FUTEX],
                 sleeps = me->waits.count[IFP_WAIT_SLEEP];
        std::promise<int> promise;
        std::atomic<int> word = 0;
        std::thread t([&] {
                nap(30);
                promise.set_value(7);
                nap(30);
                word = 1;
                word.notify_one();
        });

        EQUAL(promise.get_future().get(), 7);
        EQUAL(me->waits.count[IFP_WAIT_FUTEX], futexes + 1);
        word.wait(0);
        AT_LEAST(me->waits.count[IFP_WAIT_FUTEX], futexes + 2);
        t.join();
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        EQUAL(me->waits.count[IFP_WAIT_SLEEP], sleeps + 1);
        std::this_thread::yield();
        AT_LEAST(me->waits.count[IFP_WAIT_YIELD], 1);
}

// An exception that goes through a wait's frame, as cancellation does.
static void exceptions_pass()
{
        std::mutex m;
        bool caught = false;

        try {
                std::unique_lock lock(m);
                lock.lock();
        } catch (const std::system_error &) {
                caught = true;
        }
        CHECK(caught);
        EQUAL(my_lane()->waits.since, 0);
}

int main(int argc, char **argv)
{
        static const named_case cases[] = {
                {"threads_and_conditions", threads_and_conditions},
                {"locks", locks},
                {"futures_and_atomics", futures_and_atomics},
                {"exceptions_pass", exceptions_pass},
        };

        return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
