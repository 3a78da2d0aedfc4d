/* SPDX-License-Identifier: MIT */
/*
 * Windows between marks. A mark is put into all processes that live at that instant, and each has
 * a row of its own. Of a name that was given more than once, the last counts: the last in the run.
 * A process that was over by then may have an earlier one of that name, which does not count.
 */
#include "common/report-memory-private.h"

#include <stdio.h>

#include "common/cleanup.h"
#include "common/report-memory.h"
#include "common/report-private.h"
#include "common/runfile-private.h"

#define MAX_NAMES_TOLD 8

static bool is_first_of_name(const struct memory *m, size_t i)
{
        for (size_t k = 0; k < i; k++)
                if (!strcmp(m->marks[k].name, m->marks[i].name))
                        return false;
        return true;
}

static int explain_unknown(const struct memory *m, const char *name, char **ret_why)
{
        _cleanup_(freep) char *text = NULL;
        size_t size = 0, n = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return runfile_explain(ret_why, MEMORY_E_WINDOW, "no such mark");
        for (size_t i = 0; i < m->n_marks && n <= MAX_NAMES_TOLD; i++) {
                if (!is_first_of_name(m, i))
                        continue;
                n++;
                if (n <= MAX_NAMES_TOLD)
                        fprintf(f, "%s'%s'", n > 1 ? ", " : "", m->marks[i].name);
                else
                        fputs(", ...", f);
        }
        fclose(f);
        if (!n)
                return runfile_explain(ret_why, MEMORY_E_WINDOW,
                                       "no mark '%s': this run has no marks; put one with 'infprof "
                                       "mark NAME' while it runs",
                                       name);
        return runfile_explain(ret_why, MEMORY_E_WINDOW, "no mark '%s' in this run; there %s %s",
                               name, n > 1 ? "are" : "is", text ? text : "?");
}

static const struct memory_mark *last_mark(const struct memory *m, size_t process, const char *name)
{
        const struct memory_mark *last = NULL;

        for (size_t i = 0; i < m->n_marks; i++)
                if (m->marks[i].process == process && !strcmp(m->marks[i].name, name))
                        last = &m->marks[i];
        return last;
}

static struct bound bound_of(struct memory *m, size_t process, const char *name, uint64_t at_ns)
{
        const struct memory_process *p = &m->processes[process];
        const struct memory_mark *mark = last_mark(m, process, name);

        if (mark && (mark->at_ns == at_ns || p->ended_ns >= at_ns))
                return (struct bound){BOUND_MARK, mark->mark};
        if (p->ended_ns < at_ns)
                return (struct bound){BOUND_ALL, 0};
        m->n_unmarked += p->began_ns < at_ns;
        return (struct bound){BOUND_NOTHING, 0};
}

/* The instant of the last mark of that name in the run; false: there is none. */
static bool find_mark(const struct memory *m, const char *name, uint64_t *ret_ns)
{
        bool found = false;

        for (size_t i = 0; i < m->n_marks; i++)
                if (!strcmp(m->marks[i].name, name)) {
                        if (!found || m->marks[i].at_ns > *ret_ns)
                                *ret_ns = m->marks[i].at_ns;
                        found = true;
                }
        return found;
}

static void set_times(struct memory *m)
{
        for (size_t i = 0; i < m->model.n_processes; i++) {
                const struct runfile_process *row = &m->model.processes[i];
                struct memory_process *p = &m->processes[i];

                if (row->started_at_ns > m->model.run.started_at_ns)
                        p->began_ns = row->started_at_ns - m->model.run.started_at_ns;
                p->ended_ns = row->end == RUNFILE_END_LIVE ? UINT64_MAX
                                                           : sum_u64(p->began_ns, row->duration_ns);
        }
}

int memory_find_window(struct memory *m, const struct memory_options *o, char **ret_why)
{
        const char *from = o ? o->from : NULL, *to = o ? o->to : NULL;

        set_times(m);
        m->from = from;
        m->to = to;
        m->windowed = from || to;
        m->to_ns = m->model.run.duration_ns;
        if (from && !find_mark(m, from, &m->from_ns))
                return explain_unknown(m, from, ret_why);
        if (to && !find_mark(m, to, &m->to_ns))
                return explain_unknown(m, to, ret_why);
        if (from && to && m->from_ns > m->to_ns)
                return runfile_explain(
                        ret_why, MEMORY_E_WINDOW,
                        "mark '%s' comes after mark '%s'; ask for the time from '%s' "
                        "to '%s'",
                        from, to, to, from);
        if (m->to_ns < m->from_ns) /* a run that was cut off before its last row */
                m->to_ns = m->from_ns;
        for (size_t i = 0; i < m->model.n_processes; i++) {
                m->processes[i].from =
                        from ? bound_of(m, i, from, m->from_ns) : (struct bound){BOUND_NOTHING, 0};
                m->processes[i].to =
                        to ? bound_of(m, i, to, m->to_ns) : (struct bound){BOUND_ALL, 0};
        }
        return 0;
}

static int compare_marks(const void *a, const void *b)
{
        const json_t *p = *(json_t *const *)a, *q = *(json_t *const *)b;
        int64_t x = report_get_integer(p, "at_ns"), y = report_get_integer(q, "at_ns");

        return x != y ? (x < y ? -1 : 1)
                      : strcmp(json_string_value(json_object_get(p, "name")),
                               json_string_value(json_object_get(q, "name")));
}

json_t *memory_build_marks(const struct memory *m)
{
        _cleanup_(freep) json_t **items = calloc(m->n_marks + 1, sizeof(*items));

        for (size_t i = 0; items && i < m->n_marks; i++) {
                const struct memory_mark *mark = &m->marks[i];

                items[i] = json_object();
                report_set(items[i], "name", report_text(mark->name));
                report_set(items[i], "process",
                           json_integer(m->model.processes[mark->process].index));
                report_set(items[i], "pid", json_integer(m->model.processes[mark->process].pid));
                report_set(items[i], "at_ns", report_integer(mark->at_ns));
                report_set(items[i], "live_bytes", json_integer(mark->live_bytes));
        }
        return items ? report_sorted(items, m->n_marks, compare_marks) : NULL;
}
