/* SPDX-License-Identifier: MIT */
/*
 * What our programs in the kernel cost: how often they ran, and for how long. To be counted and
 * timed by the kernel costs a program more than what it does. So that is done for the first quarter
 * second, and then for a quarter second of every four; what they did in the rest of the time is
 * taken to be like it.
 *
 * Of what they cost in a stretch of time, each process that is watched then has its part.
 */
#include "daemon/kernel-private.h"

#include "daemon/process.h"

#define MEASURE_NS 250000000ull
#define EVERY_NS   4000000000ull

static struct {
        struct kernel_bpf *bpf; /* that are attached; NULL: none are */
        bool known;             /* the kernel lets us: it takes CAP_SYS_ADMIN */
        bool on;
        uint64_t since_ns;           /* of this stretch, measured or not */
        uint64_t events, ns;         /* of all stretches that are over */
        uint64_t at_events, at_ns;   /* the kernel's counts when the stretch began */
        double events_rate, ns_rate; /* a ns, in the last that was measured */

        uint32_t n_watched;
        uint64_t shared_events, shared_ns; /* so much of all is divided already, */
        double events_each, ns_each;       /* and this came to who was always there */
} cost;

static void close_stretch(uint64_t now_ns)
{
        uint64_t events, ns, missed, took = now_ns - cost.since_ns;

        if (cost.on) {
                kernel_bpf_cost(cost.bpf, &events, &ns, &missed);
                cost.events += events - cost.at_events;
                cost.ns += ns - cost.at_ns;
                if (took) {
                        cost.events_rate = (double)(events - cost.at_events) / (double)took;
                        cost.ns_rate = (double)(ns - cost.at_ns) / (double)took;
                }
        } else {
                cost.events += (uint64_t)(cost.events_rate * (double)took);
                cost.ns += (uint64_t)(cost.ns_rate * (double)took);
        }
        cost.since_ns = now_ns;
}

static void switch_measuring(bool on)
{
        uint64_t missed;

        cost.on = kernel_bpf_measure(cost.bpf, on);
        if (cost.on)
                kernel_bpf_cost(cost.bpf, &cost.at_events, &cost.at_ns, &missed);
}

void kernel_cost_begin(struct kernel_bpf *b)
{
        cost.bpf = b;
        cost.since_ns = clock_mono_ns();
        switch_measuring(true);
        cost.known = cost.on;
}

void kernel_cost_end(void)
{
        close_stretch(clock_mono_ns());
        cost.bpf = NULL;
}

/* All that they cost until now goes to those that are watched. */
static void share(uint64_t now_ns, uint64_t *ret_missed)
{
        uint64_t took = now_ns - cost.since_ns, events, ns, all_events, all_ns;

        kernel_bpf_cost(cost.bpf, &events, &ns, ret_missed);
        all_events = cost.events + (cost.on ? events - cost.at_events
                                            : (uint64_t)(cost.events_rate * (double)took));
        all_ns = cost.ns + (cost.on ? ns - cost.at_ns : (uint64_t)(cost.ns_rate * (double)took));
        if (cost.n_watched) {
                cost.events_each += (double)(all_events - cost.shared_events) / cost.n_watched;
                cost.ns_each += (double)(all_ns - cost.shared_ns) / cost.n_watched;
        }
        cost.shared_events = all_events;
        cost.shared_ns = all_ns;
}

void kernel_cost_watched(uint64_t now_ns, uint32_t n)
{
        uint64_t missed;

        share(now_ns, &missed);
        cost.n_watched = n;
}

bool kernel_cost(uint64_t now_ns, uint64_t *ret_events, uint64_t *ret_ns, uint64_t *ret_missed)
{
        share(now_ns, ret_missed);
        *ret_events = (uint64_t)cost.events_each;
        *ret_ns = (uint64_t)cost.ns_each;
        return cost.known;
}

uint64_t kernel_deadline(void)
{
        return cost.bpf && cost.known
                       ? cost.since_ns + (cost.on ? MEASURE_NS : EVERY_NS - MEASURE_NS)
                       : UINT64_MAX;
}

void kernel_tick(uint64_t now_ns)
{
        if (now_ns < kernel_deadline())
                return;
        close_stretch(now_ns);
        switch_measuring(!cost.on);
}
