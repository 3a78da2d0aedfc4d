/* SPDX-License-Identifier: MIT */
/*
 * Sampled allocations: which are taken, where they were asked for, and which of
 * them are still in use.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "preload/elf.h"
#include "preload/shim.h"

#pragma GCC visibility push(hidden)

/* A block that was sampled. */
struct ifp_sample {
        uint64_t usable;
        uint64_t born; /* ticks */
        uint32_t stack;
        uint32_t reserved;
};

/* ---- heap.c ---- */

/* Reads header.heap_interval; after the segment is there. */
void ifp_heap_init(void);

/* Bytes to the next sample: exponential, with mean heap_interval. */
uint64_t ifp_heap_gap(struct ifp_tls *tls);

/* Takes a sample. `caller`: who called the allocator, for where nothing better is to be had. */
void ifp_heap_sample(struct ifp_tls *tls, uint32_t op, const void *caller, const void *p,
                     uint64_t asked, uint64_t usable);

/* A block that may have been sampled goes. */
void ifp_heap_gone(const void *p);

/* A sample taken out of the table is accounted for: its block is freed. */
void ifp_heap_freed(const struct ifp_sample *s);

/* In a fork child whose segment has just been made: what it has of its parent's. */
void ifp_heap_inherit(void);

/* ---- live.c: blocks sampled and not yet freed ---- */

#define IFP_LIVE_HOMES 8192u
extern uint16_t ifp_live_filter[IFP_LIVE_HOMES]; /* samples by home; zero: none can be there */

static inline uint32_t ifp_live_home(const void *p)
{
        return (uint32_t)((((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15ull) >> 51);
}

void ifp_live_init(void);
bool ifp_live_add(const void *p, const struct ifp_sample *s); /* false: no room */
bool ifp_live_take(const void *p, struct ifp_sample *ret);    /* false: it was not sampled */
void ifp_live_each(void (*fn)(const struct ifp_sample *s));

/* ---- stacks.c ---- */

/* The stack of these return addresses, the innermost first; 0: no room. `shared`: one entry for all
 * threads, for those who add nothing to its sums. */
uint32_t ifp_stack(const struct ifp_tls *tls, bool shared, uint32_t op, uint32_t phase,
                   const uint64_t *frames, uint32_t n, uint32_t flags);

#define IFP_FRAMES (IFP_STACK_DEPTH + 8u) /* room for the shim's own, which are left out */

struct ifp_frames {
        uint32_t n, flags; /* IFP_STACK_* */
        uint64_t at[IFP_FRAMES];
};

/* The stack of this thread, at least `caller`; false: no more than that, since a handler is here in
 * the midst of unwinding. */
bool ifp_frames_here(struct ifp_tls *tls, const void *caller, struct ifp_frames *ret);
void ifp_stacks_inherit(const struct ifp_segment *parent, struct ifp_segment *seg);

/* ---- unwind.c ---- */

/* Are there stacks to be taken at all? */
static inline bool ifp_unwind_wanted(void)
{
        return ifp_config.heap_interval || (ifp_config.header_flags & IFP_HEADER_WAITS);
}
/* Loads libunwind. Not before all objects of the program's start are known. */
void ifp_unwind_init(void);
/* Return addresses, the innermost first, without the shim's own; 0: none. `cut`: there are more. */
uint32_t ifp_unwind(struct ifp_tls *tls, uint64_t *ret, uint32_t room, bool *ret_cut);
void ifp_unwind_opened(const struct ifp_elf *e);
void ifp_unwind_closed(const struct ifp_elf *e);
void ifp_unwind_after_fork(void);
void ifp_unwind_end(struct ifp_tls *tls); /* the thread is over */
bool ifp_unwind_owns(const char *soname); /* an object that serves only us */

/* ---- tokens.c ---- */

/* A call that made `n` tokens by decoding, or one that made none (n = 0), is over. */
void ifp_tokens_note(uint32_t n, uint64_t now);
/* Of a token's time: how much lies in that of tokens that other threads have ended before it. */
uint64_t ifp_tokens_beside(uint64_t since, uint64_t end);
void ifp_tokens_after_fork(void);

/* ---- kv.c ---- */

/* A call has taken `n` tokens of a prompt in; 0: it is not known how many. */
void ifp_kv_prefill(uint32_t n, uint64_t start, uint64_t end);
void ifp_kv_no_prompt(void); /* of some sequence it is not known how long that is */
/* A call has decoded `n` tokens since `since`. `length` of the KV cache, that token included, for a
 * single one; 0: not known. */
void ifp_kv_decoded(const struct ifp_tls *tls, uint32_t n, uint32_t length, uint64_t since,
                    uint64_t end);
void ifp_kv_after_fork(void);

#pragma GCC visibility pop
