/* SPDX-License-Identifier: MIT */
/* Tokens by KV length, and in time, as rows of the run file. */
#include <math.h>

#include "daemon/flush-private.h"

#define RATE_MOVED 1e-4

/* Bins are held against each other: all of them are to be told by one rate of the clock, which is
 * known better and better. */
static bool has_rate_moved(const struct process *p)
{
        return p->write_all || fabs(p->clock.ns_per_tick / p->kv->written_rate - 1) > RATE_MOVED;
}

static bool has_moved(const struct process *p, uint32_t bin)
{
        const struct kv *kv = p->kv;

        return kv->bins[bin].tokens &&
               (has_rate_moved(p) || kv->bins[bin].tokens != kv->written[bin]);
}

/* One that no lane has done cannot have been done in a token: the table of ops has no row of it. */
static bool is_op(const struct process *p, uint32_t op)
{
        return op < p->n_ops && figures_calls(&p->total[op * IFP_N_PHASES + IFP_PHASE_DECODE]);
}

static int put_ops(struct run *run, const struct process *p, uint32_t bin)
{
        int r = 0;

        for (uint32_t op = 0; !r && op < IFP_KV_OPS; op++) {
                const struct ifp_time_row *o = &p->kv->ops[bin][op];
                struct runfile_kv_op row = {.process = p->index,
                                            .bin = bin,
                                            .op = op,
                                            .timed = flush_sane(o->timed),
                                            .untimed = flush_sane(o->untimed),
                                            .total_ns = clock_ns(&p->clock, o->total),
                                            .child_ns = clock_ns(&p->clock, o->child)};

                if ((o->timed || o->untimed) && is_op(p, op))
                        r = runfile_put_kv_op(run->file, &row);
        }
        return r;
}

static int put_bin(struct run *run, const struct process *p, uint32_t bin)
{
        const struct ifp_kv_sums *b = &p->kv->bins[bin];
        struct runfile_kv_bin row = {.process = p->index,
                                     .bin = bin,
                                     .tokens = flush_sane(b->tokens),
                                     .lengths = flush_sane(b->lengths),
                                     .total_ns = clock_ns(&p->clock, b->ticks)};
        int r = runfile_put_kv_bin(run->file, &row);

        return r || !p->kv->ops[bin] ? r : put_ops(run, p, bin);
}

static uint32_t n_pieces(const struct kv *kv)
{
        uint32_t n = IFP_KV_PIECES;

        while (n && !kv->pieces[n - 1].prompt && !kv->pieces[n - 1].generated)
                n--;
        return n;
}

/* Those that were empty once and are again, since each two became one, have rows to be emptied. */
static int put_pieces(struct run *run, const struct process *p)
{
        const struct kv *kv = p->kv;
        uint32_t n = n_pieces(kv);
        int r = 0;

        n = p->write_all || kv->pieces_written > n ? IFP_KV_PIECES : n;
        for (uint32_t i = 0; !r && i < n; i++) {
                struct runfile_kv_piece row = {.process = p->index,
                                               .piece = i,
                                               .prompt = flush_sane(kv->pieces[i].prompt),
                                               .generated = flush_sane(kv->pieces[i].generated)};

                r = runfile_put_kv_piece(run->file, &row);
        }
        return r;
}

int flush_kv(struct run *run, const struct process *p)
{
        const struct kv *kv = p->kv;
        struct runfile_kv row;
        int r;

        if (!kv || (!kv->moved && !has_rate_moved(p)))
                return 0;
        row = (struct runfile_kv){.process = p->index,
                                  .no_prompt = kv->flags & IFP_KV_NO_PROMPT,
                                  .prefills = flush_sane(kv->prefills),
                                  .prompt_tokens = flush_sane(kv->prompt_tokens),
                                  .prefill_ns = clock_ns(&p->clock, kv->prefill_ticks),
                                  .beside = flush_sane(kv->beside),
                                  .no_length = flush_sane(kv->no_length),
                                  .from_ns = clock_since_start_ns(&p->clock, kv->from),
                                  .width_ns = clock_ns(&p->clock, kv->width)};
        r = runfile_put_kv(run->file, &row);
        if (!r)
                r = put_pieces(run, p);
        for (uint32_t i = 0; !r && i < IFP_KV_BINS; i++)
                if (has_moved(p, i))
                        r = put_bin(run, p, i);
        return r;
}

void flush_kv_written(struct process *p)
{
        struct kv *kv = p->kv;

        if (!kv)
                return;
        for (uint32_t i = 0; i < IFP_KV_BINS; i++)
                kv->written[i] = kv->bins[i].tokens;
        kv->pieces_written = n_pieces(kv);
        if (has_rate_moved(p))
                kv->written_rate = p->clock.ns_per_tick;
        kv->moved = false;
}
