/* SPDX-License-Identifier: MIT */
/*
 * From what the daemon holds to rows of the run file. Rows are whole: each
 * says all that is known under its key and replaces what stood there. So a
 * writing that failed is made good by the next one, and only has to be remembered.
 *
 * Marks of "written" are set when the commit is through, never before.
 */
#include "daemon/flush.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/flush-private.h"
#include "daemon/pattern.h"
#include "daemon/lane.h"

static uint64_t ns(const struct process *p, uint64_t ticks)
{
        return clock_ns(&p->clock, ticks);
}

struct runfile_alloc flush_alloc_of(const struct figures *f)
{
        return (struct runfile_alloc){
                .calls = flush_sane(f->alloc_calls),
                .asked_bytes = flush_sane(f->asked_bytes),
                .usable_bytes = flush_sane(f->usable_bytes),
                .frees = flush_sane(f->frees),
                .freed_bytes = flush_sane(f->freed_bytes),
                .failed = flush_sane(f->alloc_failed),
                .maps = flush_sane(f->maps),
                .mapped_bytes = flush_sane(f->mapped_bytes),
        };
}

static int put_process(struct run *run, const struct process *p)
{
        const struct gauges *g = &p->now;
        const struct ifp_header *h = &p->segment.header;
        struct runfile_process row = {
                .index = p->index,
                .uuid = p->uuid,
                .pid = p->pid,
                .ppid = p->ppid,
                .command = p->command,
                .exe = p->exe,
                .started_at_ns = flush_sane(h->start_real_ns),
                .duration_ns = process_duration_ns(p),
                .ticks_per_second = clock_per_second(&p->clock),
                .end = p->end,
                .end_value = p->end_value,
                .reason = p->reason,
                .trivial = p->trivial,
                .waits = (p->segment.header.flags & IFP_HEADER_WAITS) != 0,
                .spans = flush_sane(g->spans),
                .folded = flush_sane(g->folded),
                .lost = flush_sane(process_lost(p)),
                .left = flush_sane(g->left),
                .open = flush_sane(p->open),
                .untimed = flush_sane(g->untimed),
                .unseen = flush_sane(p->unseen + p->in_flight),
                .fold_refused = p->shim.fold_refused,
                .stubs_refused = p->shim.stubs_refused,
                .ops_refused = p->shim.ops_refused,
                .slots_patched = p->shim.slots_patched,
                .spawns_unsited = p->shim.spawns_unsited,
                .lanes_retaken = p->shim.lanes_retaken,
                .overhead_ns_per_span_x1000 =
                        ns(p, h->span_ticks < 1000000 ? h->span_ticks * 1000 : 0),
                .stamp_ps = ns(p, h->stamp_ticks < 1000000 ? h->stamp_ticks * 1000 : 0),
                .segment_bytes = p->segment_bytes,
                .threads_live = g->threads_live,
                .threads_peak = g->threads_peak,
                .spawns = g->spawns,
                .live_bytes = g->live_bytes,
                .peak_bytes = g->peak_bytes,
                .prompt_tokens = g->prompt_tokens,
                .generated_tokens = g->generated_tokens,
                .sequences = g->sequences,
                .phase = g->phase,
        };

        memcpy(row.phase_ns, g->phase_ns, sizeof(row.phase_ns));
        flush_heap_process(p, &row);
        row.blas_core = p->shapes.blas_core;
        return runfile_put_process(run->file, &row);
}

/* Changes whenever a row of the op's phase would look different. */
static uint64_t mark_of(const struct figures *f)
{
        return 1 + f->timed + f->untimed + f->alloc_calls + f->frees + f->alloc_failed + f->maps +
               f->mapped_bytes;
}

static int put_op_phase(struct run *run, const struct process *p, uint32_t op, uint32_t phase)
{
        static uint64_t buckets[IFP_HIST_BUCKETS];
        const struct figures *f = &p->total[op * IFP_N_PHASES + phase];
        double scale = p->clock.ns_per_tick * p->clock.ns_per_tick;
        struct process_hist h;
        struct runfile_op_phase row;

        process_hist(p, op, phase, buckets, &h);
        row = (struct runfile_op_phase){
                .process = p->index,
                .op = op,
                .phase = phase,
                .timed = flush_sane(f->timed),
                .untimed = flush_sane(f->untimed),
                .total_ns = ns(p, f->total),
                .child_ns = ns(p, f->child),
                .min_ns = h.count ? ns(p, h.min) : UINT64_MAX,
                .max_ns = h.count ? ns(p, h.max) : 0,
                .sumsq_ns2 = h.sumsq * scale,
                .left = flush_sane(h.left),
                .folded = flush_sane(h.folded),
                .alloc = flush_alloc_of(f),
                .hist = h.count ? buckets : NULL,
        };
        return runfile_put_op_phase(run->file, &row);
}

static bool op_moved(const struct process *p, uint32_t op)
{
        for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++)
                if (mark_of(&p->total[op * IFP_N_PHASES + phase]) != 1)
                        return true;
        return false;
}

static int put_op(struct run *run, const struct process *p, uint32_t i)
{
        const struct op *op = &p->ops[i];
        struct runfile_op row = {
                .process = p->index,
                .op = i,
                .name = op->name,
                .kernel = op->kernel,
                .library = op->library,
                .kind = op->kind,
                .hot = op->hot,
                .threads = op->n_threads,
        };
        int r;

        r = runfile_put_op(run->file, &row);
        for (uint32_t phase = 0; !r && phase < IFP_N_PHASES; phase++) {
                uint64_t mark = mark_of(&p->total[i * IFP_N_PHASES + phase]);

                if (mark != 1 && (mark != op->written_mark[phase] || p->write_all))
                        r = put_op_phase(run, p, i, phase);
        }
        return r;
}

static bool op_changed(const struct process *p, uint32_t i)
{
        const struct op *op = &p->ops[i];

        if (!op_moved(p, i))
                return false;
        for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++)
                if (mark_of(&p->total[i * IFP_N_PHASES + phase]) != op->written_mark[phase])
                        return true;
        return p->write_all;
}

static int put_thread_ops(struct run *run, const struct process *p, const struct thread *t)
{
        int r = 0;

        for (uint32_t k = 0; !r && k < t->tally.n_rows; k++) {
                const struct figures *f = &t->tally.rows[k].f;
                struct thread_range none = {.min = UINT64_MAX, .max = 0};
                struct thread_range range = t->ranges ? t->ranges[k] : none;
                struct runfile_thread_op row = {
                        .process = p->index,
                        .thread = t->index,
                        .op = t->tally.rows[k].key / IFP_N_PHASES,
                        .phase = t->tally.rows[k].key % IFP_N_PHASES,
                        .timed = flush_sane(f->timed),
                        .untimed = flush_sane(f->untimed),
                        .total_ns = ns(p, f->total),
                        .child_ns = ns(p, f->child),
                        .min_ns = range.min == UINT64_MAX ? UINT64_MAX : ns(p, range.min),
                        .max_ns = ns(p, range.max),
                        .alloc = flush_alloc_of(f),
                };

                r = runfile_put_thread_op(run->file, &row);
        }
        return r;
}

/* What it asked the kernel itself, which no look before can know. A thread without any fault is
 * none that asked. */
static void told_at_its_end(const struct thread *t, struct runfile_thread *row)
{
        const struct thread_waits *w = &t->waits;

        if (!t->ended || !(w->minor_faults | w->major_faults))
                return;
        row->voluntary = flush_sane(w->voluntary);
        row->involuntary = flush_sane(w->involuntary);
        row->minor_faults = flush_sane(w->minor_faults);
        row->major_faults = flush_sane(w->major_faults);
}

static int put_thread(struct run *run, const struct process *p, const struct thread *t)
{
        struct runfile_thread row = {
                .process = p->index,
                .thread = t->index,
                .tid = t->tid,
                .parent_tid = t->parent_tid,
                .name = t->name,
                .started_ns = clock_since_start_ns(&p->clock, t->start_ticks),
                .ended_ns = t->ended ? clock_since_start_ns(&p->clock, t->end_ticks) : UINT64_MAX,
                .site = t->site,
                .spans = flush_sane(t->sum.timed),
                .folded = flush_sane(t->folded),
                .cpu_ns = t->cpu_ns == UINT64_MAX ? UINT64_MAX : flush_sane(t->cpu_ns),
                .alloc = flush_alloc_of(&t->sum),
                .running_ns = RUNFILE_NOT_TOLD,
                .runnable_ns = RUNFILE_NOT_TOLD,
                .fault_ns = RUNFILE_NOT_TOLD,
                .syscall_ns = RUNFILE_NOT_TOLD,
                .voluntary = RUNFILE_NOT_TOLD,
                .involuntary = RUNFILE_NOT_TOLD,
                .migrations = RUNFILE_NOT_TOLD,
                .minor_faults = RUNFILE_NOT_TOLD,
                .major_faults = RUNFILE_NOT_TOLD,
                .syscalls = RUNFILE_NOT_TOLD,
                .cpu = RUNFILE_NOT_TOLD,
        };
        int r;

        for (unsigned i = 0; i < IFP_N_BLOCK_KINDS; i++)
                row.blocked_ns[i] = RUNFILE_NOT_TOLD;
        kernel_thread_figures(p, t, &row);
        if (p->kernel.view != RUNFILE_VIEW_BPF)
                told_at_its_end(t, &row);
        r = runfile_put_thread(run->file, &row);
        return r ? r : put_thread_ops(run, p, t);
}

/* Those beyond the table, ended and living, as one. */
static int put_later(struct run *run, const struct process *p)
{
        struct thread sum;
        int r = 0;

        if (!p->later)
                return 0;
        sum = *p->later;
        sum.tally = (struct tally){0};
        sum.ranges = NULL;
        sum.ended = p->state != PROCESS_LIVE;
        sum.end_ticks = p->end_ticks;
        r = tally_merge(&sum.tally, &p->later->tally);
        for (uint32_t i = 0; !r && i < p->n_lanes; i++) {
                const struct thread *t = p->lanes[i].thread;

                if (!t || t->index != PROCESS_MAX_THREADS)
                        continue;
                r = tally_merge(&sum.tally, &t->tally);
                thread_waits_add(&sum, t);
                sum.folded += t->folded;
                tally_figures_add(&sum.sum, &t->sum);
        }
        if (!r)
                r = put_thread(run, p, &sum);
        if (!r)
                r = flush_thread_waits(run, p, &sum);
        if (!r && p->ledger && sum.ledger.steps)
                r = flush_thread_ledger(run, p, &sum);
        tally_done(&sum.tally);
        return r;
}

_Static_assert(RUNFILE_LATER == PROCESS_MAX_THREADS, "as readers know it");

static int put_threads(struct run *run, const struct process *p)
{
        int r = 0;

        for (uint32_t i = 0; !r && i < p->n_threads; i++)
                if (p->threads[i]->dirty)
                        r = put_thread(run, p, p->threads[i]);
        return r ? r : put_later(run, p);
}

static int put_sites(struct run *run, const struct process *p)
{
        int r = 0;

        for (uint32_t i = 0; !r && i < p->n_sites; i++) {
                const struct site *s = &p->sites[i];
                struct runfile_site row = {
                        .process = p->index,
                        .site = i,
                        .function = s->function,
                        .library = s->library,
                        .offset = flush_sane(s->offset),
                        .count = flush_sane(s->count),
                };

                if (s->count != s->written_count || p->write_all)
                        r = runfile_put_site(run->file, &row);
        }
        return r;
}

/* The timeline: what moved in the second that it is now, or since the last row. */
static int put_second(struct run *run, const struct process *p, uint64_t second)
{
        const struct gauges *g = &p->now;
        const struct gauges *b = second == p->second ? &p->second_base : &p->in_file;
        struct runfile_second row = {
                .process = p->index,
                .second = second,
                .spans = flush_sane(g->spans - b->spans),
                .prompt_tokens = flush_sane(g->prompt_tokens - b->prompt_tokens),
                .generated_tokens = flush_sane(g->generated_tokens - b->generated_tokens),
                .spawns = flush_sane(g->spawns - b->spawns),
                .live_bytes = g->live_bytes,
                .threads_live = (uint32_t)g->threads_live,
                .phase = g->phase,
        };

        return runfile_put_second(run->file, &row);
}

static int put_all_of(struct run *run, const struct process *p, uint64_t second)
{
        int r;

        r = put_process(run, p);
        for (uint32_t i = 0; !r && i < p->n_ops; i++)
                if (op_changed(p, i))
                        r = put_op(run, p, i);
        if (!r)
                r = put_threads(run, p);
        if (!r)
                r = put_sites(run, p);
        if (!r)
                r = flush_shapes(run, p);
        if (!r)
                r = flush_layers(run, p);
        if (!r)
                r = flush_experts(run, p);
        if (!r)
                r = flush_told(run, p);
        if (!r)
                r = flush_series(run, p);
        if (!r)
                r = flush_waits(run, p);
        if (!r)
                r = flush_ledger(run, p);
        if (!r)
                r = flush_kv(run, p);
        if (!r)
                r = put_second(run, p, second);
        if (!r)
                r = flush_heap(run, p, second);
        if (!r)
                r = flush_kernel(run, p);
        if (!r)
                r = flush_surroundings(run, p);
        if (!r)
                r = pattern_put_notes(run->file, p);
        return r;
}

/* An ended thread's rows are in the file now, and final. */
static void thread_written(struct thread *t)
{
        t->dirty = false;
        if (!t->ended)
                return;
        tally_done(&t->tally);
        free(t->ranges);
        t->ranges = NULL;
}

static void mark_written(struct process *p, uint64_t second)
{
        for (uint32_t i = 0; i < p->n_ops; i++)
                for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++)
                        p->ops[i].written_mark[phase] =
                                mark_of(&p->total[i * IFP_N_PHASES + phase]);
        for (uint32_t i = 0; i < p->n_threads; i++)
                if (p->threads[i]->dirty)
                        thread_written(p->threads[i]);
        for (uint32_t i = 0; i < p->n_sites; i++)
                p->sites[i].written_count = p->sites[i].count;
        if (second != p->second) {
                p->second = second;
                p->second_base = p->in_file;
        }
        p->in_file = p->now;
        flush_shapes_written(p);
        flush_layers_written(p);
        flush_experts_written(p);
        flush_told_written(p);
        flush_series_written(p);
        flush_waits_written(p);
        flush_ledger_written(p);
        flush_kv_written(p);
        flush_heap_written(p);
        flush_kernel_written(p);
        flush_surroundings_written(p);
        p->write_all = p->dirty = false;
}

int flush_run(struct run *run, struct process *processes, char **ret_why)
{
        uint64_t second = run_duration_ns(run) / 1000000000ull;
        struct runfile_run row;
        int r, e;

        r = runfile_begin(run->file);
        if (r) {
                (void)runfile_commit(run->file, ret_why);
                return r;
        }
        run_describe(run, &row);
        r = runfile_put_run(run->file, &row);
        if (!r)
                r = flush_beginning(run);
        for (struct process *p = processes; p && !r; p = p->next)
                if (p->run == run && p->dirty)
                        r = put_all_of(run, p, second);
        e = runfile_commit(run->file, ret_why); /* says why, where a put failed */
        if (r || e)
                return r ? r : e;
        for (struct process *p = processes; p; p = p->next)
                if (p->run == run && p->dirty)
                        mark_written(p, second);
        run->dirty = false;
        return 0;
}
