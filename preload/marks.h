/* SPDX-License-Identifier: MIT */
/* What a function that the user named does for tokens: INFPROF_KERNELS=OBJECT:SYMBOL=PHASE. */
#pragma once

#include "preload/shim.h"

#pragma GCC visibility push(hidden)

extern const struct ifp_hook ifp_mark_decode;  /* each call makes one token */
extern const struct ifp_hook ifp_mark_prefill; /* each call takes in (a part of) a prompt */
void ifp_marks_after_fork(void);

#pragma GCC visibility pop
