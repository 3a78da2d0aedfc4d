/* SPDX-License-Identifier: MIT */
/* Between the parts of the writing. */
#pragma once

#include "daemon/process.h"
#include "daemon/run.h"

/* What SQL can hold. A number beyond it was no measurement. */
static inline uint64_t flush_sane(uint64_t v)
{
        return v <= INT64_MAX ? v : INT64_MAX;
}

/* daemon/flush.c */
struct runfile_alloc flush_alloc_of(const struct figures *f);

/* daemon/flush-waits.c */
int flush_waits(struct run *run, const struct process *p);
int flush_thread_waits(struct run *run, const struct process *p, const struct thread *t);
void flush_waits_written(struct process *p); /* before flush_heap_written */

/* daemon/flush-ledger.c */
int flush_ledger(struct run *run, const struct process *p);
int flush_thread_ledger(struct run *run, const struct process *p, const struct thread *t);
void flush_ledger_written(struct process *p);

/* daemon/flush-heap.c */
void flush_heap_process(const struct process *p, struct runfile_process *row);
int flush_heap(struct run *run, const struct process *p, uint64_t second);
void flush_heap_written(struct process *p); /* the commit is through */

/* daemon/flush-layers.c */
int flush_layers(struct run *run, const struct process *p);
void flush_layers_written(struct process *p);

/* daemon/flush-series.c */
int flush_series(struct run *run, const struct process *p);
void flush_series_written(struct process *p);

/* daemon/flush-experts.c */
int flush_experts(struct run *run, const struct process *p);
void flush_experts_written(struct process *p);

/* daemon/flush-told.c */
int flush_told(struct run *run, const struct process *p);
void flush_told_written(struct process *p);

/* daemon/flush-shapes.c */
int flush_shapes(struct run *run, const struct process *p);
void flush_shapes_written(struct process *p);

/* daemon/flush-kv.c */
int flush_kv(struct run *run, const struct process *p);
void flush_kv_written(struct process *p);

/* daemon/flush-surroundings.c */
int flush_beginning(struct run *run);
int flush_surroundings(struct run *run, const struct process *p);
void flush_surroundings_written(struct process *p);

/* daemon/flush-kernel.c */
int flush_kernel(struct run *run, const struct process *p);
void flush_kernel_written(struct process *p);
