/* SPDX-License-Identifier: MIT */
/* Logical frames of return addresses. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct frames;
struct process;
struct runfile;
struct runfile_frame;

#define FRAMES_UNIT_US 20u /* of a budget */

struct frames *frames_new(void);
struct frames *frames_free(struct frames *f);

/*
 * The logical frames of one return address, the innermost first; returns their number, 0 = the work
 * limit of this tick is reached: ask again; < 0 error. -EBADMSG: the segment lies; `ret_why` says
 * how.
 */
int frames_find(struct frames *f, struct process *p, uint64_t return_address, uint32_t epoch,
                uint32_t *ret_ids, uint32_t room, unsigned *budget, const char **ret_why);

/*
 * Asks again for names of generated code, which runtimes may write down late. true: for all; false:
 * the budget is spent, the next call goes on.
 */
bool frames_retry(struct frames *f, const struct process *p, bool is_over, unsigned budget);

/* From now on no file is looked into: what is not known yet is an offset in its object. */
void frames_hurry(struct frames *f);

/* Writes those that are new; they are so until frames_written says that the commit is through. */
int frames_flush(const struct frames *f, struct runfile *rf, uint32_t process_index);
void frames_written(struct frames *f);

/* The next one that is found gets this number (those below are in the file already). */
void frames_begin_at(struct frames *f, uint32_t id);

/* What is known of one; its strings are the table's. false: there is no such frame. */
bool frames_get(const struct frames *f, uint32_t id, struct runfile_frame *ret);
