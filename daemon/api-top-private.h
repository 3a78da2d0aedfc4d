/* SPDX-License-Identifier: MIT */
/* Between the parts of the document infprof.top/1: which processes it is of, and its values. */
#pragma once

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/fmt.h"
#include "daemon/server.h"

/* A run, or one process of it. */
struct top_scope {
        const struct server *server;
        const struct run *run;
        const struct process *only;
};

static inline bool top_is_shown(const struct top_scope *s, const struct process *p)
{
        return s->only ? p == s->only : p->run == s->run;
}

static inline bool top_is_same_op(const struct op *a, const struct op *b)
{
        return a->kind == b->kind && !strcmp(a->name, b->name) &&
               !strcmp(a->library ? a->library : "", b->library ? b->library : "");
}

const char *top_kind_name(const struct op *op);
const char *top_phase_name(uint32_t phase);

/* Seconds between the last two ticks; 0: there was one at most. */
static inline double top_interval(const struct process *p)
{
        return p->state == PROCESS_LIVE && p->tick_before_ns
                       ? (double)(p->tick_ns - p->tick_before_ns) / 1e9
                       : 0;
}

/* NaN and NULL are null. */
static inline json_t *top_integer(double v)
{
        return isfinite(v) ? json_integer((json_int_t)llround(v)) : json_null();
}

static inline json_t *top_real(double v)
{
        return isfinite(v) ? json_real(v) : json_null();
}

/* Names of symbols may be anything, what is in a document may not. */
static inline json_t *top_text(const char *s)
{
        _cleanup_(freep) char *clean = s ? fmt_utf8(s) : NULL;

        return clean ? json_string(clean) : json_null();
}

/* daemon/api-top-threads.c: the member "threads", and what others tell of threads */
json_t *top_threads(const struct top_scope *s);
json_t *top_told(uint64_t v);          /* beyond INT64_MAX: null */
json_t *top_address(uint64_t address); /* 0: null */
const struct thread *top_thread(const struct process *p, int64_t index);
json_t *top_thread_reference(const struct process *p, const struct thread *t); /* NULL: null */
const struct thread *top_holder(const struct process *p, const struct wait *w);
json_t *top_waiting(const struct process *p, const struct thread *t); /* in progress, or null */

json_t *top_wait_kinds(const struct top_scope *s); /* daemon/api-top-waiting.c */
json_t *top_waiting_now(const struct top_scope *s);

/* daemon/api-top-waits.c, daemon/api-top-ledger.c: the members "waits" and "ledger" */
json_t *top_waits(const struct top_scope *s);
json_t *top_ledger(const struct top_scope *s);

/* daemon/api-top-memory.c: the member "memory" */
json_t *top_memory(const struct top_scope *s);
/* Of those that live (of all, where none does) the one that had most at one time; NULL: no process.
 */
const struct process *top_largest(const struct top_scope *s);

/* daemon/api-top-sites.c: its members "heap_interval_bytes" and "sites" */
json_t *top_heap_interval(const struct top_scope *s);
json_t *top_sites(const struct top_scope *s);
