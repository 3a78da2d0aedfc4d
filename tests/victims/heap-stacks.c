/* SPDX-License-Identifier: MIT */
/*
 * heap-stacks WHAT N: blocks from known chains of calls.
 *
 *   chain   N blocks of 104 bytes by way of each of left and right, which both call middle; two of
 * three are freed deep    N blocks from under 10,000 frames tree    one block at each leaf of a
 * binary tree of calls that is N deep: 2^N stacks steps   N times 40 bytes from each of ten
 * functions
 */
#include "heap.h"

static struct heap_truth truth;
static long n;

/* Each function is a frame of its own: nothing inlined, no tail call. */
/* Each keeps its own frame; clang has no noipa, and does less across functions. */
#ifdef __clang__
#define FRAME static __attribute__((noinline))
#else
#define FRAME static __attribute__((noinline, noipa))
#endif
#define STAY(p) HEAP_HIDE(p)

FRAME void *stacks_leaf(size_t size)
{
        void *p = HEAP_MALLOC(&truth, size);

        STAY(p);
        return p;
}

FRAME void *stacks_middle(size_t size)
{
        void *p = stacks_leaf(size);

        STAY(p);
        return p;
}

FRAME void *stacks_left(size_t size)
{
        void *p = stacks_middle(size);

        STAY(p);
        return p;
}

FRAME void *stacks_right(size_t size)
{
        void *p = stacks_middle(size);

        STAY(p);
        return p;
}

static void chain(void)
{
        for (long i = 0; i < n; i++) {
                void *p = stacks_left(104), *q = stacks_right(104);

                if (i % 3) {
                        HEAP_FREE(&truth, p);
                        HEAP_FREE(&truth, q);
                }
        }
}

FRAME void *stacks_down(long levels)
{
        void *p = levels ? stacks_down(levels - 1) : stacks_leaf(1000);

        STAY(p);
        return p;
}

static void deep(void)
{
        for (long i = 0; i < n; i++) {
                void *p = stacks_down(10000);

                if (i % 2)
                        HEAP_FREE(&truth, p);
        }
}

FRAME void stacks_tree(long levels)
{
        if (!levels) {
                void *p = stacks_leaf(24);

                STAY(p);
                return;
        }
        stacks_tree(levels - 1);
        __asm__ volatile("" ::: "memory"); /* two calls, two return addresses */
        stacks_tree(levels - 1);
        __asm__ volatile("" ::: "memory");
}

static void tree(void)
{
        stacks_tree(n);
}

#define STEP(i)                                                                                    \
        FRAME void *stacks_step_##i(size_t size)                                                   \
        {                                                                                          \
                void *p = stacks_leaf(size);                                                       \
                                                                                                   \
                STAY(p);                                                                           \
                return p;                                                                          \
        }
#define EACH(X)                                                                                    \
        X(0)                                                                                       \
        X(1)                                                                                       \
        X(2)                                                                                       \
        X(3)                                                                                       \
        X(4)                                                                                       \
        X(5)                                                                                       \
        X(6)                                                                                       \
        X(7)                                                                                       \
        X(8)                                                                                       \
        X(9)
EACH(STEP)

static void steps(void)
{
#define X(i) stacks_step_##i,
        void *(*const volatile step[])(size_t) = {EACH(X)};
#undef X

        for (long i = 0; i < n; i++)
                for (int k = 0; k < 10; k++)
                        HEAP_FREE(&truth, step[k](40));
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                void (*fn)(void);
        } modes[] = {{"chain", chain}, {"deep", deep}, {"tree", tree}, {"steps", steps}};

        if (argc != 3)
                return 2;
        n = atol(argv[2]);
        for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
                if (!strcmp(argv[1], modes[i].name)) {
                        modes[i].fn();
                        heap_print("memory", &truth);
                        return 0;
                }
        }
        return 2;
}
