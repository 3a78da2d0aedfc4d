/* SPDX-License-Identifier: MIT */
/* Which allocator serves the engine, and what it says of itself: segment.h, struct ifp_allocator.
 */
#pragma once

#pragma GCC visibility push(hidden)

/* Finds it; after the segment is there. Once. */
void ifp_allocator_begin(void);

/* In a fork child, whose segment is a copy: nothing is said in it yet. */
void ifp_allocator_after_fork(void);

/*
 * Asks it, if it is time: at most once a second, and so rarely that it takes less than a thousandth
 * of the time. From an ordinary allocation, none of whose locks are held; never from a stub.
 */
void ifp_allocator_look(void);

/* Asks it once more, unless that takes long: the process exits. */
void ifp_allocator_last(void);

#pragma GCC visibility pop
