/* SPDX-License-Identifier: MIT */
/*
 * The member "threads" of infprof.top/1: each thread, what it is about at this moment, and how its
 * last interval divides into running, being runnable, and waiting.
 *
 * A spinning wait runs, and one that is over may have to wait for a CPU: where the parts come to
 * more than the whole, waiting is taken whole, and the others share what is left.
 */
#include "daemon/api-top-private.h"

#include "common/report-work.h"
#include "common/runfile.h"
#include "daemon/procfs.h"

#define MAX_ENDED_THREADS 256 /* shown; the newest */
#define MAX_ASKED         256 /* of /proc, what they are about */

json_t *top_told(uint64_t v)
{
        return v <= INT64_MAX ? json_integer((json_int_t)v) : json_null();
}

json_t *top_address(uint64_t address)
{
        char text[24];

        if (!address)
                return json_null();
        snprintf(text, sizeof(text), "0x%llx", (unsigned long long)address);
        return json_string(text);
}

const struct thread *top_thread(const struct process *p, int64_t index)
{
        if (index == PROCESS_MAX_THREADS)
                return p->later;
        if (index >= 0 && index < p->n_threads && p->threads[index]->index == index)
                return p->threads[index];
        for (uint32_t i = 0; index >= 0 && i < p->n_threads; i++)
                if (p->threads[i]->index == index)
                        return p->threads[i];
        return NULL;
}

json_t *top_thread_reference(const struct process *p, const struct thread *t)
{
        if (!t)
                return json_null();
        return json_pack("{s:I, s:I, s:o}", "pid", (json_int_t)p->pid, "tid", (json_int_t)t->tid,
                         "name", top_text(t->name));
}

/* Whom a wait is for, if all waits there were for one. */
const struct thread *top_holder(const struct process *p, const struct wait *w)
{
        if (!w || !w->by[0].gen || w->by[1].gen || w->sums.unknown || w->sums.others)
                return NULL;
        return top_thread(p, w->by[0].thread);
}

static const struct wait *entry_of(const struct process *p, const struct thread *t)
{
        return t->now.entry && t->now.entry < p->waits.n ? &p->waits.list[t->now.entry] : NULL;
}

json_t *top_waiting(const struct process *p, const struct thread *t)
{
        const struct wait *w = entry_of(p, t);
        const char *file = w ? waits_file(p, w) : NULL;
        const struct thread *holder;

        if (!t->now.kind)
                return json_null();
        holder = top_thread(p, t->now.by);
        return json_pack("{s:s, s:o, s:o, s:o, s:I, s:o}", "kind", work_wait_kinds[t->now.kind],
                         "object", top_address(t->now.object), "library", top_text(file), "offset",
                         file ? json_integer((json_int_t)(w->offset & INT64_MAX)) : json_null(),
                         "for_ns", (json_int_t)clock_ns(&p->clock, t->now.ticks), "holder",
                         top_thread_reference(p, holder ? holder : top_holder(p, w)));
}

/* ---- this moment ---- */

static const char *kernel_word(const struct process *p, const struct thread *t)
{
        static const char *const words[] = {
                [IFP_KERNEL_RUNNING] = "running",
                [IFP_KERNEL_RUNNABLE] = "runnable",
                [IFP_KERNEL_BLOCKED] = "blocked",
        };
        uint32_t now;

        if (!p->kernel.lanes || !p->kernel.proc.number || t->lane >= p->kernel.proc.n_lanes ||
            !t->gen)
                return NULL;
        now = __atomic_load_n(&p->kernel.lanes[t->lane].now, __ATOMIC_RELAXED);
        return now < IFP_KERNEL_GONE ? words[now] : NULL;
}

/* What /proc tells does not tell a thread that runs from one that could. */
static const char *proc_word(const struct process *p, const struct thread *t, uint32_t *asked)
{
        char state;

        if (p->segment.header.pid != p->pid || ++*asked > MAX_ASKED ||
            !procfs_thread_state(p->pid, t->tid, &state))
                return NULL;
        return state == 'R' ? "running" : "blocked";
}

static json_t *now_document(const struct process *p, const struct thread *t, uint32_t *asked)
{
        const char *word = NULL;

        if (t->ended || t == p->later || p->state != PROCESS_LIVE)
                return json_null();
        if (t->now.kind)
                word = "waiting";
        if (!word)
                word = kernel_word(p, t);
        if (!word)
                word = proc_word(p, t, asked);
        return word ? json_string(word) : json_null();
}

/* ---- the last interval ---- */

/* Of its own: a thread that began in the midst of it has a shorter one. */
static double interval_ns(const struct process *p, const struct thread *t)
{
        double whole = top_interval(p) * 1e9, life;

        if (t->ended || t == p->later || !t->course.n_ticks)
                return 0;
        life = (double)clock_ns(&p->clock, ifp_ticks() - t->start_ticks);
        return life < whole ? life : whole;
}

static json_t *split_document(const struct process *p, const struct thread *t, double interval)
{
        const struct thread_course *c = &t->course;
        bool told = c->running != RUNFILE_NOT_TOLD && c->runnable != RUNFILE_NOT_TOLD;
        double running = told ? (double)c->running : 0, runnable = told ? (double)c->runnable : 0;
        double waiting = 0, left, other, scale;
        json_t *waits = json_object();

        for (uint32_t k = 1; k < IFP_N_WAIT_KINDS; k++)
                waiting += (double)clock_ns(&p->clock, c->waited[k]);
        scale = waiting > interval ? interval / waiting : 1;
        for (uint32_t k = 1; k < IFP_N_WAIT_KINDS; k++)
                if (c->waited[k])
                        json_object_set_new(waits, work_wait_kinds[k],
                                            top_real((double)clock_ns(&p->clock, c->waited[k]) *
                                                     scale / interval));
        waiting *= scale;
        left = interval - waiting;
        scale = running + runnable > left ? left / (running + runnable) : 1;
        running *= scale;
        runnable *= scale;
        other = left - running - runnable;
        return json_pack("{s:o, s:o, s:o, s:o, s:o}", "running",
                         top_real(told ? running / interval : NAN), "runnable",
                         top_real(told ? runnable / interval : NAN), "waiting",
                         top_real(waiting / interval), "other",
                         top_real(other > 0 ? other / interval : 0), "waits", waits);
}

/* ---- a thread ---- */

static const char *site_name(const struct process *p, int64_t site)
{
        if (site < 0 || site >= p->n_sites)
                return NULL;
        return p->sites[site].function ? p->sites[site].function : p->sites[site].library;
}

static void set_kernel(json_t *o, const struct process *p, const struct thread *t)
{
        struct runfile_thread row = {.migrations = RUNFILE_NOT_TOLD,
                                     .voluntary = RUNFILE_NOT_TOLD,
                                     .involuntary = RUNFILE_NOT_TOLD,
                                     .cpu = RUNFILE_NOT_TOLD};

        kernel_thread_figures(p, t, &row);
        json_object_set_new(o, "migrations", top_told(row.migrations));
        json_object_set_new(o, "voluntary", top_told(row.voluntary));
        json_object_set_new(o, "involuntary", top_told(row.involuntary));
        json_object_set_new(o, "cpu", top_told(row.cpu));
}

static json_t *thread_document(const struct process *p, const struct thread *t, uint32_t *asked)
{
        uint64_t now = p->state == PROCESS_LIVE ? ifp_ticks() : p->end_ticks, waits = 0;
        uint64_t end = t->ended ? t->end_ticks : now;
        double life = end > t->start_ticks ? (double)(end - t->start_ticks) : NAN;
        double interval = interval_ns(p, t);
        json_t *o;

        for (uint32_t k = 1; k < IFP_N_WAIT_KINDS; k++)
                waits += t->waits.count[k];
        o = json_pack("{s:I, s:I, s:o, s:s, s:I, s:I, s:o, s:o, s:o, s:I}", "pid",
                      (json_int_t)p->pid, "tid", (json_int_t)t->tid, "name", top_text(t->name),
                      "state", t->ended ? "ended" : "live", "spans", (json_int_t)t->sum.timed,
                      "busy_ns", (json_int_t)clock_ns(&p->clock, t->busy_ticks), "share",
                      top_real((double)t->busy_ticks / life), "cpu_ns", top_told(t->cpu_ns),
                      "spawned_by", top_text(site_name(p, t->site)), "alloc_calls",
                      (json_int_t)t->sum.alloc_calls);
        json_object_set_new(o, "now", now_document(p, t, asked));
        json_object_set_new(o, "interval_ns", interval > 0 ? top_integer(interval) : json_null());
        json_object_set_new(o, "running_ns",
                            interval > 0 ? top_told(t->course.running) : json_null());
        json_object_set_new(o, "runnable_ns",
                            interval > 0 ? top_told(t->course.runnable) : json_null());
        json_object_set_new(o, "split",
                            interval > 0 ? split_document(p, t, interval) : json_null());
        json_object_set_new(o, "waits",
                            waits_are_on(&p->segment.header)
                                    ? json_integer((json_int_t)(waits & INT64_MAX))
                                    : json_null());
        set_kernel(o, p, t);
        json_object_set_new(o, "waiting",
                            p->state == PROCESS_LIVE ? top_waiting(p, t) : json_null());
        return o;
}

/* All that live, and the newest of those that ended. */
json_t *top_threads(const struct top_scope *s)
{
        json_t *list = json_array();
        uint32_t ended = 0, asked = 0;

        for (const struct process *p = s->server->processes; p; p = p->next) {
                if (!top_is_shown(s, p))
                        continue;
                for (uint32_t i = p->n_threads; i-- > 0;)
                        if (!p->threads[i]->ended || ended++ < MAX_ENDED_THREADS)
                                json_array_append_new(list,
                                                      thread_document(p, p->threads[i], &asked));
                if (p->later)
                        json_array_append_new(list, thread_document(p, p->later, &asked));
        }
        return list;
}
