/* SPDX-License-Identifier: MIT */
/*
 * What a token takes, by how long its KV cache is: at the end of each decode call the thread that
 * decodes adds the token's time to the bin of its length, and with it what every op took in it, by
 * all threads. The ops' rows in the lanes only grow, so that is a difference to what stood there
 * at the end of the call before. A span that is still open (the decode call itself) comes in with
 * the next token.
 *
 * A token counts only where nothing else was done in its time: one that was decoded together with
 * others, or while another call of any thread was under way, or since whose beginning one ended, is
 * in no bin, nor is what ops did in it. So the sums of a bin are those of its tokens and of nothing
 * else.
 *
 * How tokens lie in time goes into pieces of equal width. When they do not reach, each two become
 * one, and all are twice as wide.
 */
#include "preload/heap.h"

#define PIECES_A_SECOND 128u /* at first */

static uint32_t lock;
static uint64_t last_end, last_prefill_end; /* of any call; of one that took a prompt in */
static bool have_last;
static uint32_t settled_gen[IFP_MAX_LANES]; /* of a lane whose thread is gone, and read */
static uint32_t n_read;                     /* lanes that were ever read */

/* ---- ops ---------------------------------------------------------------------------- */

/* The difference to what stood there, which is kept; into `to`, unless that is NULL. */
static void read_row(const struct ifp_time_row *row, struct ifp_time_row *before,
                     struct ifp_time_row *to)
{
        struct ifp_time_row now = {.timed = ifp_word(&row->timed),
                                   .untimed = ifp_word(&row->untimed),
                                   .total = ifp_word(&row->total),
                                   .child = ifp_word(&row->child)};

        if ((!now.timed && !now.untimed) || /* what stood there is nothing, and not to be touched */
            (now.timed == before->timed && now.untimed == before->untimed))
                return;
        if (to) {
                to->timed += now.timed - before->timed;
                to->untimed += now.untimed - before->untimed;
                to->total += now.total - before->total;
                to->child += now.child - before->child;
        }
        *before = now;
}

static void read_lane(uint32_t i, uint32_t n_ops, struct ifp_time_row *to)
{
        struct ifp_lane *lane = &ifp_seg->lanes[i];

        for (uint32_t op = IFP_OP_FIRST; op < n_ops; op++) {
                uint8_t kind = ifp_seg->ops[op].kind;

                if (kind != IFP_KIND_TOKEN && kind != IFP_KIND_TTFT)
                        read_row(&lane->time[op][IFP_PHASE_DECODE], &lane->kv_seen[op],
                                 to ? &to[op] : NULL);
        }
}

/* All lanes; what came since the last time into the rows `to`. */
static void read_ops(struct ifp_time_row *to)
{
        uint32_t n = __atomic_load_n(&ifp_seg->live.n_lanes_used, __ATOMIC_ACQUIRE);
        uint32_t n_ops = __atomic_load_n(&ifp_seg->live.n_ops, __ATOMIC_ACQUIRE);

        n_ops = n_ops < IFP_KV_OPS ? n_ops : IFP_KV_OPS;
        for (uint32_t i = 0; i < n; i++) {
                const struct ifp_lane *lane = &ifp_seg->lanes[i];
                bool live = __atomic_load_n(&lane->state, __ATOMIC_ACQUIRE) == IFP_LANE_LIVE;

                if (!live && settled_gen[i] == lane->gen)
                        continue;
                settled_gen[i] = live ? 0 : lane->gen;
                read_lane(i, n_ops, to);
        }
        n_read = n > n_read ? n : n_read;
}

/* Is another thread in a call of the engine's? Its entries are read while they change. */
static bool is_beside(const struct ifp_tls *tls)
{
        uint32_t n = __atomic_load_n(&ifp_seg->live.n_lanes_used, __ATOMIC_ACQUIRE);

        for (uint32_t i = 0; i < n; i++) {
                struct ifp_lane *lane = &ifp_seg->lanes[i];
                uint64_t at = lane == tls->lane ? 0 : ifp_word(&lane->top);

                for (uint32_t k = 0; at && at < sizeof(lane->open) && k < IFP_MAX_OPEN; k++) {
                        const struct ifp_open *o = ifp_open_at(lane, at);
                        uint64_t around = ifp_open_prev(lane, o);

                        if (ifp_seg->ops[ifp_open_op(o) % IFP_MAX_OPS].kind == IFP_KIND_CALL)
                                return true;
                        if (around >= at)
                                break;
                        at = around;
                }
        }
        return false;
}

/* ---- time ---------------------------------------------------------------------------- */

static struct ifp_kv_piece *piece_of(struct ifp_kv *kv, uint64_t since, uint64_t end)
{
        uint64_t i;

        if (!kv->width) {
                kv->from = since;
                kv->width = ifp_seg->header.ticks_per_second / PIECES_A_SECOND + 1;
        }
        i = end > kv->from ? (end - kv->from) / kv->width : 0;
        for (; i >= IFP_KV_PIECES; i /= 2) {
                for (uint32_t k = 0; k < IFP_KV_PIECES; k++) {
                        struct ifp_kv_piece a = {0, 0}, b = {0, 0};

                        if (k < IFP_KV_PIECES / 2) {
                                a = kv->pieces[2 * k];
                                b = kv->pieces[2 * k + 1];
                        }
                        kv->pieces[k].prompt = a.prompt + b.prompt;
                        kv->pieces[k].generated = a.generated + b.generated;
                }
                kv->width *= 2;
        }
        return &kv->pieces[i];
}

/* ---- calls --------------------------------------------------------------------------- */

static void begin(struct ifp_kv *kv)
{
        ifp_lock(&lock);
        __atomic_store_n(&kv->seq, kv->seq + 1, __ATOMIC_SEQ_CST);
}

static void end_at(struct ifp_kv *kv, uint64_t end)
{
        last_end = end > last_end ? end : last_end;
        have_last = true;
        __atomic_store_n(&kv->seq, kv->seq + 1, __ATOMIC_SEQ_CST);
        ifp_unlock(&lock);
}

void ifp_kv_prefill(uint32_t n, uint64_t start, uint64_t end)
{
        struct ifp_kv *kv = &ifp_seg->kv;
        uint64_t since = start;

        begin(kv);
        if (!n)
                kv->flags |= IFP_KV_NO_PROMPT;
        kv->prefills++;
        kv->prompt_tokens += n;
        since = since > last_prefill_end ? since : last_prefill_end;
        if (end > since)
                kv->prefill_ticks += end - since;
        last_prefill_end = end > last_prefill_end ? end : last_prefill_end;
        piece_of(kv, start, end)->prompt += n;
        read_ops(NULL);
        end_at(kv, end);
}

void ifp_kv_no_prompt(void)
{
        struct ifp_kv *kv = &ifp_seg->kv;

        begin(kv);
        kv->flags |= IFP_KV_NO_PROMPT;
        read_ops(NULL);
        end_at(kv, last_end);
}

void ifp_kv_decoded(const struct ifp_tls *tls, uint32_t n, uint32_t length, uint64_t since,
                    uint64_t end)
{
        struct ifp_kv *kv = &ifp_seg->kv;
        uint32_t bin = ifp_kv_bin(length);
        bool alone;

        begin(kv);
        piece_of(kv, since, end)->generated += n;
        alone = n == 1 && have_last && since >= last_end && end >= since && !is_beside(tls);
        if (!alone || !length) {
                if (alone)
                        kv->no_length += n;
                else
                        kv->beside += n;
                read_ops(NULL);
        } else {
                kv->bins[bin].tokens++;
                kv->bins[bin].lengths += length;
                kv->bins[bin].ticks += end - since;
                read_ops(kv->ops[bin]);
        }
        end_at(kv, end);
}

void ifp_kv_after_fork(void)
{
        lock = 0;
        last_end = last_prefill_end = 0;
        have_last = false;
        for (uint32_t i = 0; i < n_read; i++)
                settled_gen[i] = 0;
        n_read = 0;
}
