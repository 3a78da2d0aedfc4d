/* SPDX-License-Identifier: MIT */
/*
 * Keeps, at each tick, what allocations had come to by then: by op, by phase and
 * for the tokens decoded. Counts only grow, so the difference of two readings is what
 * the interval moved; a process that makes them run backwards moves nothing.
 */
#include "daemon/rates.h"

#include <string.h>

#include "daemon/process.h"

#define TOKENS_STAND 10u /* ticks: large models take seconds for a token */

static void read_again(struct readings *r, const struct figures *now)
{
        r->before = r->at_tick;
        r->at_tick = *now;
}

static uint64_t load(const uint64_t *p)
{
        return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void take_tokens(struct process *p)
{
        const struct ifp_tokens *t = &p->segment.map->tokens;
        struct rates *r = &p->rates;
        struct token_counts now = {load(&t->n), load(&t->calls), load(&t->asked_bytes)};

        if (now.n > r->tokens.n) {
                r->token_moved = (struct token_counts){
                        rates_moved(now.n, r->tokens.n), rates_moved(now.calls, r->tokens.calls),
                        rates_moved(now.asked_bytes, r->tokens.asked_bytes)};
                r->token_tick = p->n_ticks;
        }
        r->tokens = now;
}

void rates_take(struct process *p)
{
        struct figures phases[IFP_N_PHASES] = {0};

        for (uint32_t op = 0; op < p->n_ops; op++) {
                struct op *o = &p->ops[op];
                struct figures sum = {0};

                for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++) {
                        const struct figures *f = &p->total[op * IFP_N_PHASES + phase];

                        tally_figures_add(&sum, f);
                        tally_figures_add(&phases[phase], f);
                }
                read_again(&o->readings, &sum);
                o->alloc_spark[p->spark_at] =
                        (uint32_t)rates_moved(sum.alloc_calls, o->readings.before.alloc_calls);
        }
        for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++)
                read_again(&p->rates.phases[phase], &phases[phase]);
        p->rates.live_bytes[p->spark_at] = p->now.live_bytes;
        take_tokens(p);
}

void rates_add_moved(struct figures *to, const struct readings *r)
{
        uint64_t *x = (uint64_t *)to;
        const uint64_t *now = (const uint64_t *)&r->at_tick;
        const uint64_t *before = (const uint64_t *)&r->before;

        for (size_t i = 0; i < sizeof(*to) / sizeof(*x); i++)
                x[i] += rates_moved(now[i], before[i]);
}

const struct token_counts *rates_tokens(const struct process *p)
{
        const struct rates *r = &p->rates;

        return r->token_moved.n && p->n_ticks - r->token_tick <= TOKENS_STAND ? &r->token_moved
                                                                              : NULL;
}
