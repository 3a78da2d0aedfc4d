/* SPDX-License-Identifier: MIT */
/* Where threads were asked for: the segment's sites, with the names of their functions. */
#pragma once

#include <stdint.h>

struct process;
struct site;

/* Brings the sites of a process up to date, resolving at most `most` new ones. */
int sites_take(struct process *p, uint32_t most, const char **ret_why);

/* Changes whenever its row in `spawn` would look different. */
uint64_t site_mark(const struct site *s);

/* The segment is about to go: histograms are kept. 0 or -ENOMEM. */
int sites_end(struct process *p);
