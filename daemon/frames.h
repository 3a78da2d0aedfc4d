/* SPDX-License-Identifier: MIT */
/* Logical frames of return addresses. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct frames;
struct process;
struct runfile;
struct runfile_frame;

struct frames *frames_new(void);
struct frames *frames_free(struct frames *f);

/*
 * The logical frames of one return address, the innermost first; returns their number, 0 = the work
 * limit of this tick is reached: ask again; < 0 error.
 */
int frames_find(struct frames *f, struct process *p, uint64_t return_address, uint32_t epoch,
                uint32_t *ret_ids, uint32_t room, unsigned *budget, const char **ret_why);

/* Writes those that are new since the last time. */
int frames_flush(struct frames *f, struct runfile *rf, uint32_t process_index);

/* The next one that is found gets this number (those below are in the file already). */
void frames_begin_at(struct frames *f, uint32_t id);

/* What is known of one; its strings are the table's. false: there is no such frame. */
bool frames_get(const struct frames *f, uint32_t id, struct runfile_frame *ret);
