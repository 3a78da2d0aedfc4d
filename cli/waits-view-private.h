/* SPDX-License-Identifier: MIT */
/*
 * Sections of the waits view. False: no memory.
 */
#pragma once

#include <stddef.h>

#include "cli/run-verb.h"

/* "worker-1 (4712)" of a thread reference, "worker (31 threads)" of several; in buf[size]. */
const char *waits_thread(char *buf, size_t size, const json_t *thread);

/* In the head: what the dearest of the barriers costs, where that is known. */
void waits_print_price(const struct page *p);

bool waits_print_barriers(const struct page *p);

/* waits-objects.c */
char *waits_object(const json_t *o); /* "0x55e0", "engine+0x4010"; to be freed */
bool waits_print_objects(const struct page *p);
bool waits_print_whom(const struct page *p);
