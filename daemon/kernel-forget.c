/* SPDX-License-Identifier: MIT */
/* What the programs' maps have of a process that is over makes room for others. */
#include <stdlib.h>
#include <string.h>

#include "daemon/kernel-private.h"

static uint32_t number_of(const void *key)
{
        return *(const uint32_t *)key; /* the first in all of them */
}

/* Stacks that none but the process had. */
static void forget_stacks(struct kernel_bpf *b, uint32_t number, const struct view_off_key *keys,
                          int n)
{
        static bool in_use[VIEW_MAX_STACKS];

        memset(in_use, 0, sizeof(in_use));
        for (int i = 0; i < n; i++)
                if (keys[i].number != number && (uint32_t)keys[i].stack < VIEW_MAX_STACKS)
                        in_use[keys[i].stack] = true;
        for (int i = 0; i < n; i++)
                if (keys[i].number == number && (uint32_t)keys[i].stack < VIEW_MAX_STACKS &&
                    !in_use[keys[i].stack])
                        kernel_bpf_delete(b, KERNEL_STACKS, &keys[i].stack);
}

void kernel_forget_keys(struct kernel_bpf *b, uint32_t number)
{
        static const struct {
                enum kernel_map map;
                size_t key, value;
        } keyed[] = {
                {KERNEL_OPS, sizeof(struct view_op_key), sizeof(struct view_op)},
                {KERNEL_SYSCALLS, sizeof(struct view_syscall_key), sizeof(struct view_syscall)},
                {KERNEL_PREEMPTS, sizeof(struct view_preempt_key), sizeof(struct view_preempt)},
                {KERNEL_OFFCPU, sizeof(struct view_off_key), sizeof(struct view_off)},
        };

        for (size_t i = 0; i < sizeof(keyed) / sizeof(keyed[0]); i++) {
                void *keys = NULL, *values = NULL;
                int n = kernel_bpf_all(b, keyed[i].map, keyed[i].key, keyed[i].value, &keys,
                                       &values);

                for (int e = 0; e < n; e++) {
                        const void *key = (char *)keys + (size_t)e * keyed[i].key;

                        if (number_of(key) == number)
                                kernel_bpf_delete(b, keyed[i].map, key);
                }
                if (keyed[i].map == KERNEL_OFFCPU)
                        forget_stacks(b, number, keys, n);
                free(keys);
                free(values);
        }
}
