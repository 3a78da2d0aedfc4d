/* SPDX-License-Identifier: MIT */
/* The words for waits, spawns and the ledger that all documents on them use. */
#pragma once

#include <stdbool.h>

#include <infprof/segment.h>

extern const char *const work_wait_kinds[IFP_N_WAIT_KINDS];
extern const char *const work_spawn_kinds[IFP_N_SPAWN_KINDS];
extern const char *const work_rows[IFP_N_LEDGER];

/* Is it known by the kernel's view alone? */
static inline bool work_is_kernel_row(int row)
{
        return row == IFP_LEDGER_RUNNABLE || row == IFP_LEDGER_FAULT || row == IFP_LEDGER_SYSCALL;
}
