/* SPDX-License-Identifier: MIT */
/*
 * The second's look at a process: what its threads have done by now, the sums
 * over all of them, the gauges, and how these moved since the look before.
 */
#include "daemon/process.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "daemon/lane.h"
#include "daemon/procfs.h"
#include "daemon/site.h"
#include "daemon/text.h"

#define NAMES_EVERY    16u  /* ticks: a thread may take another name */
#define THREADS_A_TICK 256u /* asked of /proc */
#define SITES_A_TICK   16u  /* resolved */
#define LEAST_TICK_NS  900000000ull

static int refresh_lanes(struct process *p, const char **ret_why)
{
        int r = 0;

        for (uint32_t i = 0; !r && i < lane_count(p); i++) {
                if (!p->lanes[i].thread)
                        thread_ledger_settle(p, &p->lanes[i], i);
                r = lane_refresh(p, &p->lanes[i], i, ret_why);
        }
        return r ? r : lane_refresh_crowd(p, ret_why);
}

static void count_callers(struct process *p, const struct thread *t)
{
        uint32_t last = UINT32_MAX;

        for (uint32_t k = 0; k < t->tally.n_rows; k++) {
                uint32_t op = t->tally.rows[k].key / IFP_N_PHASES;

                if (op != last && op < p->n_ops && figures_calls(&t->tally.rows[k].f)) {
                        p->ops[op].n_threads++;
                        last = op;
                }
        }
}

static void add_live(struct process *p, const struct thread *t)
{
        if (!t)
                return;
        tally_add_to(&t->tally, p->total, p->n_ops_room * IFP_N_PHASES);
        count_callers(p, t);
}

static void count_calls(struct process *p)
{
        uint64_t usable = 0, freed = 0;

        p->now.spans = p->now.untimed = 0;
        for (uint32_t k = 0; k < p->n_ops * IFP_N_PHASES; k++) {
                p->now.spans += p->total[k].timed;
                p->now.untimed += p->total[k].untimed;
                usable += p->total[k].usable_bytes;
                freed += p->total[k].freed_bytes;
        }
        p->now.live_bytes = (int64_t)(usable - freed + (uint64_t)p->heap.inherited_bytes);
        for (uint32_t op = 0; op < p->n_ops; op++) {
                uint64_t calls = 0;

                for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++)
                        calls += figures_calls(&p->total[op * IFP_N_PHASES + phase]);
                p->ops[op].calls_now = calls;
        }
}

/* From what is in memory: no more is read. */
void process_sum(struct process *p)
{
        memcpy(p->total, p->retired, p->n_ops_room * IFP_N_PHASES * sizeof(*p->total));
        for (uint32_t i = 0; i < p->n_ops; i++)
                p->ops[i].n_threads = p->ops[i].n_threads_ended;
        for (uint32_t i = 0; i < p->n_lanes; i++)
                add_live(p, p->lanes[i].thread);
        add_live(p, p->crowd.thread);
        count_calls(p);
}

/* A second is over: what moved in it. */
static void take_sparks(struct process *p)
{
        p->spark_at = (p->spark_at + 1) % PROCESS_SPARK;
        for (uint32_t i = 0; i < p->n_ops; i++) {
                struct op *op = &p->ops[i];
                uint64_t moved = op->calls_now - op->calls;

                op->spark[p->spark_at] = moved < UINT32_MAX ? (uint32_t)moved : UINT32_MAX;
                op->calls = op->calls_now;
        }
        for (uint32_t i = 0; i < p->n_sites; i++) {
                p->sites[i].before = p->sites[i].at_tick;
                p->sites[i].at_tick = p->sites[i].count;
        }
        rates_take(p);
        course_take(p);
        ledger_interval(p);
}

static uint64_t load(const uint64_t *p)
{
        return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* Time in each phase, the one that goes on included. */
static void take_phases(struct process *p, struct gauges *g)
{
        const struct ifp_live *live = &p->segment.map->live;
        uint64_t now = p->end_ticks ? p->end_ticks : ifp_ticks(), since = load(&live->phase_since);
        uint32_t phase = __atomic_load_n(&live->phase, __ATOMIC_RELAXED);

        g->phase = phase < IFP_N_PHASES ? phase : IFP_PHASE_UNKNOWN;
        if (since < p->clock.start_ticks)
                since = p->clock.start_ticks;
        for (uint32_t i = 0; i < IFP_N_PHASES; i++) {
                uint64_t ticks = load(&live->phase_ticks[i]);

                if (i == g->phase && now > since)
                        ticks += now - since;
                g->phase_ns[i] = clock_ns(&p->clock, ticks);
        }
}

static uint64_t bounded(uint64_t v)
{
        return v <= INT64_MAX ? v : INT64_MAX;
}

static void take_gauges(struct process *p)
{
        const struct ifp_live *live = &p->segment.map->live;
        struct gauges g = {
                .spans = p->now.spans, .untimed = p->now.untimed, .live_bytes = p->now.live_bytes};

        for (uint32_t i = 0; i < lane_count(p); i++) {
                g.folded += load(&p->segment.map->lanes[i].n_folded);
                g.left += load(&p->segment.map->lanes[i].n_left);
        }
        g.prompt_tokens = bounded(load(&live->prompt_tokens));
        g.generated_tokens = bounded(load(&live->generated_tokens));
        g.sequences = bounded(load(&live->n_sequences));
        g.spawns = bounded(load(&live->spawns));
        g.threads_live = bounded(load(&live->threads_live));
        g.threads_peak = bounded(load(&live->threads_peak));
        g.peak_bytes = __atomic_load_n(&live->peak_bytes, __ATOMIC_RELAXED);
        if (g.peak_bytes < g.live_bytes)
                g.peak_bytes = g.live_bytes;
        if (g.peak_bytes < p->now.peak_bytes)
                g.peak_bytes = p->now.peak_bytes;
        p->shim = (struct shim_counts){
                .fold_refused = bounded(load(&live->fold_refused)),
                .stubs_refused = bounded(load(&live->stubs_refused)),
                .ops_refused = bounded(load(&live->ops_refused)),
                .slots_patched = bounded(load(&live->slots_patched)),
                .spawns_unsited = bounded(load(&live->spawns_unsited)),
                .lanes_retaken = bounded(load(&live->lanes_retaken)),
        };
        take_phases(p, &g);
        p->dirty |= memcmp(&g, &p->in_file, offsetof(struct gauges, phase_ns)) != 0;
        p->now = g;
}

/* Names and CPU time of threads, where our numbers for them are the engine's own. */
static void ask_threads(struct process *p)
{
        uint32_t asked = 0;
        bool names = p->n_ticks % NAMES_EVERY == 0;

        if (p->segment.header.pid != p->pid || p->state != PROCESS_LIVE)
                return;
        for (uint32_t i = 0; i < lane_count(p) && asked < THREADS_A_TICK; i++) {
                struct thread *t = p->lanes[i].thread;
                char name[sizeof(t->name)];

                if (!t || !(t->dirty || names || !t->named))
                        continue;
                asked++;
                if ((names || !t->named) &&
                    procfs_thread_name(p->pid, t->tid, name, sizeof(name))) {
                        strcpy(t->name, name);
                        t->named = true;
                }
                (void)procfs_thread_cpu_ns(p->pid, t->tid, &t->cpu_ns);
        }
}

static int take_trouble(struct process *p)
{
        const struct ifp_live *live = &p->segment.map->live;

        if (p->reason || !__atomic_load_n(&live->trouble, __ATOMIC_ACQUIRE))
                return 0;
        p->reason = text_copy(live->trouble_text, sizeof(live->trouble_text));
        p->dirty = true;
        return p->reason ? 0 : -ENOMEM;
}

int process_tick(struct process *p, uint64_t now_ns, const char **ret_why)
{
        int r;

        clock_refine(&p->clock);
        r = kv_take(p, ret_why);
        if (!r)
                r = segment_count(&p->segment, &p->counts, ret_why);
        if (!r)
                r = process_take_ops(p, ret_why);
        if (!r)
                r = refresh_lanes(p, ret_why);
        if (!r)
                r = sites_take(p, p->end_ticks ? UINT32_MAX : SITES_A_TICK, ret_why);
        if (!r)
                r = shapes_take(p, ret_why);
        if (!r)
                r = layers_take(p, ret_why);
        if (!r)
                r = experts_take(p, ret_why);
        if (!r)
                r = surroundings_take(p, ret_why);
        if (!r)
                r = told_take(p, ret_why);
        if (!r)
                r = take_trouble(p);
        if (!r)
                r = heap_take(p, ret_why);
        if (!r)
                r = waits_take(p, ret_why);
        if (!r)
                r = ledger_take(p, ret_why);
        if (r)
                return r;
        ask_threads(p);
        kernel_take(p);
        process_sum(p);
        take_gauges(p);
        /* A look out of turn (before a report) moves the figures, not the clock of the rates. */
        if (now_ns - p->tick_ns < LEAST_TICK_NS)
                return 0;
        take_sparks(p);
        r = places_take(p, true);
        if (r)
                return r;
        p->segment_bytes = segment_resident(&p->segment);
        p->before = p->at_tick;
        p->at_tick = p->now;
        p->tick_before_ns = p->tick_ns;
        p->tick_ns = now_ns;
        p->n_ticks++;
        return 0;
}
