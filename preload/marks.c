/* SPDX-License-Identifier: MIT */
/*
 * Phases and tokens of an engine that nothing is known of: the user names the function that makes a
 * token, and the one that takes the prompt in. A token is there when the former returns; it
 * began when the call before it did. How many tokens a prompt has is not known, and not told. One
 * sequence is assumed: a prefill that follows a token begins the next one.
 */
#include "preload/marks.h"

#include "preload/heap.h"

static uint32_t lock, token_op, ttft_op;
static uint64_t last_end;     /* of either; 0: none yet */
static uint64_t prefill_from; /* of a prompt whose first token is not yet used; 0: none */

static uint64_t name_ops(void *unused)
{
        (void)unused;
        ttft_op = ifp_op("time to first token", NULL, NULL, IFP_KIND_TTFT, false, 0);
        token_op = ifp_op("token", NULL, NULL, IFP_KIND_TOKEN, false, 0);
        return 0;
}

static struct ifp_open *prefill_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                      const struct ifp_args *args, uint64_t sp)
{
        (void)args;
        ifp_phase_set(IFP_PHASE_PREFILL);
        ifp_lock(&lock);
        if (!prefill_from) {
                prefill_from = ifp_ticks();
                ifp_seg->live.n_sequences++;
        }
        ifp_unlock(&lock);
        return ifp_hook_push(tls, stub, sp);
}

static bool prefill_leave(struct ifp_tls *tls, struct ifp_stub *stub, struct ifp_open *o,
                          uint64_t end, uint64_t rax)
{
        (void)tls;
        (void)stub;
        (void)o;
        (void)rax;
        last_end = end;
        ifp_tokens_note(0, end);
        return true;
}

static struct ifp_open *decode_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                     const struct ifp_args *args, uint64_t sp)
{
        struct ifp_open *o;

        (void)args;
        if (IFP_UNLIKELY(!token_op))
                ifp_call_saved(name_ops, NULL);
        ifp_phase_set(IFP_PHASE_DECODE);
        ifp_lock(&lock);
        if (prefill_from && last_end > prefill_from)
                ifp_span_write(tls->lane, ttft_op, IFP_PHASE_PREFILL, prefill_from,
                               last_end - prefill_from, 0, 0, 0, 0);
        prefill_from = 0;
        ifp_unlock(&lock);
        o = ifp_hook_push(tls, stub, sp);
        if (o)
                o->arg = 1;
        return o;
}

static bool decode_leave(struct ifp_tls *tls, struct ifp_stub *stub, struct ifp_open *o,
                         uint64_t end, uint64_t rax)
{
        uint64_t since = last_end ? last_end : o->start;

        (void)stub;
        (void)rax;
        last_end = end;
        __atomic_fetch_add(&ifp_seg->live.generated_tokens, 1, __ATOMIC_RELAXED);
        ifp_span_write(tls->lane, token_op, IFP_PHASE_DECODE, since, end - since, 0, 0, 0, 1);
        ifp_tokens_note(1, end);
        return true;
}

const struct ifp_hook ifp_mark_decode = {.enter = decode_enter, .leave = decode_leave};
const struct ifp_hook ifp_mark_prefill = {.enter = prefill_enter, .leave = prefill_leave};
