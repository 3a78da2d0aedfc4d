/* SPDX-License-Identifier: MIT */
/* A segment as a shim would make one, in the hands of a test: to be written as it should be, or
 * not. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <infprof/segment.h>

struct fake {
        int fd;
        struct ifp_segment *seg;
        uint64_t bytes;
};

/* Sealed, with the two fixed ops and no lane taken. Aborts when it cannot. */
void fake_new(struct fake *f, uint32_t n_lanes);
void fake_free(struct fake *f);

/* Appends to the tables; the number of the entry. */
uint32_t fake_name(struct fake *f, const char *name);
uint32_t fake_op(struct fake *f, const char *name, enum ifp_kind kind);

/* A thread takes the lane, and ends. */
void fake_lane_begin(struct fake *f, uint32_t lane, int tid);
void fake_lane_end(struct fake *f, uint32_t lane);

/* One timed span: row, then ring, or fold table when the ring is full. True: it went to the ring.
 */
bool fake_span(struct fake *f, uint32_t lane, uint32_t op, uint32_t phase, uint64_t dur,
               uint64_t child);

/* A block of so many usable bytes, of which `asked` were asked for; and one that goes. */
void fake_alloc(struct fake *f, uint32_t lane, uint32_t op, uint32_t phase, uint64_t asked,
                uint64_t usable);
void fake_release(struct fake *f, uint32_t lane, uint32_t op, uint32_t phase, uint64_t usable);
void fake_flush(struct fake *f, uint32_t lane); /* live_bytes has all of the lane's */

/* A stack of these return addresses, with nothing sampled there; its number. */
uint32_t fake_stack(struct fake *f, uint32_t op, uint32_t phase, const uint64_t *addresses,
                    uint16_t n);

/* An entry of the table of waits, with nothing waited for yet; its number. lane IFP_STACK_SHARED:
 * anybody's. */
uint32_t fake_wait(struct fake *f, uint16_t lane, enum ifp_wait_kind kind, uint64_t object,
                   uint32_t stack, uint32_t op, uint32_t phase);

/* A wait that ended, in the entry and in its lane's sums, for the thread that has `for_lane` (-1:
 * it is not known whom). */
void fake_waited(struct fake *f, uint32_t wait, uint64_t ticks, int for_lane);

/* A wait that has begun, and ends. */
void fake_wait_begin(struct fake *f, uint32_t lane, uint32_t wait);
void fake_wait_end(struct fake *f, uint32_t lane);

/* A site; and a thread of it that was created, lived and ended. */
uint32_t fake_site(struct fake *f, enum ifp_spawn_kind kind, uint64_t address, uint32_t stack,
                   uint32_t op, uint32_t phase);
uint32_t fake_layer(struct fake *f, uint32_t op, uint32_t layer, enum ifp_part part);
void fake_layered(struct fake *f, uint32_t lane, uint32_t layer, uint32_t phase, uint64_t dur,
                  uint64_t child);
/* A layer (+ 1) with experts; and a step of it that sends one token to each of `n` of them. */
uint32_t fake_moe_layer(struct fake *f, uint32_t layer, uint32_t n_experts);
void fake_choices(struct fake *f, uint32_t entry, uint32_t phase, const uint32_t *experts,
                  uint32_t n);
void fake_spawn(struct fake *f, uint32_t site, uint64_t cost, uint64_t life, uint64_t cpu_ns);

/* A type of elements; a shape of `n` operands of that type, the result first; and a call of it. */
uint32_t fake_type(struct fake *f, const char *name, uint32_t block, uint32_t block_bytes);
uint32_t fake_shape(struct fake *f, uint32_t op, uint32_t parts, uint32_t type, uint32_t n,
                    const uint64_t (*ne)[4]);
void fake_shaped(struct fake *f, uint32_t lane, uint32_t shape, uint32_t phase, uint64_t dur,
                 uint64_t child);

/* A decode step on `lane` that ends now: compute has what `rows` leaves of `wall`. False: the ring
 * was full. */
bool fake_step(struct fake *f, uint32_t lane, uint64_t wall, const uint64_t *rows);

/* A position taken but not completed, and its completion; false: the ring is full. */
bool fake_reserve(struct ifp_lane *l, uint64_t *ret_position);
void fake_commit(struct ifp_lane *l, uint64_t position, uint64_t dur_op, uint64_t child);

/* Sends it to the daemon in $XDG_RUNTIME_DIR (or in /tmp). True: it was taken over. */
bool fake_hello(const struct fake *f);
