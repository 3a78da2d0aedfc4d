/* SPDX-License-Identifier: MIT */
/*
 * The same waits by C++'s names. What libstdc++ makes of std::mutex and the like is pthreads'; what
 * it makes of latch, barrier and counting_semaphore is a futex by syscall(), after some looks and
 * yields: how many times is its own affair, once at least.
 */
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <functional>
#include <future>
#include <latch>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <string>
#include <thread>
#include <map>
#include <sys/syscall.h>
#include <unistd.h>

static const int times = 5;
static const auto hold = std::chrono::milliseconds(12);

/* As in told.h: not by libc, so that it is no wait for whoever watches. */
static void nap(std::chrono::microseconds us)
{
        timespec t = {us.count() / 1000000, us.count() % 1000000 * 1000};
        long ret;

        __asm__ volatile("syscall"
                         : "=a"(ret)
                         : "a"(SYS_nanosleep), "D"(&t), "S"(&t)
                         : "rcx", "r11", "memory");
}

struct told {
        long count;
        std::chrono::nanoseconds ns;
};
static std::map<std::string, told> waits;

static std::atomic<int> n_asked; /* times, by the main thread */

/* Until the main thread sleeps in the kernel. */
static void until_asleep()
{
        const std::string path = "/proc/self/task/" + std::to_string(getpid()) + "/stat";

        for (int i = 0; i < 20000; i++) {
                char text[128];
                int fd = open(path.c_str(), O_RDONLY);
                ssize_t n = read(fd, text, sizeof(text) - 1);

                close(fd);
                text[n > 0 ? n : 0] = 0;
                const char *end = strrchr(text, ')');
                if (end && end[1] == ' ' && end[2] == 'S')
                        return;
                nap(std::chrono::microseconds(500));
        }
        abort();
}

static void timed(const char *kind, const std::function<void()> &call)
{
        n_asked++;
        auto since = std::chrono::steady_clock::now();

        call();
        waits[kind].count++;
        waits[kind].ns += std::chrono::steady_clock::now() - since;
}

/* A thread that does `first`, and `then` some time after the caller, who asks so often, waits for
 * it. */
static std::thread other(const std::function<void()> &first, const std::function<void()> &then,
                         int asks = 1)
{
        auto *ready = new std::atomic<bool>(false);
        int asked = n_asked;
        std::thread t([=] {
                first();
                ready->store(true);
                while (n_asked < asked + asks)
                        nap(std::chrono::microseconds(200));
                until_asleep();
                nap(hold);
                then();
                nap(hold / 2);
        });

        while (!ready->load())
                nap(std::chrono::microseconds(200));
        return t;
}

static int n_threads;

static void end(std::thread t)
{
        n_threads++;
        nap(2 * hold);
        t.detach();
}

static void locks()
{
        std::mutex m;
        std::shared_mutex s;
        std::timed_mutex timed_m;
        std::recursive_mutex r;

        for (int i = 0; i < times; i++) {
                auto t = other([&] { m.lock(); }, [&] { m.unlock(); });
                timed("mutex", [&] { m.lock(); });
                m.unlock();
                end(std::move(t));
                t = other([&] { r.lock(); }, [&] { r.unlock(); });
                timed("mutex", [&] { r.lock(); });
                r.lock();
                r.unlock();
                r.unlock();
                end(std::move(t));
                t = other([&] { timed_m.lock(); }, [&] { timed_m.unlock(); }, 2);
                timed("mutex", [&] {
                        if (timed_m.try_lock_for(std::chrono::milliseconds(1)))
                                abort();
                });
                timed("mutex", [&] { timed_m.lock(); });
                timed_m.unlock();
                end(std::move(t));
                t = other([&] { s.lock(); }, [&] { s.unlock(); });
                timed("rwlock", [&] { s.lock_shared(); });
                s.unlock_shared();
                end(std::move(t));
                t = other([&] { s.lock_shared(); }, [&] { s.unlock_shared(); });
                timed("rwlock", [&] { s.lock(); });
                s.unlock();
                end(std::move(t));
        }
}

static void conditions()
{
        std::mutex m;
        std::condition_variable c;
        int n = 0;

        for (int i = 0; i < times; i++) {
                auto t = other([] {},
                               [&] {
                                       std::lock_guard lock(m);
                                       n++;
                                       c.notify_one();
                               });
                std::unique_lock lock(m);
                while (n <= i)
                        timed("condition", [&] { c.wait(lock); });
                lock.unlock();
                end(std::move(t));
        }
        std::unique_lock lock(m);
        timed("condition", [&] {
                if (c.wait_for(lock, hold) != std::cv_status::timeout)
                        abort();
        });
}

static void joins_and_sleeps()
{
        for (int i = 0; i < times; i++) {
                std::thread t([] { nap(hold); });
                n_threads++;
                timed("join", [&] { t.join(); });
        }
        timed("sleep", [] { std::this_thread::sleep_for(hold); });
        for (int i = 0; i < 10; i++)
                timed("yield", [] { std::this_thread::yield(); });
}

/* By futex: each waits for what comes 12 ms after it sleeps. */
static void newer()
{
        std::counting_semaphore<8> sem(0);

        for (int i = 0; i < times; i++) {
                auto t = other([] {}, [&] { sem.release(); });
                timed("futex", [&] { sem.acquire(); });
                end(std::move(t));
                std::latch latch(1);
                t = other([] {}, [&] { latch.count_down(); });
                timed("futex", [&] { latch.wait(); });
                end(std::move(t));
                std::barrier barrier(2);
                t = other([] {}, [&] { barrier.arrive_and_wait(); });
                timed("futex", [&] { barrier.arrive_and_wait(); });
                end(std::move(t));
                std::atomic<int> word(0);
                t = other([] {},
                          [&] {
                                  word.store(1);
                                  word.notify_all();
                          });
                timed("futex", [&] { word.wait(0); });
                end(std::move(t));
        }
}

int main(int argc, char **argv)
{
        if (argc > 1 && !strcmp(argv[1], "newer")) {
                newer();
        } else {
                locks();
                conditions();
                joins_and_sleeps();
        }
        const char *comma = "";
        printf("{\"waits\": {");
        for (auto &[kind, t] : waits) {
                printf("%s\"%s\": {\"count\": %ld, \"total_ns\": %lld}", comma, kind.c_str(),
                       t.count, (long long)t.ns.count());
                comma = ", ";
        }
        printf("}, \"values\": {\"threads\": %d}}\n", n_threads);
        return 0;
}
