/* SPDX-License-Identifier: MIT */
/*
 * memory N THREADS: N rounds of every kernel on each thread; blocks wander from each thread to the
 * next, which frees them. What was allocated before main, and in $VICTIM_EARLY blocks, is kept.
 */
#include "memory.h"
#include "truth.h"

#include <pthread.h>
#include <stdlib.h>

#include <string>
#include <vector>

static struct early {
        std::vector<void *> blocks;
        early()
        {
                const char *n = getenv("VICTIM_EARLY");

                for (int i = n ? atoi(n) : 0; i > 0; i--)
                        blocks.push_back(malloc(1000));
        }
        ~early()
        {
                for (void *b : blocks)
                        free(b);
        }
} early_ones;

struct named {
        const char *name;
        struct memory_truth t;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static named sums[16];
static long rounds, n_threads;
static bool portable;
static void *wandering[64];

static void add(const char *name, const memory_truth &t, long calls)
{
        int i = 0;

        pthread_mutex_lock(&lock);
        while (sums[i].name && strcmp(sums[i].name, name))
                i++;
        sums[i].name = name;
        sums[i].t.calls += t.calls;
        sums[i].t.asked += t.asked;
        sums[i].t.usable += t.usable;
        sums[i].t.frees += t.frees;
        sums[i].t.freed += t.freed;
        sums[i].t.failed += t.failed;
        truth_calls(name, calls);
        pthread_mutex_unlock(&lock);
}

static void *kernels(void *)
{
#define X(name)                                                                                    \
        do {                                                                                       \
                if (portable && !strcmp(#name, "k_paged"))                                         \
                        break;                                                                     \
                struct memory_truth t = {};                                                        \
                name(&t, rounds);                                                                  \
                add(#name, t, 1);                                                                  \
        } while (0);
        EACH_MEMORY(X)
        X(k_new)
#undef X
        return NULL;
}

static void *give(void *arg)
{
        struct memory_truth t = {};

        wandering[(long)arg] = k_give(&t, 100000);
        add("k_give", t, 1);
        return NULL;
}

static void *take(void *arg)
{
        struct memory_truth t = {};

        k_take(&t, wandering[((long)arg + 1) % n_threads]);
        add("k_take", t, 1);
        return NULL;
}

static void on_threads(void *(*fn)(void *))
{
        pthread_t threads[64];

        for (long i = 1; i < n_threads; i++)
                pthread_create(&threads[i], NULL, fn, (void *)i);
        fn(NULL);
        for (long i = 1; i < n_threads; i++)
                pthread_join(threads[i], NULL);
}

static void print()
{
        printf("{");
        truth_list("kernels", truth_kernels);
        printf(", \"memory\": {");
        for (int i = 0; i < 16 && sums[i].name; i++)
                printf("%s\"%s\": {\"alloc_calls\": %lld, \"alloc_bytes\": %lld, \"free_calls\": "
                       "%lld, "
                       "\"usable_bytes\": %lld, \"freed_bytes\": %lld, \"failed_calls\": %lld}",
                       i ? ", " : "", sums[i].name, sums[i].t.calls, sums[i].t.asked,
                       sums[i].t.frees, sums[i].t.usable, sums[i].t.freed, sums[i].t.failed);
        printf("}}\n");
}

static void inner_ones()
{
        struct memory_truth inner = {};

        /* k_nested gave and took n blocks of 60 on each thread */
        inner.calls = inner.frees = rounds * n_threads;
        inner.asked = 60 * inner.calls;
        void *p = malloc(60);
        inner.usable = inner.freed = (long long)malloc_usable_size(p) * inner.calls;
        free(p);
        memory_truth give = inner, take = inner;
        give.frees = give.freed = 0;
        take.calls = take.asked = take.usable = 0;
        add("k_give", give, rounds * n_threads);
        add("k_take", take, rounds * n_threads);
}

int main(int argc, char **argv)
{
        rounds = argc > 1 ? atoi(argv[1]) : 1;
        n_threads = argc > 2 ? atoi(argv[2]) : 1;
        portable = argc > 3 && !strcmp(argv[3], "portable"); /* not every allocator has pvalloc */
        if (argc > 3 && !strcmp(argv[3], "peak")) {
                std::vector<void *> blocks;
                long long usable = 0;

                blocks.reserve(1000);
                for (int i = 0; i < 1000; i++) {
                        blocks.push_back(malloc(10000));
                        usable += (long long)malloc_usable_size(blocks.back());
                }
                for (void *b : blocks)
                        free(b);
                struct memory_truth t = {};

                k_take(&t, k_give(&t, 5));
                truth_calls("k_give", 1);
                truth_calls("k_take", 1);
                truth_value("peak", usable);
                truth_print();
                return 0;
        }
        on_threads(kernels);
        on_threads(give);
        on_threads(take);
        inner_ones();
        print();
        return 0;
}
