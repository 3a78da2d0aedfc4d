/* SPDX-License-Identifier: MIT */
/*
 * llama.cpp.
 *
 * llama_decode tells the phase: decode when no sequence in its batch has more than one token, else
 * prefill. Its batch is a struct of 56 bytes by value: n_tokens, token, embd, pos, n_seq_id,
 * seq_id, logits. With it come tokens, the time to the first of a sequence, and the length of the
 * KV cache of each.
 */
#include "preload/engine.h"
#include "preload/heap.h"

#define N_SEQUENCES 256

static uint32_t token_op, ttft_op;

/* ---- sequences ------------------------------------------------------------------ */

struct llama_batch {
        int32_t n_tokens;
        int32_t *token;
        float *embd;
        int32_t *pos;
        int32_t *n_seq_id;
        int32_t **seq_id;
        int8_t *logits;
};
_Static_assert(sizeof(struct llama_batch) == 56, "as llama.h has it");

/* What is known of a sequence of a context. */
struct sequence {
        uint64_t ctx;
        int32_t id;
        bool prefilling;   /* its prompt was begun, nothing sampled yet */
        uint64_t start;    /* of that prompt */
        uint64_t last_end; /* of its last call */
};

static struct sequence sequences[N_SEQUENCES];
static uint32_t n_sequences, sequences_lock;
static uint32_t n_waiting; /* sequences in prefilling */

/* The one that is not known takes the place of the one longest unseen. */
static struct sequence *sequence_of(uint64_t ctx, int32_t id)
{
        struct sequence *oldest = &sequences[0];

        for (uint32_t i = 0; i < n_sequences; i++) {
                if (sequences[i].ctx == ctx && sequences[i].id == id)
                        return &sequences[i];
                if (sequences[i].last_end < oldest->last_end)
                        oldest = &sequences[i];
        }
        if (n_sequences < N_SEQUENCES)
                oldest = &sequences[n_sequences++];
        else if (oldest->prefilling)
                n_waiting--;
        *oldest = (struct sequence){.ctx = ctx, .id = id};
        return oldest;
}

static int32_t sequence_id(const struct llama_batch *b, int32_t token)
{
        return b->seq_id && b->seq_id[token] ? b->seq_id[token][0] : 0;
}

/* What libllama has to ask how long a sequence is; the names changed with versions. NULL: not
 * there.
 */
static struct {
        uint64_t base; /* of the object they are in; 0: none */
        void *(*get_memory)(const void *ctx);
        int32_t (*memory_pos_max)(void *memory, int32_t id);
        int32_t (*ctx_pos_max)(void *ctx, int32_t id);
} llama;

struct ask_length {
        uint64_t ctx;
        int32_t id, pos;
};

static uint64_t ask_length(void *arg)
{
        struct ask_length *a = arg;
        void *ctx = (void *)a->ctx, *memory; /* NOLINT(performance-no-int-to-ptr) */

        ifp_tls.busy++;
        ifp_tls.fast = NULL;
        if (llama.memory_pos_max && llama.get_memory) {
                memory = llama.get_memory(ctx);
                a->pos = memory ? llama.memory_pos_max(memory, a->id) : -1;
        } else if (llama.ctx_pos_max) {
                a->pos = llama.ctx_pos_max(ctx, a->id);
        }
        ifp_fast_again(&ifp_tls);
        ifp_tls.busy--;
        return 0;
}

/*
 * Positions that the one token of a batch attended to, its own included; 0: not known. Where the
 * batch does not say its position, llama.cpp counts on from the sequence's last.
 */
static uint32_t kv_length(const struct ifp_tls *tls, const struct llama_batch *b)
{
        struct ask_length a = {.ctx = tls->call_ctx, .pos = -1};

        if (b->n_tokens != 1)
                return 0;
        if (b->pos) {
                a.pos = b->pos[0];
        } else {
                a.id = sequence_id(b, 0);
                ifp_call_saved(ask_length, &a);
        }
        return a.pos >= 0 ? (uint32_t)a.pos + 1 : 0;
}

/* Decode: no sequence has more than one token. */
static bool is_decode(const struct llama_batch *b)
{
        uint64_t seen[16] = {0};

        if (b->n_tokens <= 1)
                return true;
        if (!b->seq_id || b->n_tokens > 1024)
                return false;
        for (int32_t i = 0; i < b->n_tokens; i++) {
                uint32_t id = (uint32_t)sequence_id(b, i) % 1024;

                if (seen[id / 64] >> (id % 64) & 1)
                        return false;
                seen[id / 64] |= 1ull << (id % 64);
        }
        return true;
}

static void note_prefill(uint64_t ctx, const struct llama_batch *b)
{
        uint64_t now = ifp_ticks();
        int32_t last = -1;

        ifp_lock(&sequences_lock);
        for (int32_t i = 0; i < b->n_tokens; i++) {
                int32_t id = sequence_id(b, i);
                struct sequence *s;

                if (i && id == last)
                        continue;
                last = id;
                s = sequence_of(ctx, id);
                if (!s->prefilling) {
                        s->prefilling = true;
                        s->start = now;
                        n_waiting++;
                        ifp_seg->live.n_sequences++;
                }
        }
        ifp_unlock(&sequences_lock);
}

static struct ifp_open *decode_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                     const struct ifp_args *args, uint64_t sp)
{
        const struct llama_batch *b = (const void *)(sp + 16);
        bool decode = is_decode(b);
        struct ifp_open *o;

        tls->call_ctx = args->rdi;
        if (b->n_tokens < 0)
                return ifp_hook_push(tls, stub, sp);
        ifp_phase_set(decode ? IFP_PHASE_DECODE : IFP_PHASE_PREFILL);
        if (!decode)
                note_prefill(args->rdi, b);
        o = ifp_hook_push(tls, stub, sp);
        if (o)
                o->arg = (uint32_t)b->n_tokens;
        return o;
}

static uint64_t name_tokens(void *unused)
{
        (void)unused;
        ttft_op = ifp_op("time to first token", NULL, NULL, IFP_KIND_TTFT, false, 1);
        token_op = ifp_op("token", NULL, NULL, IFP_KIND_TOKEN, false, 1);
        return 0;
}

/* The logits of a finished prompt are used: its first token is there since the end of its last
 * call. */
static void first_token(struct ifp_tls *tls, struct sequence *s)
{
        s->prefilling = false;
        n_waiting--;
        if (s->last_end > s->start)
                ifp_span_write(tls->lane, ttft_op, IFP_PHASE_PREFILL, s->start,
                               s->last_end - s->start, 0, 0, 0, 0);
}

static bool decode_leave(struct ifp_tls *tls, struct ifp_stub *stub, struct ifp_open *span,
                         uint64_t end, uint64_t rax)
{
        /* The stub's frame still stands, and with it the batch. */
        const struct llama_batch *b = (const void *)(span->sp + 16);
        uint64_t since = span->start;
        int32_t last = -1;

        (void)stub;
        if ((int32_t)rax != 0 || b->n_tokens < 0)
                return true;
        if (!token_op)
                ifp_call_saved(name_tokens, NULL);
        ifp_lock(&sequences_lock);
        for (int32_t i = 0; i < b->n_tokens; i++) {
                int32_t id = sequence_id(b, i);
                struct sequence *s;

                if (i && id == last)
                        continue;
                last = id;
                s = sequence_of(tls->call_ctx, id);
                if (span->phase == IFP_PHASE_DECODE) {
                        if (s->prefilling)
                                first_token(tls, s);
                        if (s->last_end && (!i || s->last_end < since))
                                since = s->last_end;
                }
                s->last_end = end;
        }
        ifp_unlock(&sequences_lock);
        if (span->phase == IFP_PHASE_DECODE) {
                __atomic_fetch_add(&ifp_seg->live.generated_tokens, (uint64_t)b->n_tokens,
                                   __ATOMIC_RELAXED);
                ifp_span_write(tls->lane, token_op, IFP_PHASE_DECODE, since, end - since,
                               ifp_tokens_beside(since, end), 0, 0, (uint32_t)b->n_tokens);
                ifp_kv_decoded(tls, (uint32_t)b->n_tokens, kv_length(tls, b), since, end);
        } else {
                __atomic_fetch_add(&ifp_seg->live.prompt_tokens, (uint64_t)b->n_tokens,
                                   __ATOMIC_RELAXED);
                ifp_kv_prefill((uint32_t)b->n_tokens, span->start, end);
        }
        ifp_tokens_note(span->phase == IFP_PHASE_DECODE ? (uint32_t)b->n_tokens : 0, end);
        return true;
}

/* llama_get_logits*, llama_sampler_sample(sampler, ctx, i): somebody looks at a call's result */
static void looked_at(struct ifp_tls *tls, uint64_t ctx)
{
        if (IFP_LIKELY(!*(volatile uint32_t *)&n_waiting) || !ttft_op)
                return;
        ifp_lock(&sequences_lock);
        for (uint32_t i = 0; i < n_sequences; i++)
                if (sequences[i].prefilling && sequences[i].ctx == ctx && sequences[i].last_end)
                        first_token(tls, &sequences[i]);
        ifp_unlock(&sequences_lock);
}

static struct ifp_open *logits_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                     const struct ifp_args *args, uint64_t sp)
{
        (void)stub;
        (void)sp;
        looked_at(tls, args->rdi);
        return NULL;
}

static struct ifp_open *sample_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                     const struct ifp_args *args, uint64_t sp)
{
        looked_at(tls, args->rsi);
        return ifp_hook_push(tls, stub, sp);
}

static struct ifp_open *load_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                   const struct ifp_args *args, uint64_t sp)
{
        (void)args;
        ifp_phase_set(IFP_PHASE_LOAD);
        return ifp_hook_push(tls, stub, sp);
}

static bool idle_leave(struct ifp_tls *tls, struct ifp_stub *stub, struct ifp_open *o, uint64_t end,
                       uint64_t rax)
{
        (void)tls;
        (void)stub;
        (void)o;
        (void)end;
        (void)rax;
        ifp_phase_set(IFP_PHASE_IDLE);
        return true;
}

/* ---- the table --------------------------------------------------------------------- */

static const struct ifp_hook decode = {
        .tokens = true, .enter = decode_enter, .leave = decode_leave};
static const struct ifp_hook logits = {.names = true, .enter = logits_enter};
static const struct ifp_hook sample = {.enter = sample_enter};
static const struct ifp_hook load = {.enter = load_enter, .leave = idle_leave};
static const struct ifp_hook release = {.leave = idle_leave};

#define LLAMA "libllama*.so*"

static struct ifp_want wants[] = {
        {LLAMA, "llama_decode", .stack_bytes = 56, .kind = IFP_KIND_CALL, .hook = &decode},
        {LLAMA, "llama_encode", .stack_bytes = 56, .kind = IFP_KIND_CALL},
        {LLAMA, "llama_get_logits", .kind = IFP_KIND_CALL, .hook = &logits},
        {LLAMA, "llama_get_logits_ith", .kind = IFP_KIND_CALL, .hook = &logits},
        {LLAMA, "llama_sampler_sample", .kind = IFP_KIND_CALL, .hook = &sample},
        {LLAMA, "llama_sampler_apply", .kind = IFP_KIND_CALL},
        {LLAMA, "llama_tokenize", .stack_bytes = 16, .kind = IFP_KIND_CALL},
        {LLAMA, "llama_model_load_from_file", .stack_bytes = 256, .kind = IFP_KIND_CALL,
         .hook = &load},
        {LLAMA, "llama_model_load_from_splits", .stack_bytes = 256, .kind = IFP_KIND_CALL,
         .hook = &load},
        {LLAMA, "llama_free", .kind = IFP_KIND_CALL, .hook = &release},
};

#define FIND(field, symbol) IFP_ELF_FUNCTION(e, llama.field, symbol)

static void opened(const struct ifp_elf *e)
{
        if (!ifp_elf_find(e, "llama_decode", NULL))
                return;
        llama.base = e->base;
        FIND(get_memory, "llama_get_memory");
        FIND(memory_pos_max, "llama_memory_seq_pos_max");
        FIND(ctx_pos_max, "llama_kv_self_seq_pos_max");
        if (!llama.ctx_pos_max)
                FIND(ctx_pos_max, "llama_kv_cache_seq_pos_max");
}

static void closed(const struct ifp_elf *e)
{
        if (llama.base != e->base)
                return;
        llama.base = 0;
        llama.get_memory = NULL;
        llama.memory_pos_max = NULL;
        llama.ctx_pos_max = NULL;
}

const struct ifp_engine ifp_engine_llama = {
        .name = "llama.cpp",
        .wants = wants,
        .n_wants = sizeof(wants) / sizeof(wants[0]),
        .opened = opened,
        .closed = closed,
};
