/* SPDX-License-Identifier: MIT */
/*
 * What the engine itself allocates, outside of all kernels and on its first thread: each block is
 * counted as it comes and as it goes. Two habits of real engines, on demand: a cache of keys and
 * values that grows with each token, and small blocks of all sizes, from many places, of which some
 * are never given back.
 */
#include "tiny.h"

#include <stdlib.h>
#include <string.h>

enum {
        MIXED_SLOTS = 256,   /* blocks alive at a time, besides those that stay */
        MIXED_STAY = 16,     /* one block in so many stays for good */
        MIXED_MIN_LOG2 = 4,  /* sizes: 16 B .. */
        MIXED_MAX_LOG2 = 16, /* .. 64 KiB, as many in each octave */
        MIXED_DEEPEST = 24,  /* calls around the one that allocates */
};

struct tk_memory tiny_outside, tiny_classes[TK_SIZE_CLASSES];

void *tiny_malloc(size_t bytes)
{
        enum tk_row was = tk_turn(tiny_clock, TK_ROW_ALLOC);
        void *p = malloc(bytes);

        tk_turn(tiny_clock, was);
        return tk_took(&tiny_outside, tiny_classes, p, bytes);
}

void *tiny_calloc(size_t n, size_t bytes)
{
        enum tk_row was = tk_turn(tiny_clock, TK_ROW_ALLOC);
        void *p = calloc(n, bytes);

        tk_turn(tiny_clock, was);
        return tk_took(&tiny_outside, tiny_classes, p, n * bytes);
}

void tiny_free(void *p)
{
        enum tk_row was = tk_turn(tiny_clock, TK_ROW_ALLOC);

        free(tk_gave(&tiny_outside, tiny_classes, p));
        tk_turn(tiny_clock, was);
}

/* ---- the cache */

struct tiny_kv {
        struct tiny_kv *next;
        char rows[];
};

size_t tiny_kv_block_bytes(size_t bytes)
{
        return sizeof(struct tiny_kv) + bytes;
}

/* One block for a token, with its `bytes` of keys and values. */
__attribute__((noinline)) struct tiny_kv *tiny_kv_grow(struct tiny_kv *head, const void *rows,
                                                       size_t bytes)
{
        struct tiny_kv *kv = tiny_malloc(tiny_kv_block_bytes(bytes));

        if (!kv)
                abort();
        memcpy(kv->rows, rows, bytes);
        kv->next = head;
        return kv;
}

void tiny_kv_free(struct tiny_kv *head)
{
        while (head) {
                struct tiny_kv *next = head->next;

                tiny_free(head);
                head = next;
        }
}

/* ---- blocks of all sizes */

struct tk_memory tiny_mixed; /* blocks that came through tiny_mixed_alloc, when and how they went */
static void *slots[MIXED_SLOTS];

static uint64_t next_random(uint64_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

/* The one place where they come from, whatever the way there. */
__attribute__((noinline)) void *tiny_mixed_alloc(size_t bytes)
{
        void *p = tiny_malloc(bytes);
        size_t usable = malloc_usable_size(p);

        if (!p)
                abort();
        tiny_mixed.calls++;
        tiny_mixed.asked += bytes;
        tiny_mixed.usable += usable;
        return p;
}

static void mixed_free(void *p)
{
        if (!p)
                return;
        tiny_mixed.frees++;
        tiny_mixed.freed += malloc_usable_size(p);
        tiny_free(p);
}

/* Not a tail call: each level is a frame. */
static __attribute__((noinline)) void *descend(int levels, size_t bytes)
{
        void *p = levels ? descend(levels - 1, bytes) : tiny_mixed_alloc(bytes);

        __asm__ volatile("" : "+r"(p));
        return p;
}

void tiny_mixed_step(uint64_t *rng, int n)
{
        for (int i = 0; i < n; i++) {
                uint64_t r = next_random(rng);
                unsigned octave =
                        MIXED_MIN_LOG2 + (unsigned)(r % (MIXED_MAX_LOG2 - MIXED_MIN_LOG2));
                size_t bytes = ((size_t)1 << octave) + ((r >> 8) & (((size_t)1 << octave) - 1));
                void *p = descend((int)((r >> 32) % MIXED_DEEPEST), bytes);
                unsigned at = (unsigned)(r >> 40) % MIXED_SLOTS;

                if ((r >> 52) % MIXED_STAY == 0)
                        continue;
                mixed_free(slots[at]);
                slots[at] = p;
        }
}

void tiny_mixed_end(void)
{
        for (int i = 0; i < MIXED_SLOTS; i++) {
                mixed_free(slots[i]);
                slots[i] = NULL;
        }
}
