/* SPDX-License-Identifier: MIT */
/*
 * The sentences of the memory document's `notes`: what is different about the figures of this run,
 * and how much.
 */
#include "common/report-memory-private.h"

#include <math.h>
#include <stdio.h>

#include "common/fmt.h"
#include "common/report-private.h"

static uint64_t rounded(double v)
{
        return v > 0 && v < 9e18 ? (uint64_t)llround(v) : 0;
}

static void note_window(json_t *notes, const struct memory *m)
{
        if (!m->windowed)
                return;
        report_note(notes, "between two marks, what is in use is by how much it grew, and may be "
                           "less than nothing; its error, the peak, threads and figures per token "
                           "are not known there");
        if (m->n_unmarked)
                report_note(notes,
                            "%zu process%s had begun before a mark and have it not: they count as "
                            "begun after it",
                            m->n_unmarked, m->n_unmarked > 1 ? "es" : "");
}

static void note_estimates(json_t *notes, const struct memory *m, uint64_t interval, bool mixed)
{
        char a[FMT_SIZE], b[FMT_SIZE], c[FMT_SIZE];
        double sums[N_SUMS];

        if (!interval) {
                report_note(notes,
                            "no allocations were sampled (heap interval 0): nothing is known "
                            "of stacks, categories and leaks; counts are exact");
                return;
        }
        if (mixed)
                report_note(notes, "processes of this run were sampled at different intervals");
        memory_sum_stacks(m, sums);
        if (sums[SUM_SAMPLES] < 0.5 && interval > 1)
                report_note(notes,
                            "no allocation was sampled, at one in %s on average: little was "
                            "allocated, and of stacks, categories and leaks nothing is known "
                            "(record --heap-interval 1 takes each); counts are exact",
                            fmt_bytes(a, (int64_t)interval));
        else if (interval > 1 || mixed)
                report_note(notes,
                            "stacks, categories and leaks are estimates, from one sample in %s "
                            "allocated on average: together they say %s were allocated, and two "
                            "times in three are less than %s off; other counts and bytes are exact",
                            fmt_bytes(a, (int64_t)interval),
                            fmt_bytes(b, (int64_t)rounded(sums[SUM_ALLOC_BYTES])),
                            fmt_bytes(c, (int64_t)rounded(sqrt(sums[SUM_ALLOC_BYTES_VAR]))));
        if (sums[SUM_INHERITED_BYTES] > 0)
                report_note(notes,
                            "%s in use were there already when a process was forked: they count in "
                            "stacks, categories, leaks and live bytes of both",
                            fmt_bytes(a, (int64_t)rounded(sums[SUM_INHERITED_BYTES])));
}

static void note_samples(json_t *notes, const struct memory *m)
{
        uint64_t samples = 0, other = 0, one = 0, untracked = 0;
        size_t n_cut = 0;
        bool missing = false;
        char a[FMT_SIZE], b[FMT_SIZE];

        for (size_t i = 0; i < m->model.n_processes; i++) {
                const struct runfile_process *p = &m->model.processes[i];

                samples = sum_u64(samples, p->samples);
                other = sum_u64(other, p->samples_other);
                one = sum_u64(one, p->samples_short);
                untracked = sum_u64(untracked, p->samples_untracked);
                missing |= p->unwinding == 2;
        }
        for (size_t i = 0; i < m->stacks.n_stacks; i++)
                n_cut += m->stacks.stacks[i].cut;
        if (missing)
                report_note(notes, "libunwind was not found: stacks are one frame, the caller; "
                                   "install libunwind8");
        if (other)
                report_note(notes,
                            "the table of stacks is full: %s of %s samples are together in one row "
                            "without frames; nothing is lost from the sums",
                            fmt_count(a, other), fmt_count(b, samples));
        if (one && !missing)
                report_note(notes,
                            "of %s samples only the caller is known: taken while the stack was "
                            "being unwound, or where that is not safe",
                            fmt_count(a, one));
        if (untracked)
                report_note(notes,
                            "what became of %s samples is not known: they count as allocated, and "
                            "as freed at once",
                            fmt_count(a, untracked));
        if (n_cut)
                report_note(notes, "%zu stack%s deeper than %u frames: the outermost are cut off",
                            n_cut, n_cut > 1 ? "s are" : " is", IFP_STACK_DEPTH);
}

static void note_allocator(json_t *notes, const struct memory *m)
{
        const struct runfile_process *main = memory_main_process(m);

        if (main && main->allocator == IFP_ALLOCATOR_UNKNOWN &&
            m->processes[main - m->model.processes].calls)
                report_note(notes, "the allocator is not known: it is linked into the executable "
                                   "and not reachable, or none of those that can be asked");
        if (m->held_is_anonymous)
                report_note(
                        notes,
                        "efficiency is useful bytes over %sanonymous memory: the allocator does "
                        "not say what is resident, and thread stacks and mappings of the "
                        "engine's own are in that too",
                        m->held_is_resident ? "what allocators say is resident, and over " : "");
        else if (m->held_is_resident)
                report_note(notes, "efficiency is useful bytes over what the allocator says is "
                                   "resident");
        if (m->useful_over_held)
                report_note(notes, "the engine holds more in blocks than is resident: memory that "
                                   "was asked for and not touched; so efficiency is not known");
}

static void note_rest(json_t *notes, const struct memory *m)
{
        size_t n_looked = 0;

        for (size_t i = 0; i < m->n_looks; i++)
                n_looked += !i || m->looks[i].process != m->looks[i - 1].process;
        if (n_looked > 1)
                report_note(notes,
                            "%zu processes were looked at from outside: their resident bytes are "
                            "summed, and pages they share count in each; pss counts them once",
                            n_looked);
        if (m->n_kv_resets)
                report_note(
                        notes,
                        "live memory fell %zu time%s at once while tokens were decoded, as when "
                        "a context is freed: the growth per token is of the longest stretch "
                        "without",
                        m->n_kv_resets, m->n_kv_resets > 1 ? "s" : "");
}

json_t *memory_notes(const struct memory *m)
{
        const struct runfile_process *main = memory_main_process(m);
        uint64_t interval = main ? main->heap_interval : 0;
        json_t *notes = json_array();
        bool mixed = false;

        for (size_t i = 0; i < m->model.n_processes; i++)
                mixed |= m->processes[i].calls && m->model.processes[i].heap_interval != interval;
        report_note_processes(notes, &m->model);
        note_window(notes, m);
        note_estimates(notes, m, interval, mixed);
        note_samples(notes, m);
        note_allocator(notes, m);
        note_rest(notes, m);
        for (size_t i = 0; i < m->model.n_notes; i++)
                report_note(notes, "%s", m->model.notes[i]);
        return notes;
}
