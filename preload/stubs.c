/* SPDX-License-Identifier: MIT */
/*
 * Which stubs are in use. A stub belongs to one kernel of one load of an
 * object, and comes back when that load ends: to the end of a queue, so that
 * a stale pointer to it meets a stranger as late as can be.
 */
#include "preload/shim.h"

static uint32_t lock, fresh;
static uint16_t freed[IFP_MAX_STUBS];
static uint32_t freed_from, freed_n;

bool ifp_stub_new(uint32_t *ret_index)
{
        bool found = true;

        ifp_lock(&lock);
        if (fresh < IFP_MAX_STUBS) {
                *ret_index = fresh++;
        } else if (freed_n) {
                *ret_index = freed[freed_from];
                freed_from = (freed_from + 1) % IFP_MAX_STUBS;
                freed_n--;
        } else {
                found = false;
        }
        ifp_unlock(&lock);
        if (ifp_seg && ifp_alive())
                __atomic_fetch_add(found ? &ifp_seg->live.stubs_used : &ifp_seg->live.stubs_refused,
                                   1, __ATOMIC_RELAXED);
        return found;
}

void ifp_stubs_release(uint32_t load)
{
        ifp_lock(&lock);
        for (uint32_t i = 0; i < fresh; i++) {
                if (ifp_stubs[i].load != load)
                        continue;
                ifp_stubs[i].load = 0;
                freed[(freed_from + freed_n++) % IFP_MAX_STUBS] = (uint16_t)i;
                if (ifp_seg && ifp_alive())
                        __atomic_fetch_sub(&ifp_seg->live.stubs_used, 1, __ATOMIC_RELAXED);
        }
        ifp_unlock(&lock);
}

/* In a fork child: another thread may have held it. */
void ifp_stubs_after_fork(void)
{
        lock = 0;
}
