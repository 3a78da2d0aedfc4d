/* SPDX-License-Identifier: MIT */
/* What the engine tells of itself: markers (marker.c), and counters, results, instants (told.c). */
#pragma once

#include "preload/shim.h"

#pragma GCC visibility push(hidden)

/* The op of a name, which is added where it is new (marker-names.c); 0: there is no room. */
uint32_t ifp_marker_op(struct ifp_tls *tls, const char *name);
/* Of one that was begun; 0: none of this name was. */
uint32_t ifp_marker_op_begun(const char *name);
extern uint32_t ifp_marker_other; /* of those that found no room; 0: none so far */
void ifp_marker_names_after_fork(void);

/* A marker was closed that did not end: `o` is a copy of its entry. */
void ifp_marker_left(struct ifp_lane *lane, const struct ifp_open *o, uint64_t dur);

/* A name as it is kept: cut where it is longer, in `buf`. */
#define IFP_TOLD_NAME 256u /* with the NUL */
const char *ifp_told_name(const char *name, char buf[IFP_TOLD_NAME]);

/* The lane that this thread tells to, taken now if it has none; NULL: nothing is to be told. */
struct ifp_lane *ifp_told_lane(struct ifp_tls *tls);

/* Where the outermost marker begins that is open and began after that; 0: there is none. */
uint64_t ifp_marker_since(struct ifp_lane *lane, uint64_t after);

void ifp_markers_fork(bool about_to);
void ifp_markers_after_fork(void);
void ifp_told_after_fork(void);

#pragma GCC visibility pop
