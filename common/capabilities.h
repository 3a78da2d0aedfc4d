/* SPDX-License-Identifier: MIT */
/* What the kernel lets this process do. */
#pragma once

#include <stdbool.h>

/* Load programs that look at the kernel: CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN. */
bool ifp_may_bpf(void);
