/* SPDX-License-Identifier: MIT */
/*
 * The objects of the process, the kernels wanted in them, and the slots
 * through which they are called.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/*
 * Looks what was loaded and unloaded since the last time, and points the
 * slots of wanted kernels at stubs. `handle`, `mode`: what dlopen returned and was
 * asked, or NULL, 0. Not on the way of a call; takes the loader's lock.
 */
void ifp_scan(void *handle, int mode);

/* Around the real dlopen and dlclose, the outermost of a thread: what it has not returned from is
 * left alone by the scans of others. */
void ifp_loader_entered(void);
void ifp_loader_returned(void);

/* Did the last scan leave something alone? */
bool ifp_scan_left(void);

/* The stub for a wanted kernel at this address; else the address itself. */
void *ifp_stub_for(void *address);

/* A ret instruction in the object that `address` lies in; NULL: none known. */
const void *ifp_gadget_of(const void *address);

/* The definition of `name` in the first object behind the shim; NULL: none. */
void *ifp_next(const char *name);

/* Is that definition libc's own? */
bool ifp_next_is_libc(const char *name);

/* The shim's own path. */
const char *ifp_self_path(void);

/* After the fork of a child: locks that another thread may have held. */
void ifp_slots_after_fork(void);

#pragma GCC visibility pop
