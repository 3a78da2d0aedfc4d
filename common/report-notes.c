/* SPDX-License-Identifier: MIT */
/*
 * The sentences of `notes`: each says what is different about the figures of
 * this run, and how much.
 */
#include "common/report-private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/fmt.h"

void report_note(json_t *notes, const char *format, ...)
{
        _cleanup_(freep) char *s = NULL, *clean = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&s, format, ap) < 0)
                s = NULL;
        va_end(ap);
        clean = s ? fmt_utf8(s) : NULL;
        if (clean)
                json_array_append_new(notes, json_string(clean));
}

void report_note_processes(json_t *notes, const struct model *m)
{
        size_t n_live = 0;

        for (size_t i = 0; i < m->n_processes; i++) {
                const struct runfile_process *p = &m->processes[i];
                const char *why = p->reason ? p->reason : "no reason is known";

                n_live += p->end == RUNFILE_END_LIVE;
                if (p->end == RUNFILE_END_CUT)
                        report_note(
                                notes,
                                "process %lld was cut off: %s; what it did after that is not here",
                                (long long)p->pid, why);
                else if (p->reason)
                        report_note(notes, "process %lld: %s", (long long)p->pid, p->reason);
        }
        if (n_live && m->run.end != RUNFILE_END_LIVE)
                report_note(notes,
                            "%zu process%s of this run had not ended when it was last looked at",
                            n_live, n_live > 1 ? "es" : "");
        if (m->run.n_adoptions)
                report_note(notes, "the collector was replaced %u time%s while the run went on",
                            m->run.n_adoptions, m->run.n_adoptions > 1 ? "s" : "");
}

static void note_spans(json_t *notes, const struct report *r)
{
        char a[FMT_SIZE], b[FMT_SIZE];

        if (r->totals.lost)
                report_note(notes, "%s spans were lost, which must not be: please report it",
                            fmt_count(a, r->totals.lost));
        if (r->totals.folded)
                report_note(notes,
                            "%s of %s spans were folded, for the ring of their thread was full: "
                            "counted, "
                            "summed "
                            "and in the quantiles, without a line in time",
                            fmt_count(a, r->totals.folded), fmt_count(b, r->totals.spans));
        if (r->totals.left)
                report_note(
                        notes,
                        "%s calls did not return (exception, longjmp, exit, end of the thread): "
                        "counted, and "
                        "closed at the next event of their thread",
                        fmt_count(a, r->totals.left));
        if (r->totals.open)
                report_note(notes,
                            "%s calls are open or were when their process died: not in the figures",
                            fmt_count(a, r->totals.open));
        if (r->totals.unseen)
                report_note(notes,
                            "%s spans were read by a collector that died: counted and summed, but "
                            "not in "
                            "min, "
                            "max, stddev and quantiles",
                            fmt_count(a, r->totals.unseen));
        if (r->totals.fold_refused)
                report_note(
                        notes,
                        "%s spans found the fold tables full: counted and summed, but not in min, "
                        "max, "
                        "stddev and quantiles",
                        fmt_count(a, r->totals.fold_refused));
        if (r->totals.stubs_refused)
                report_note(notes, "%s wanted functions found no stub free and were not timed",
                            fmt_count(a, r->totals.stubs_refused));
        if (r->totals.ops_refused)
                report_note(notes,
                            "%s ops found the table of ops full and are together under one name",
                            fmt_count(a, r->totals.ops_refused));
        if (r->totals.lanes_retaken)
                report_note(
                        notes,
                        "%s threads ended before they were seen: their figures are in the ops, and "
                        "with the "
                        "thread that came after",
                        fmt_count(a, r->totals.lanes_retaken));
        if (r->n_threads_brief)
                report_note(notes,
                            "%zu threads have no list of their ops here: only the busiest do",
                            r->n_threads_brief);
}

/* Hot ops, calls too deep to be timed, and times that do not add up. */
static void note_ops(json_t *notes, const struct report *r)
{
        const struct model *m = &r->model;
        size_t n_hot = 0;

        for (size_t i = 0; i < m->n_ops; i++) {
                const struct model_op *op = m->ops[i];
                char a[FMT_SIZE];
                struct summary s;

                if (!summary_init(&s, op->phase, IFP_N_PHASES, op->hot)) {
                        n_hot += s.estimated;
                        if (s.sum.untimed && op->kind == IFP_KIND_TTFT)
                                report_note(
                                        notes,
                                        "%s sequences began at an instant that nobody told: they "
                                        "have no time to first token",
                                        fmt_count(a, s.sum.untimed));
                        else if (s.sum.untimed && !op->hot)
                                report_note(
                                        notes,
                                        "%s calls of %s were nested too deep to be timed, or made "
                                        "by a signal handler as their thread began: counted "
                                        "only",
                                        fmt_count(a, s.sum.untimed), op->name);
                        else if (s.sum.untimed && !s.sum.timed)
                                report_note(notes, "no call of %s was timed: counted only",
                                            op->name);
                        if (s.times_known && !s.self_known)
                                report_note(notes,
                                            "self time of %s is not known: ops called from it took "
                                            "longer "
                                            "than it "
                                            "did (more than one stack)",
                                            op->name);
                }
                summary_done(&s);
        }
        if (n_hot)
                report_note(notes,
                            "%zu op%s called so often that only some calls were timed: calls "
                            "exact, times "
                            "estimated (marked ~). Calls without a stamp, and what they allocate, "
                            "count "
                            "in the "
                            "self time and allocations of the op around them",
                            n_hot, n_hot > 1 ? "s are" : " is");
        if (!r->in_ops_known || r->in_ops_ns > r->lifetime_ns)
                report_note(notes,
                            "time outside ops is not known: ops took longer than the threads that "
                            "ran them "
                            "(more than one stack, or a thread that was not seen)");
}

json_t *report_notes(const struct report *r)
{
        json_t *notes = json_array();

        report_note_processes(notes, &r->model);
        note_spans(notes, r);
        note_ops(notes, r);
        if (r->shapes.n && r->roof.why)
                report_note(notes, "%s", r->roof.why);
        for (size_t i = 0; i < r->model.n_notes; i++)
                report_note(notes, "%s", r->model.notes[i]);
        return notes;
}
