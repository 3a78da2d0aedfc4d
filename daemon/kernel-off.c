/* SPDX-License-Identifier: MIT */
/*
 * Stacks of time off the CPU, where they were asked for. The kernel has walked them by frame
 * pointers, so what was compiled without them ends early. A row is one stack, op, phase and kind of
 * block; it keeps its place, and its addresses become logical frames a few at a time, as those of
 * the heap do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/frames.h"
#include "daemon/kernel-private.h"
#include "daemon/process.h"

#define TABLE      (2u * VIEW_MAX_OFFCPU) /* open addressing; a power of two */
#define AT_AN_ADDR 32u                    /* logical frames of one address */
#define A_TICK     200u

static uint64_t word_of(const struct view_off_key *k)
{
        return (uint64_t)(uint32_t)k->stack << 32 | (uint64_t)k->op << 16 |
               (uint64_t)k->phase << 8 | k->block;
}

/* The place in `places` (index + 1; 0: free) of the row with this key. */
static uint32_t *place_of(struct kernel *k, const struct view_off_key *key)
{
        uint64_t word = word_of(key);
        uint32_t at = (uint32_t)(word * 0x9e3779b97f4a7c15ull >> 40);

        for (;; at++) {
                uint32_t *place = &k->off_places[at % TABLE];

                if (!*place || word_of(&k->offs[*place - 1].key) == word)
                        return place;
        }
}

static int add_row(struct kernel_bpf *b, struct kernel *k, const struct view_off_key *key,
                   uint32_t *ret_place)
{
        struct kernel_off_row *row;

        if (k->n_offs == k->offs_room) {
                uint32_t room = k->offs_room ? 2 * k->offs_room : 64;
                void *new = realloc(k->offs, room * sizeof(*k->offs));

                if (!new)
                        return -ENOMEM;
                k->offs = new;
                k->offs_room = room;
        }
        row = &k->offs[k->n_offs];
        *row = (struct kernel_off_row){.key = *key};
        (void)kernel_bpf_get(b, KERNEL_STACKS, &key->stack, row->addresses);
        while (row->n_addresses < VIEW_STACK_DEPTH && row->addresses[row->n_addresses])
                row->n_addresses++;
        *ret_place = ++k->n_offs;
        return 0;
}

void kernel_off_take(struct kernel_bpf *b, struct process *p)
{
        struct kernel *k = &p->kernel;
        struct view_off_key *keys = NULL;
        struct view_off *values = NULL;
        int n;

        if (!(k->proc.flags & VIEW_OFFCPU))
                return;
        if (!k->off_places)
                k->off_places = calloc(TABLE, sizeof(*k->off_places));
        n = k->off_places ? kernel_bpf_all(b, KERNEL_OFFCPU, sizeof(*keys), sizeof(*values),
                                           (void **)&keys, (void **)&values)
                          : -ENOMEM;
        for (int i = 0; i < n; i++) {
                uint32_t *place;

                if (keys[i].number != k->proc.number || keys[i].op >= IFP_MAX_OPS ||
                    keys[i].phase >= IFP_N_PHASES || keys[i].block > IFP_N_BLOCK_KINDS)
                        continue;
                place = place_of(k, &keys[i]);
                if (*place || (k->n_offs < VIEW_MAX_OFFCPU && !add_row(b, k, &keys[i], place)))
                        k->offs[*place - 1].v = values[i];
        }
        free(keys);
        free(values);
}

/* 1: done; 0: the budget is spent. */
static int resolve(struct process *p, struct kernel_off_row *row, uint32_t epoch, unsigned *budget)
{
        uint32_t ids[1024], n = 0;
        const char *why;

        for (uint32_t i = 0; i < row->n_addresses && n + AT_AN_ADDR <= 1024; i++) {
                /* the innermost is where it stood: after a system call's instruction, or on any */
                uint64_t at =
                        row->addresses[i] + (i == 0 && row->key.block == IFP_N_BLOCK_KINDS ? 1 : 0);
                int got;

                if (heap_is_shim(p, at))
                        continue;
                got = frames_find(p->heap.frames, p, at, epoch, ids + n, AT_AN_ADDR, budget, &why);
                if (got == 0)
                        return 0;
                if (got < 0)
                        break;
                n += (uint32_t)got;
        }
        row->frames = malloc(n * sizeof(*ids) + 1);
        if (row->frames && n)
                memcpy(row->frames, ids, n * sizeof(*ids));
        row->n_frames = row->frames ? n : 0;
        row->resolved = true;
        return 1;
}

void kernel_off_resolve(struct process *p, bool is_over)
{
        struct kernel *k = &p->kernel;
        uint64_t until = clock_mono_ns() + 1000000000ull;
        uint32_t epoch;
        int done = 1;

        if (!k->n_offs || !p->segment.map)
                return;
        if (!p->heap.frames)
                p->heap.frames = frames_new();
        if (!p->heap.frames)
                return;
        epoch = __atomic_load_n(&p->segment.map->live.object_epoch, __ATOMIC_RELAXED);
        do {
                unsigned budget = A_TICK;

                if (is_over && clock_mono_ns() > until)
                        frames_hurry(p->heap.frames);
                done = 1;
                for (uint32_t i = 0; done && i < k->n_offs; i++)
                        if (!k->offs[i].resolved)
                                done = resolve(p, &k->offs[i], epoch, &budget);
        } while (is_over && !done);
}

void kernel_off_done(struct kernel *k)
{
        for (uint32_t i = 0; i < k->n_offs; i++)
                free(k->offs[i].frames);
        free(k->offs);
        free(k->off_places);
}
