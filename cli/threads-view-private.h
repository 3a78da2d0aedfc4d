/* SPDX-License-Identifier: MIT */
/*
 * What the kernel saw of the threads, as sections of their view. Each prints nothing where there is
 * nothing. False: no memory.
 */
#pragma once

#include "cli/run-verb.h"

/* A copy of the document in which waits in progress count as waits; NULL: no memory. */
json_t *threads_with_current(const json_t *document);

/* The line that says whether it was seen, and what to do about it. */
void threads_print_kernel(const struct page *p);

bool threads_print_seen(const struct page *p);  /* blocked, switches, faults: a line a thread */
bool threads_print_queue(const struct page *p); /* waiting for a CPU, and who had it */
bool threads_print_calls(const struct page *p); /* system calls, block I/O */
bool threads_print_ops(const struct page *p);   /* by the op that was open */
