/* SPDX-License-Identifier: MIT */
/*
 * What else the engine tells of itself: counters, tokens, results, instants, tiles. None of it is
 * on a hot path, tiles apart; a signal handler that comes in the midst tells nothing.
 *
 * Tokens that are counted are those of the token figures, where no engine is known that has them
 * from elsewhere. A sequence begins with its first count: at the start of the outermost marker that
 * was begun since the one before it; else where prefill was told; else where the one before ended;
 * else nobody knows. Its first token is the time to first token, if it was counted alone. A prompt
 * that is counted in phase prefill has been taken in when that is over, else when it is counted.
 */
#include <infprof/infprof.h>

#include "preload/heap.h"
#include "preload/marker.h"

#undef infprof_count
#undef infprof_phase
#undef infprof_result
#undef infprof_text
#undef infprof_mark
#undef infprof_tile_begin
#undef infprof_tile_end

#define MOST (1ull << 62) /* at once, by threads that share a sum */

static uint32_t lock, token_op, ttft_op;
static uint64_t n_sequences; /* told by the engine; more in the segment: somebody else knows them */
static bool phase_told;

/* Of a thread, by its lane. */
static struct sequence {
        uint64_t thread; /* start_ticks: which of the lane's it is */
        uint64_t start;  /* 0: none has begun */
        uint64_t since;  /* of the last that was told of it, or of the end of the one before */
        uint64_t phase;  /* when prefill was told, where none has begun; 0: it was not */
        uint32_t prompt, made;
        uint32_t pending; /* tokens of a prompt that is being taken in */
        bool unknown;     /* nobody told when it began */
} sequences[IFP_MAX_LANES];

/* ---- counters ------------------------------------------------------------------ */

#define NONE UINT32_MAX

static uint32_t find_counter(const char *name)
{
        uint32_t n = __atomic_load_n(&ifp_seg->live.n_counters, __ATOMIC_ACQUIRE);

        for (uint32_t i = 0; i < n; i++)
                if (!ifp_strcmp(ifp_seg->names + ifp_seg->counters[i], name))
                        return i;
        return NONE;
}

static uint32_t add_counter(const char *name)
{
        struct ifp_live *live = &ifp_seg->live;
        uint32_t i, at;

        if (__atomic_load_n(&live->n_counters, __ATOMIC_RELAXED) == IFP_MAX_COUNTERS)
                return NONE;
        ifp_lock(&lock);
        i = find_counter(name);
        at = i == NONE && live->n_counters < IFP_MAX_COUNTERS ? ifp_name(name) : 0;
        if (at) {
                i = live->n_counters;
                ifp_seg->counters[i] = at;
                __atomic_store_n(&live->n_counters, i + 1, __ATOMIC_RELEASE);
        }
        ifp_unlock(&lock);
        return i;
}

/* Index + 1; more than there can be: refused. */
static uint32_t counter_of(const char *name)
{
        char buf[IFP_TOLD_NAME];
        uint32_t i = find_counter(name = ifp_told_name(name, buf));

        if (i == NONE)
                i = add_counter(name);
        return i == NONE ? IFP_MAX_COUNTERS + 1 : i + 1;
}

static struct sequence *sequence_of(const struct ifp_tls *tls)
{
        struct sequence *s = &sequences[tls->lane_number];

        if (s->thread != tls->lane->start_ticks)
                *s = (struct sequence){.thread = tls->lane->start_ticks};
        return s;
}

/* An engine that tells of tokens by itself is loaded, or has told of some. */
static bool others_know(void)
{
        return ifp_tokens_elsewhere ||
               __atomic_load_n(&ifp_seg->live.n_sequences, __ATOMIC_RELAXED) !=
                       __atomic_load_n(&n_sequences, __ATOMIC_RELAXED);
}

static void set_phase(uint32_t phase)
{
        if (!phase_told)
                ifp_phase_set(phase);
}

static void begin_sequence(struct ifp_tls *tls, struct sequence *s)
{
        uint64_t marker = ifp_marker_since(tls->lane, s->since);

        s->unknown = !marker && !s->phase && !s->since;
        s->start = marker ? marker : s->phase ? s->phase : s->since ? s->since : s->thread;
        s->prompt = s->made = s->pending = 0;
        s->phase = 0;
        __atomic_fetch_add(&n_sequences, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ifp_seg->live.n_sequences, 1, __ATOMIC_RELAXED);
        if (!token_op) {
                ttft_op = ifp_op("time to first token", NULL, NULL, IFP_KIND_TTFT, false, 0);
                token_op = ifp_op("token", NULL, NULL, IFP_KIND_TOKEN, false, 0);
        }
}

/* What was counted of it is taken in now. */
static void end_prompt(struct sequence *s, uint64_t now)
{
        if (!s->pending)
                return;
        ifp_kv_prefill(s->pending, s->since > s->start ? s->since : s->start, now);
        ifp_tokens_note(0, now);
        s->pending = 0;
        s->since = now;
}

static void take_prompt(struct ifp_tls *tls, uint64_t n)
{
        struct sequence *s = sequence_of(tls);

        if (!s->start)
                begin_sequence(tls, s);
        s->prompt += (uint32_t)n;
        s->pending += (uint32_t)n;
        __atomic_fetch_add(&ifp_seg->live.prompt_tokens, n, __ATOMIC_RELAXED);
        if (phase_told && ifp_phase == IFP_PHASE_PREFILL)
                return;
        end_prompt(s, ifp_ticks());
        set_phase(IFP_PHASE_DECODE);
}

/* The first of a sequence. */
static void first_token(struct ifp_tls *tls, struct sequence *s, uint64_t now)
{
        if (s->unknown)
                ifp_local_add(&tls->lane->time[ttft_op][IFP_PHASE_PREFILL].untimed, 1);
        else
                ifp_span_write(tls->lane, ttft_op, IFP_PHASE_PREFILL, s->start, now - s->start, 0,
                               0, 0, 0);
        if (!s->prompt)
                ifp_kv_no_prompt();
        ifp_tokens_note(0, now);
}

static void make_tokens(struct ifp_tls *tls, uint64_t n)
{
        struct sequence *s = sequence_of(tls);
        uint64_t now = ifp_ticks(), since;

        if (!s->start)
                begin_sequence(tls, s);
        end_prompt(s, now);
        if (!s->made && n == 1) {
                first_token(tls, s, now);
        } else {
                since = s->since > s->start ? s->since : s->start;
                __atomic_fetch_add(&ifp_seg->live.generated_tokens, n, __ATOMIC_RELAXED);
                ifp_span_write(tls->lane, token_op, IFP_PHASE_DECODE, since, now - since,
                               ifp_tokens_beside(since, now), 0, 0, (uint32_t)n);
                ifp_kv_decoded(tls, (uint32_t)n, s->prompt + s->made + (uint32_t)n, since, now);
                ifp_tokens_note((uint32_t)n, now);
        }
        s->made += (uint32_t)n;
        s->since = now;
        set_phase(IFP_PHASE_DECODE);
}

static void count(struct ifp_tls *tls, struct ifp_lane *lane, uint32_t counter, uint64_t n)
{
        const char *name;

        if (counter > IFP_MAX_COUNTERS) {
                __atomic_fetch_add(&ifp_seg->live.counters_refused, 1, __ATOMIC_RELAXED);
                return;
        }
        /* the most that there is stands for all that is more */
        if (tls->crowd)
                __atomic_fetch_add(&lane->counted[counter - 1], n > MOST ? MOST : n,
                                   __ATOMIC_RELAXED);
        else if (lane->counted[counter - 1] > UINT64_MAX - n)
                lane->counted[counter - 1] = UINT64_MAX;
        else
                ifp_local_add(&lane->counted[counter - 1], n);
        ifp_lane_add(&lane->counts[counter - 1], 1, tls->crowd);
        name = ifp_seg->names + ifp_seg->counters[counter - 1];
        if (*name != 't' && *name != 'p')
                return;
        if (tls->crowd || !n || n > UINT32_MAX / 2 || others_know())
                return;
        if (!ifp_strcmp(name, "tokens"))
                make_tokens(tls, n);
        else if (!ifp_strcmp(name, "prompt_tokens"))
                take_prompt(tls, n);
}

IFP_EXPORT void infprof_count(const char *name, uint64_t n)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = ifp_told_lane(tls);
        IFP_BUSY;

        if (lane)
                count(tls, lane, counter_of(name), n);
}

IFP_EXPORT void infprof_site_count(struct infprof_site *site, uint64_t n)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = ifp_told_lane(tls);
        IFP_BUSY;

        if (!lane)
                return;
        if (!site->number)
                __atomic_store_n(&site->number, counter_of(site->name), __ATOMIC_RELAXED);
        count(tls, lane, site->number, n);
}

/* ---- phases, results --------------------------------------------------------- */

IFP_EXPORT void infprof_phase(const char *name)
{
        static const char *const names[IFP_N_PHASES] = {"unknown", "load", "prefill", "decode",
                                                        "idle"};
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = ifp_told_lane(tls);
        uint32_t p = 0;
        IFP_BUSY;

        while (lane && name && p < IFP_N_PHASES && ifp_strcmp(names[p], name))
                p++;
        if (!lane || !name || p == IFP_N_PHASES)
                return;
        if (!tls->crowd && !others_know()) {
                struct sequence *s = sequence_of(tls);

                if (s->start && p != IFP_PHASE_PREFILL)
                        end_prompt(s, ifp_ticks());
                else if (!s->start && p == IFP_PHASE_PREFILL)
                        s->phase = ifp_ticks();
        }
        phase_told = true;
        ifp_phase_set(p);
}

IFP_EXPORT void infprof_result(int ok)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = ifp_told_lane(tls);
        struct sequence *s;
        IFP_BUSY;

        if (!lane)
                return;
        __atomic_fetch_add(ok ? &ifp_seg->live.requests_ok : &ifp_seg->live.requests_failed, 1,
                           __ATOMIC_RELAXED);
        if (tls->crowd || others_know())
                return;
        s = sequence_of(tls);
        if (s->start) {
                end_prompt(s, ifp_ticks());
                set_phase(IFP_PHASE_UNKNOWN);
        }
        s->start = s->phase = 0;
        s->since = ifp_ticks();
}

/* ---- instants ----------------------------------------------------------------- */

static void instant(uint32_t kind, const char *text)
{
        struct ifp_lane *lane = ifp_told_lane(&ifp_tls);
        struct ifp_instant *to;
        uint64_t n;
        IFP_BUSY;

        if (!lane)
                return;
        n = __atomic_fetch_add(&ifp_seg->live.n_instants, 1, __ATOMIC_RELAXED);
        to = &ifp_seg->instants[n % IFP_MAX_INSTANTS];
        __atomic_store_n(&to->number, 0, __ATOMIC_SEQ_CST);
        to->ticks = ifp_ticks();
        to->tid = ifp_tls.crowd ? (int32_t)IFP_SYS(gettid) : lane->tid;
        to->kind = kind;
        ifp_strcpy(to->text, text ? text : "", sizeof(to->text));
        __atomic_store_n(&to->number, n + 1, __ATOMIC_RELEASE);
}

IFP_EXPORT void infprof_text(const char *text)
{
        instant(IFP_INSTANT_TEXT, text);
}

IFP_EXPORT void infprof_mark(const char *name)
{
        instant(IFP_INSTANT_MARK, name);
}

/* ---- tiles ---------------------------------------------------------------------- */

IFP_EXPORT void infprof_tile_begin(int level, uint32_t row, uint32_t col)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = ifp_told_lane(tls);
        struct ifp_tile_row *t;

        if (!lane || tls->crowd || (uint32_t)level >= IFP_N_TILE_LEVELS)
                return;
        t = &lane->tiles[level];
        if (t->since)
                ifp_local_add(&t->unended, 1);
        t->row = row;
        t->col = col;
        *(volatile uint64_t *)&t->since = ifp_ticks();
}

/* The one that was begun last. */
static struct ifp_tile_row *innermost(struct ifp_lane *lane)
{
        struct ifp_tile_row *in = &lane->tiles[0];

        for (uint32_t level = 1; level < IFP_N_TILE_LEVELS; level++)
                if (lane->tiles[level].since && lane->tiles[level].since >= in->since)
                        in = &lane->tiles[level];
        return in->since ? in : NULL;
}

static void tile_over(struct ifp_tile_row *t, uint64_t ticks, uint64_t elements, uint64_t flops)
{
        if (!t->n || elements < t->least_elements)
                t->least_elements = elements;
        if (elements > t->most_elements)
                t->most_elements = elements;
        if (ticks > t->slowest) {
                t->slowest = ticks;
                t->slowest_row = t->row;
                t->slowest_col = t->col;
        }
        if (t->row >= t->rows)
                t->rows = t->row < UINT32_MAX ? t->row + 1 : UINT32_MAX;
        if (t->col >= t->cols)
                t->cols = t->col < UINT32_MAX ? t->col + 1 : UINT32_MAX;
        ifp_local_add(&t->ticks, ticks);
        ifp_local_add(&t->elements, elements);
        ifp_local_add(&t->flops, flops);
        ifp_local_add(&t->n, 1);
        t->since = 0;
}

IFP_EXPORT void infprof_tile_end(uint64_t elements, uint64_t flops)
{
        struct ifp_tls *tls = &ifp_tls;
        uint64_t now = ifp_ticks(), ticks;
        struct ifp_lane *lane = tls->busy || ifp_off || !ifp_alive() ? NULL : tls->lane;
        struct ifp_tile_row *t;

        if (!lane || tls->crowd)
                return;
        t = innermost(lane);
        if (!t) {
                __atomic_fetch_add(&ifp_seg->live.tiles_unmatched, 1, __ATOMIC_RELAXED);
                return;
        }
        ticks = now - t->since;
        tile_over(t, ticks > ifp_stamp ? ticks - ifp_stamp : 1, elements, flops);
}

/* What its parent was about is its parent's. */
void ifp_told_after_fork(void)
{
        lock = 0;
        n_sequences = 0;
        token_op = ttft_op = 0;
}
