/* SPDX-License-Identifier: MIT */
/* An allocator that the shim is not in front of. */
#pragma once

#include "daemon/process.h"

/* Keeps a note where the engine's malloc never came by the shim: its figures of memory are none. */
void elsewhere_take(struct process *p);
