/* SPDX-License-Identifier: MIT */
/* What the files of the threads' document share. */
#pragma once

#include "common/report-work-private.h"

json_t *threads_build_kernel(const struct work *w); /* what it saw at all, and at what price */
json_t *threads_build_preempts(const struct work *w);
json_t *threads_build_syscalls(const struct work *w);
json_t *threads_build_io(const struct work *w);
json_t *threads_build_ops(const struct work *w);
