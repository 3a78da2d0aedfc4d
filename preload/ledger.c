/* SPDX-License-Identifier: MIT */
/*
 * The ledger: where the time of each decode step went. At the end of a step the thread that
 * decodes reads what every lane has added up so far, takes the difference to what stood there
 * at the end of the step before, and divides each thread's time in the step into rows.
 *
 * What a lane knows is exact and exclusive: time in outermost ops (the floor's child), self time of
 * ops that are calls, markers or graphs, time in waits by what was open around them. What is left
 * of the outermost ops is compute. The kernel's view (where it was not running though it could,
 * page faults, system calls) and the estimates (allocator, stamps) are then taken out of what they
 * fell into. Each part is cut at what is left of the whole, so the rows of a thread sum to its
 * time in the step, always.
 *
 * A span, wait or system call under way at that instant counts as far as it has come. It is
 * another thread's, read while it changes: an error there moves time between two steps or
 * two rows, never the sum.
 *
 * The critical path is the decoding thread's own time, where each wait for a thread that is
 * known is replaced by what that thread did in the step when it did not wait itself, in proportion.
 */
#include <infprof/kernel.h>

#include "preload/shim.h"

#include <time.h>

#define MAX_SPECIAL 64u /* ops that are calls, graphs or waits; more are taken for compute */
#define N_TOLD      6u  /* counts of the kernel */

const struct ifp_kernel_lane *ifp_kernel;

/* What a lane has added up so far. Ticks. */
struct reading {
        uint64_t lived, top, call, graph, wait_ops, spans, waits;
        uint64_t wait[IFP_N_STATES][IFP_N_WAIT_GROUPS];
        uint64_t alloc[IFP_N_STATES], spawn[IFP_N_STATES];
        uint64_t runnable[IFP_N_STATES], fault[IFP_N_STATES], syscall[IFP_N_STATES];
        uint64_t told[N_TOLD];
};
_Static_assert(IFP_N_STATES == IFP_KERNEL_STATES, "the same states");
#define N_WORDS (sizeof(struct reading) / sizeof(uint64_t))

/* What became of it in a step. */
struct part {
        uint64_t ticks;
        uint64_t rows[IFP_N_LEDGER];
};

static uint32_t special[MAX_SPECIAL], n_special;
static struct reading last[IFP_MAX_LANES];
static struct part parts[IFP_MAX_LANES];
static uint32_t settled_gen[IFP_MAX_LANES]; /* of a lane whose thread is gone, and read */
static uint32_t n_read;                     /* lanes that were ever read */
static uint64_t note_ticks; /* what the last note took: outside of all ops, in the next step */
static uint64_t last_end, last_allocs, last_alloc_bytes, last_spawns;
static uint64_t waited_for[IFP_MAX_LANES]; /* in this step, by the thread that decodes */

void ifp_ledger_op(uint32_t op, enum ifp_kind kind)
{
        if ((kind == IFP_KIND_CALL || kind == IFP_KIND_GRAPH || kind == IFP_KIND_WAIT) &&
            n_special < MAX_SPECIAL) {
                special[n_special] = op;
                __atomic_store_n(&n_special, n_special + 1, __ATOMIC_RELEASE);
        }
}

void ifp_ledger_waited(uint32_t lane, uint64_t ticks)
{
        if (lane < IFP_MAX_LANES)
                ifp_local_add(&waited_for[lane], ticks);
}

static uint64_t less(uint64_t a, uint64_t b)
{
        return a > b ? a - b : 0;
}

/* ---- reading a lane -------------------------------------------------------------- */

static void read_ops(const struct ifp_lane *lane, struct reading *r)
{
        uint32_t n = __atomic_load_n(&n_special, __ATOMIC_ACQUIRE);

        for (uint32_t i = 0; i < n; i++) {
                uint8_t kind = ifp_seg->ops[special[i]].kind;

                for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++) {
                        const struct ifp_time_row *row = &lane->time[special[i]][phase];
                        uint64_t total = ifp_word(&row->total);

                        if (kind == IFP_KIND_WAIT)
                                r->wait_ops += total;
                        else if (kind == IFP_KIND_GRAPH)
                                r->graph += less(total, ifp_word(&row->child));
                        else
                                r->call += less(total, ifp_word(&row->child));
                }
        }
}

/* Ops under way: each counts as far as it has come, less those inside it. */
static void read_open(struct ifp_lane *lane, uint64_t now, struct reading *r)
{
        uint64_t inner = now, start = 0;
        uint32_t n = 0;

        for (uint64_t i = ifp_word(&lane->top); i && i < sizeof(lane->open) && n < IFP_MAX_OPEN;
             n++) {
                const struct ifp_open *o = ifp_open_at(lane, i);
                uint64_t self = less(inner, ifp_word(&o->start)), around = ifp_open_prev(lane, o);
                uint32_t kind = ifp_seg->ops[ifp_open_op(o) % IFP_MAX_OPS].kind;

                start = ifp_word(&o->start);
                self = less(self, o->child & IFP_TICKS_MASK);
                if (kind == IFP_KIND_CALL || kind == IFP_KIND_MARKER)
                        r->call += self;
                else if (kind == IFP_KIND_GRAPH)
                        r->graph += self;
                else if (kind == IFP_KIND_WAIT)
                        r->wait_ops += self;
                inner = start;
                if (around >= i)
                        break;
                i = around;
        }
        if (n)
                r->top += less(now, start);
}

static void read_waits(const struct ifp_lane *lane, uint64_t now, struct reading *r)
{
        const struct ifp_lane_waits *w = &lane->waits;
        uint64_t since = ifp_word(&w->since);

        for (uint32_t s = 0; s < IFP_N_STATES; s++) {
                for (uint32_t g = 0; g < IFP_N_WAIT_GROUPS; g++)
                        r->wait[s][g] = ifp_word(&w->in_state[s][g]);
                r->alloc[s] = ifp_word(&w->alloc_ticks[s]);
                r->spawn[s] = ifp_word(&w->spawn_ticks[s]);
        }
        for (uint32_t k = 0; k < IFP_N_WAIT_KINDS; k++)
                r->waits += ifp_word(&w->count[k]);
        if (since && since < now) {
                uint32_t state = ifp_state_here(lane);

                if (state != IFP_STATE_WAIT) /* its op says it already */
                        r->wait[state][ifp_wait_group(w->kind)] +=
                                less(now - since, ifp_word(&w->inner));
        }
}

/* ns of the kernel's clock as ticks of ours: `per_ns` is in units of 2^-30, room for 17 GHz. */
static uint64_t ticks_of(uint64_t ns, uint64_t per_ns)
{
        return (uint64_t)((unsigned __int128)ns * per_ns >> 30);
}

static void copy_told(struct ifp_kernel_lane *to, const struct ifp_kernel_lane *from)
{
        for (int tries = 0; tries < 4; tries++) {
                uint64_t seq = __atomic_load_n(&from->seq, __ATOMIC_ACQUIRE);

                ifp_copy(to, from, sizeof(*to));
                __atomic_thread_fence(__ATOMIC_ACQUIRE);
                if (!(seq & 1) && seq == __atomic_load_n(&from->seq, __ATOMIC_RELAXED))
                        return;
        }
}

static void read_kernel(uint32_t i, uint64_t now_ns, uint64_t per_ns, struct reading *r)
{
        struct ifp_kernel_lane k;
        uint32_t s;

        copy_told(&k, &ifp_kernel[i]);
        s = k.state < IFP_N_STATES ? k.state : IFP_STATE_NONE;
        if (k.now == IFP_KERNEL_RUNNABLE)
                k.runnable[s] += less(now_ns, k.since);
        if (k.sys_since)
                k.syscall[s] += less(now_ns, k.sys_since);
        if (k.fault_since)
                k.fault[s] += less(now_ns, k.fault_since);
        for (s = 0; s < IFP_N_STATES; s++) {
                r->runnable[s] = ticks_of(k.runnable[s], per_ns);
                r->fault[s] = ticks_of(less(k.fault[s], k.fault_runnable[s]), per_ns);
                r->syscall[s] = ticks_of(less(k.syscall[s], k.syscall_runnable[s]), per_ns);
        }
        r->told[0] = k.voluntary;
        r->told[1] = k.involuntary;
        r->told[2] = k.migrations;
        r->told[3] = k.minor_faults;
        r->told[4] = k.major_faults;
        r->told[5] = k.syscalls;
}

static void read_lane(uint32_t i, bool live, uint64_t now, struct reading *r)
{
        struct ifp_lane *lane = &ifp_seg->lanes[i];

        r->lived = ifp_word(&lane->waits.lived_ticks);
        r->top = ifp_word(&lane->open[0].child);
        r->spans = ifp_word(&lane->writer.head) + ifp_word(&lane->n_folded);
        read_ops(lane, r);
        r->call += ifp_word(&lane->marker_self);
        read_waits(lane, live ? now : 0, r);
        if (live) {
                r->lived += less(now, ifp_word(&lane->start_ticks));
                read_open(lane, now, r);
        }
}

/* ---- from a difference to rows ------------------------------------------------------ */

/* Takes what there is of `n` out of `*from`. */
static uint64_t take(uint64_t *from, uint64_t n)
{
        n = n < *from ? n : *from;
        *from -= n;
        return n;
}

/* What stamps cost lies around kernels, in what calls them: in graphs, else calls, else kernels. */
static uint64_t take_cost(uint64_t n, uint64_t *a, uint64_t *b, uint64_t *c)
{
        uint64_t taken = take(a, n);

        taken += take(b, n - taken);
        return taken + take(c, n - taken);
}

/* Of the time spent with one thing open: what else it was. The rest is returned. */
static uint64_t divide(uint64_t ticks, uint32_t state, const struct reading *d,
                       uint64_t waits[IFP_N_WAIT_GROUPS], uint64_t *rows)
{
        for (uint32_t g = 0; g < IFP_N_WAIT_GROUPS; g++)
                waits[g] += take(&ticks, d->wait[state][g]);
        rows[IFP_LEDGER_RUNNABLE] += take(&ticks, d->runnable[state]);
        rows[IFP_LEDGER_FAULT] += take(&ticks, d->fault[state]);
        rows[IFP_LEDGER_SYSCALL] += take(&ticks, d->syscall[state]);
        rows[IFP_LEDGER_ALLOC] += take(&ticks, d->alloc[state]);
        rows[IFP_LEDGER_SPAWN] += take(&ticks, d->spawn[state]);
        return ticks;
}

/* The rows of one thread, `ticks` of whose life lie in the step. They sum to `ticks`. */
static void make_rows(const struct reading *d, uint64_t ticks, bool own, uint64_t *rows)
{
        uint64_t waits[IFP_N_WAIT_GROUPS] = {0}, rest = ticks, compute, call, graph, none, late;
        uint64_t stamps = d->spans * ifp_seg->header.span_ticks, top = take(&rest, d->top);

        waits[IFP_GROUP_BARRIER] = take(&top, d->wait_ops);
        call = divide(take(&top, d->call), IFP_STATE_CALL, d, waits, rows);
        graph = divide(take(&top, d->graph), IFP_STATE_GRAPH, d, waits, rows);
        compute = divide(top, IFP_STATE_COMPUTE, d, waits, rows);
        none = divide(rest, IFP_STATE_NONE, d, waits, rows);
        /* Runnable while it waited, or in the allocator: of that, the wait itself was over. */
        late = d->runnable[IFP_STATE_WAIT];
        for (uint32_t g = IFP_N_WAIT_GROUPS; g-- > 0;) {
                uint64_t n = take(&waits[g], late);

                late -= n;
                rows[IFP_LEDGER_RUNNABLE] += n;
                rows[IFP_LEDGER_BARRIER + g] += waits[g];
        }
        late = d->runnable[IFP_STATE_ALLOC];
        for (uint32_t r = IFP_LEDGER_ALLOC; r <= IFP_LEDGER_SPAWN; r++) {
                uint64_t n = take(&rows[r], late);

                late -= n;
                rows[IFP_LEDGER_RUNNABLE] += n;
        }
        rows[IFP_LEDGER_PROFILER] = take_cost(stamps, &graph, own ? &call : &none, &compute);
        if (own)
                rows[IFP_LEDGER_PROFILER] += take(&none, note_ticks);
        rows[IFP_LEDGER_COMPUTE] += compute;
        rows[IFP_LEDGER_OUTSIDE] += call + (own ? none : 0);
        rows[IFP_LEDGER_UNACCOUNTED] += graph + (own ? 0 : none);
}
_Static_assert(IFP_LEDGER_BARRIER + IFP_GROUP_LOCK == IFP_LEDGER_LOCK &&
                       IFP_LEDGER_BARRIER + IFP_GROUP_OTHER == IFP_LEDGER_WAIT,
               "groups are rows");

static bool is_wait_row(uint32_t row)
{
        return row >= IFP_LEDGER_BARRIER && row <= IFP_LEDGER_WAIT;
}

/*
 * `ticks` of waiting for that thread become what it did, but no more than all it did: for the rest
 * it waited itself. Returns what could not be replaced.
 */
static uint64_t replace(uint64_t ticks, const struct part *by, uint64_t *rows)
{
        uint64_t busy = 0, moved, left = ticks;

        for (uint32_t r = 0; r < IFP_N_LEDGER; r++)
                busy += is_wait_row(r) ? 0 : by->rows[r];
        if (!busy)
                return ticks;
        moved = ticks < busy ? ticks : busy;
        for (uint32_t r = 0; r < IFP_N_LEDGER; r++) {
                uint64_t share, n; /* share: in units of 2^-20 */

                if (is_wait_row(r))
                        continue;
                share = busy < 1ull << 43 ? (by->rows[r] << 20) / busy : by->rows[r] / (busy >> 20);
                n = (uint64_t)((unsigned __int128)moved * share >> 20);
                rows[r] += take(&left, n);
        }
        return left;
}

static void make_critical(uint32_t own_lane, const uint64_t *own, uint64_t *rows)
{
        uint64_t waits = 0, kept = 0;

        for (uint32_t r = 0; r < IFP_N_LEDGER; r++) {
                waits += is_wait_row(r) ? own[r] : 0;
                rows[r] = is_wait_row(r) ? 0 : own[r];
        }
        for (uint32_t i = 0; i < n_read; i++) {
                uint64_t n = i == own_lane ? 0 : take(&waits, waited_for[i]);

                if (n)
                        kept += replace(n, &parts[i], rows);
                waited_for[i] = 0;
        }
        /* Nobody is known who could have ended these sooner. */
        kept += waits;
        for (uint32_t r = IFP_LEDGER_BARRIER; r <= IFP_LEDGER_WAIT; r++)
                rows[r] = take(&kept, own[r]);
}

/* ---- a step --------------------------------------------------------------------------- */

static struct ifp_token_record record;

static void subtract(struct reading *d, const struct reading *a, const struct reading *b)
{
        for (uint32_t i = 0; i < N_WORDS; i++)
                ((uint64_t *)d)[i] = less(((const uint64_t *)a)[i], ((const uint64_t *)b)[i]);
}

static uint32_t add32(uint32_t a, uint64_t b)
{
        return b < UINT32_MAX - a ? a + (uint32_t)b : UINT32_MAX - 1;
}

static void add_part(uint32_t i, const struct reading *d, uint64_t ticks, bool own)
{
        struct ifp_lane_ledger *l = &ifp_seg->lanes[i].ledger;
        struct part *p = &parts[i];
        uint32_t *told[N_TOLD] = {&record.voluntary,    &record.involuntary,  &record.migrations,
                                  &record.minor_faults, &record.major_faults, &record.syscalls};

        p->ticks = ticks;
        make_rows(d, ticks, own, p->rows);
        record.n_threads++;
        record.all_ticks += ticks;
        record.waits = add32(record.waits, d->waits);
        for (uint32_t k = 0; k < N_TOLD; k++)
                *told[k] = ifp_kernel ? add32(*told[k], d->told[k]) : UINT32_MAX;
        l->steps++;
        l->wall_ticks += ticks;
        for (uint32_t r = 0; r < IFP_N_LEDGER; r++) {
                l->rows[r] += p->rows[r];
                record.rows[IFP_LEDGER_ALL][r] += p->rows[r];
                if (own)
                        record.rows[IFP_LEDGER_OWN][r] = p->rows[r];
        }
}

/* Reads all lanes; `step`: and divides what came since the last time. */
static void read_all(const struct ifp_tls *tls, uint64_t now, bool step)
{
        uint32_t n = __atomic_load_n(&ifp_seg->live.n_lanes_used, __ATOMIC_ACQUIRE);
        uint64_t per_ns = (ifp_seg->header.ticks_per_second << 30) / 1000000000u, now_ns = 0;
        struct timespec ts = {0};

        if (ifp_kernel) {
                IFP_SYS(clock_gettime, CLOCK_MONOTONIC, &ts);
                now_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
        }
        for (uint32_t i = 0; i < n; i++) {
                const struct ifp_lane *lane = &ifp_seg->lanes[i];
                uint32_t state = __atomic_load_n(&lane->state, __ATOMIC_ACQUIRE);
                bool live = state == IFP_LANE_LIVE, own = lane == tls->lane;
                struct reading r = {0}, d;

                parts[i] = (struct part){0};
                if (!live && settled_gen[i] == lane->gen)
                        continue;
                settled_gen[i] = live ? 0 : lane->gen;
                read_lane(i, live, now, &r);
                if (ifp_kernel)
                        read_kernel(i, now_ns, per_ns, &r);
                subtract(&d, &r, &last[i]);
                last[i] = r;
                if (step && (own || d.lived))
                        add_part(i, &d, own ? now - last_end : d.lived, own);
        }
        n_read = n > n_read ? n : n_read;
}

static void publish(void)
{
        struct ifp_ledger_sums *s = &ifp_seg->ledger;

        s->steps++;
        s->tokens += record.n_tokens;
        s->wall_ticks += record.end - record.start;
        s->all_ticks += record.all_ticks;
        s->kernel = ifp_kernel != NULL;
        for (uint32_t w = 0; w < IFP_N_LEDGER_WHO; w++)
                for (uint32_t r = 0; r < IFP_N_LEDGER; r++)
                        s->rows[w][r] += record.rows[w][r];
        if (s->head - __atomic_load_n(&s->tail, __ATOMIC_ACQUIRE) >= IFP_TOKEN_RING) {
                s->dropped++;
        } else {
                struct ifp_token_record *to = &ifp_seg->token_ring[s->head % IFP_TOKEN_RING];

                ifp_copy((uint8_t *)to + sizeof(to->number),
                         (const uint8_t *)&record + sizeof(to->number),
                         sizeof(*to) - sizeof(to->number));
                __atomic_store_n(&to->number, s->head + 1, __ATOMIC_RELEASE);
                __atomic_store_n(&s->head, s->head + 1, __ATOMIC_RELEASE);
        }
}

void ifp_ledger_note(struct ifp_tls *tls, uint32_t n, uint64_t now, uint64_t allocs,
                     uint64_t alloc_bytes)
{
        struct ifp_ledger_sums *s = &ifp_seg->ledger;
        uint64_t spawns = __atomic_load_n(&ifp_seg->live.spawns, __ATOMIC_RELAXED);
        uint64_t begun = ifp_ticks();
        bool step = n && last_end;

        if (!(ifp_seg->header.flags & IFP_HEADER_WAITS) || tls->crowd || !tls->lane)
                return;
        tls->decodes = 1;
        /* Of two that decode side by side, one was stamped first and is here second. */
        if (now < last_end)
                now = last_end;
        record = (struct ifp_token_record){
                .start = last_end,
                .end = now,
                .n_tokens = n,
                .lane = tls->lane_number,
                .allocs = less(allocs, last_allocs),
                .alloc_bytes = less(alloc_bytes, last_alloc_bytes),
                .spawns = add32(0, less(spawns, last_spawns)),
        };
        __atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_SEQ_CST);
        read_all(tls, now, step);
        if (step) {
                make_critical(record.lane, record.rows[IFP_LEDGER_OWN],
                              record.rows[IFP_LEDGER_CRITICAL]);
                publish();
        }
        __atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_SEQ_CST);
        for (uint32_t i = 0; !step && i < IFP_MAX_LANES; i++) /* a parent process's, too */
                waited_for[i] = 0;
        last_end = now;
        last_allocs = allocs;
        last_alloc_bytes = alloc_bytes;
        last_spawns = spawns;
        note_ticks = less(ifp_ticks(), begun);
}

void ifp_ledger_after_fork(void)
{
        ifp_kernel = NULL;
        last_end = note_ticks = 0;
        for (uint32_t i = 0; i < n_read; i++) {
                last[i] = (struct reading){0};
                settled_gen[i] = 0;
        }
        n_read = 0;
}
