/* SPDX-License-Identifier: MIT */
/* Ticks of a process's stamps, as nanoseconds. */
#pragma once

#include <stdint.h>

#include <infprof/segment.h>

struct clock {
        uint64_t start_ticks, start_mono_ns;
        double ns_per_tick;
        uint64_t refine_ticks; /* do not refine before */
};

uint64_t clock_mono_ns(void);
uint64_t clock_real_ns(void);
uint64_t clock_cpu_ns(void); /* CPU time of this process */

/* Takes the calibration in a (checked) header. */
void clock_init(struct clock *c, const struct ifp_header *h);

/* Makes the rate better, as long as that is worth it: the longer the way from the header's instant
 * to now, the better it is known. */
void clock_refine(struct clock *c);

/* At most INT64_MAX: ticks are somebody else's word. */
static inline uint64_t clock_ns(const struct clock *c, uint64_t ticks)
{
        double ns = (double)ticks * c->ns_per_tick + 0.5;

        return ns < (double)INT64_MAX ? (uint64_t)ns : INT64_MAX;
}

/* And back: ns, too, may be somebody else's. */
static inline uint64_t clock_ticks(const struct clock *c, uint64_t ns)
{
        double ticks = (double)ns / c->ns_per_tick + 0.5;

        return ticks < (double)INT64_MAX ? (uint64_t)ticks : INT64_MAX;
}

/* From the start of the process to `ticks`; 0 for what lies before. */
static inline uint64_t clock_since_start_ns(const struct clock *c, uint64_t ticks)
{
        return ticks > c->start_ticks ? clock_ns(c, ticks - c->start_ticks) : 0;
}

static inline uint64_t clock_per_second(const struct clock *c)
{
        return (uint64_t)(1e9 / c->ns_per_tick + 0.5);
}
