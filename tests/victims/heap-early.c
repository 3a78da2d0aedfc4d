/* SPDX-License-Identifier: MIT */
/*
 * heap-early: allocates before every constructor of a library (the program's preinit array), in a
 * constructor of its own, in main, and in a destructor. $VICTIM_N blocks each; what one made, the
 * next frees, and the last ones stay.
 */
#include "heap.h"

static struct heap_truth truth;
static void *blocks[1000];

__attribute__((noinline)) static void early_step(size_t size)
{
        const char *text = getenv("VICTIM_N");

        for (int i = 0; text && i < atoi(text) && i < 1000; i++) {
                HEAP_FREE(&truth, blocks[i]);
                blocks[i] = HEAP_MALLOC(&truth, size);
        }
}

static void first(void)
{
        early_step(100);
}
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(void) = first;

__attribute__((constructor)) static void before(void)
{
        early_step(200);
}

__attribute__((destructor)) static void after(void)
{
        early_step(400);
        heap_print("memory", &truth);
}

int main(void)
{
        early_step(300);
        return 0;
}
