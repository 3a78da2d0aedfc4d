/* SPDX-License-Identifier: MIT */
/*
 * Ops by the names of markers: an open-addressed table that only grows, read without a lock. Names
 * beyond IFP_MAX_MARKERS are one op together, so that markers leave room for other ops.
 */
#include "preload/marker.h"

#define SLOTS 4096u

static struct slot {
        uint64_t hash; /* 0: free; stored last */
        uint32_t op;
} slots[SLOTS];
static uint32_t lock;
uint32_t ifp_marker_other;

static uint64_t hash_of(const char *name)
{
        uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a */

        for (; *name; name++)
                h = (h ^ (uint8_t)*name) * 0x100000001b3ull;
        return h ? h : 1;
}

static const char *name_of_op(uint32_t op)
{
        return ifp_seg->names + ifp_seg->ops[op].name;
}

/* The op of a name, or 0. *ret_slot: where it is, or belongs. */
static uint32_t find(const char *name, uint64_t hash, uint32_t *ret_slot)
{
        uint32_t at = (uint32_t)(hash >> 52);

        for (uint32_t n = 0; n < SLOTS; n++, at = (at + 1) % SLOTS) {
                uint64_t have = __atomic_load_n(&slots[at].hash, __ATOMIC_ACQUIRE);

                if (!have)
                        break;
                if (have == hash && !ifp_strcmp(name_of_op(slots[at].op), name))
                        return slots[at].op;
        }
        *ret_slot = at;
        return 0;
}
_Static_assert(SLOTS == 1u << 12 && IFP_MAX_MARKERS < SLOTS, "find");

/* 0: not even that found room, for other ops had it all; what is no marker must not be ended as
 * one. */
static uint32_t other(void)
{
        uint32_t op = ifp_marker_other;

        if (!op)
                op = ifp_op("(other markers)", NULL, NULL, IFP_KIND_MARKER, false, 0);
        if (op != IFP_OP_OTHER)
                return ifp_marker_other = op;
        __atomic_fetch_add(&ifp_seg->live.markers_refused, 1, __ATOMIC_RELAXED);
        return 0;
}

/* Its signal handlers do nothing: they would wait for the lock that it holds. */
static uint32_t add(struct ifp_tls *tls, const char *name, uint64_t hash)
{
        uint16_t busy = tls->busy++;
        uint32_t at = 0, op;

        ifp_lock(&lock);
        op = find(name, hash, &at);
        if (!op && ifp_seg->live.n_markers < IFP_MAX_MARKERS) {
                op = ifp_op(name, NULL, NULL, IFP_KIND_MARKER, false, 0);
                if (op == IFP_OP_OTHER) {
                        op = 0;
                } else {
                        slots[at].op = op;
                        __atomic_store_n(&slots[at].hash, hash, __ATOMIC_RELEASE);
                        ifp_seg->live.n_markers++;
                }
        }
        if (!op)
                op = other();
        ifp_unlock(&lock);
        tls->busy = busy;
        return op;
}

const char *ifp_told_name(const char *name, char buf[IFP_TOLD_NAME])
{
        if (!name || !*name)
                return "(no name)";
        return name[ifp_strcpy(buf, name, IFP_TOLD_NAME)] ? buf : name;
}

uint32_t ifp_marker_op(struct ifp_tls *tls, const char *name)
{
        char buf[IFP_TOLD_NAME];
        uint64_t hash = hash_of(name = ifp_told_name(name, buf));
        uint32_t at, op = find(name, hash, &at);

        return op ? op : add(tls, name, hash);
}

uint32_t ifp_marker_op_begun(const char *name)
{
        char buf[IFP_TOLD_NAME];
        uint32_t at, op;

        name = ifp_told_name(name, buf);
        op = find(name, hash_of(name), &at);
        return op ? op : ifp_marker_other;
}

void ifp_marker_names_after_fork(void)
{
        lock = 0;
}
