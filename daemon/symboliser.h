/* SPDX-License-Identifier: MIT */
/*
 * Functions and lines of addresses in processes, found by a process of our own: files that belong
 * to strangers are read there, so that none of them can stop, swell or kill the daemon.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "daemon/symbol.h"

struct symboliser_question {
        const char *path;    /* of the object; NULL: it lies in none that is known */
        uint64_t address;    /* of a byte of the call, in the process */
        uint64_t base;       /* load bias of the object */
        pid_t pid;           /* to be held against its memory */
        uint64_t started_ns; /* CLOCK_REALTIME: what is older was another process's */
        bool is_now;         /* with path NULL: what is mapped there now may be meant */
        bool is_over;        /* the process has ended: what it wrote of itself is complete */
};

/*
 * As symbols_find_place; `ret_library` is NULL but where the object was found only now: to be
 * freed. SYMBOL_E_LATER: it did not come to an answer within `wait_us`; ask the same again.
 */
int symboliser_find(const struct symboliser_question *q, uint64_t wait_us, struct symbol *ret,
                    uint32_t *ret_n, char **ret_library);

/* CPU time of the process, and of those before it. */
uint64_t symboliser_cpu_ns(void);

/* Ends the process, if one was started. */
void symboliser_close(void);
