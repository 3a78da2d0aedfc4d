/* SPDX-License-Identifier: MIT */
/* Where threads were asked for: the segment's sites, with the names of their functions. */
#pragma once

#include <stdint.h>

struct process;

/* Brings the sites of a process up to date, resolving at most `most` new ones. */
int sites_take(struct process *p, uint32_t most, const char **ret_why);
