/* SPDX-License-Identifier: MIT */
/*
 * Phases and tokens of an engine that nothing is known of: the user names the function that makes a
 * token, and the one that takes the prompt in. A token is there when the former returns; it
 * began when the call before it did. How many tokens a prompt has is not known, and not told. One
 * sequence a thread is assumed: a prefill that follows a token begins the thread's next one. Where
 * a thread only takes prompts in, one that only decodes goes on with them.
 */
#include "preload/marks.h"

#include "preload/heap.h"

static uint32_t lock, token_op, ttft_op;
/* A prompt taken in by a thread that was never seen to decode; from 0: none. */
static struct {
        uint64_t from, end;
        uint64_t thread; /* as in struct pass */
} prompt;

/* What is known of a thread, by its lane. */
struct pass {
        uint64_t thread;      /* start_ticks: which of the lane's it is, a fork child's apart */
        bool prefills;        /* takes prompts in */
        bool makes_tokens;    /* decodes */
        uint64_t prompt_from; /* of a prompt whose first token is not yet used; 0: none */
        uint64_t end;         /* of the last call for its sequence; 0: none yet */
        uint32_t n_tokens;    /* that its sequence has had behind its prompt */
};
static struct pass passes[IFP_MAX_LANES];

static struct pass *pass_of(const struct ifp_tls *tls)
{
        struct pass *p = &passes[tls->lane_number];

        if (p->thread != tls->lane->start_ticks)
                *p = (struct pass){.thread = tls->lane->start_ticks};
        return p;
}

static uint64_t name_ops(void *unused)
{
        (void)unused;
        ttft_op = ifp_op("time to first token", NULL, NULL, IFP_KIND_TTFT, false, 0);
        token_op = ifp_op("token", NULL, NULL, IFP_KIND_TOKEN, false, 0);
        return 0;
}

/* The prompt that this thread is about: whether another has gone on with it. */
static bool is_mine(const struct pass *pass)
{
        return pass->makes_tokens || (prompt.from && prompt.thread == pass->thread);
}

static struct ifp_open *prefill_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                      const struct ifp_args *args, uint64_t sp)
{
        struct pass *pass = pass_of(tls);

        (void)args;
        ifp_phase_set(IFP_PHASE_PREFILL);
        ifp_lock(&lock);
        if (!pass->prompt_from || !is_mine(pass)) {
                pass->prompt_from = ifp_ticks();
                ifp_seg->live.n_sequences++;
                if (!pass->makes_tokens && !prompt.from) {
                        prompt.from = pass->prompt_from;
                        prompt.end = 0;
                        prompt.thread = pass->thread;
                }
        }
        pass->prefills = 1;
        ifp_unlock(&lock);
        return ifp_hook_push(tls, stub, sp);
}

static bool prefill_leave(struct ifp_tls *tls, struct ifp_stub *stub, struct ifp_open *o,
                          uint64_t end, uint64_t rax)
{
        struct pass *pass = pass_of(tls);

        (void)stub;
        (void)rax;
        pass->end = end;
        ifp_lock(&lock);
        if (prompt.from && prompt.thread == pass->thread)
                prompt.end = end;
        ifp_unlock(&lock);
        ifp_kv_prefill(0, o->start, end);
        ifp_tokens_note(0, end);
        return true;
}

/* The first token of its prompt is used. */
static void begin_tokens(struct ifp_tls *tls)
{
        struct pass *pass = pass_of(tls);

        ifp_lock(&lock);
        pass->makes_tokens = 1;
        if (prompt.from && (prompt.thread == pass->thread || (!pass->prefills && prompt.end))) {
                pass->prompt_from = prompt.from;
                pass->end = prompt.end;
                prompt.from = 0;
        }
        if (pass->prompt_from)
                pass->n_tokens = 0;
        if (pass->prompt_from && pass->end > pass->prompt_from)
                ifp_span_write(tls->lane, ttft_op, IFP_PHASE_PREFILL, pass->prompt_from,
                               pass->end - pass->prompt_from, 0, 0, 0, 0);
        pass->prompt_from = 0;
        ifp_unlock(&lock);
}

static struct ifp_open *decode_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                     const struct ifp_args *args, uint64_t sp)
{
        struct ifp_open *o;

        (void)args;
        if (IFP_UNLIKELY(!token_op))
                ifp_call_saved(name_ops, NULL);
        ifp_phase_set(IFP_PHASE_DECODE);
        begin_tokens(tls);
        o = ifp_hook_push(tls, stub, sp);
        if (o)
                o->arg = 1;
        return o;
}

static bool decode_leave(struct ifp_tls *tls, struct ifp_stub *stub, struct ifp_open *o,
                         uint64_t end, uint64_t rax)
{
        struct pass *pass = pass_of(tls);
        uint64_t since = pass->end ? pass->end : o->start;

        (void)stub;
        (void)rax;
        pass->end = end;
        pass->n_tokens++;
        __atomic_fetch_add(&ifp_seg->live.generated_tokens, 1, __ATOMIC_RELAXED);
        ifp_span_write(tls->lane, token_op, IFP_PHASE_DECODE, since, end - since,
                       ifp_tokens_beside(since, end), 0, 0, 1);
        ifp_kv_decoded(tls, 1, pass->n_tokens, since, end);
        ifp_tokens_note(1, end);
        return true;
}

/* What its parent was about is its parent's. */
void ifp_marks_after_fork(void)
{
        lock = 0;
        prompt.from = 0;
}

const struct ifp_hook ifp_mark_decode = {
        .tokens = true, .enter = decode_enter, .leave = decode_leave};
const struct ifp_hook ifp_mark_prefill = {.enter = prefill_enter, .leave = prefill_leave};
