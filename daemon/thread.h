/* SPDX-License-Identifier: MIT */
/* Threads of a process: their table, and what each of them did. 0 or -ENOMEM. */
#pragma once

#include "daemon/process.h"

struct thread *thread_free(struct thread *t);

/* A thread with a row of its own, of this number. */
int thread_add(struct process *p, uint32_t index, struct thread **ret);

/* The next one: with a row of its own, or one more of the later ones. */
int thread_next(struct process *p, struct thread **ret);
int thread_make_later(struct process *p);

/* One of those beyond the table is over: its figures join the others', and it is freed. */
int thread_to_later(struct process *p, struct thread *t);

/* Extremes of what the thread of lane `i` did, under each row of its tally. */
void thread_fill_ranges(struct process *p, const struct lane *l, uint32_t i, struct thread *t);

/* Its sums, from its tally. */
void thread_add_up(const struct process *p, struct thread *t);

/* Into n_threads_ended of the ops that it called. */
void thread_count_callers(struct process *p, const struct thread *t);
