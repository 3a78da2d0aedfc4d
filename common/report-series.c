/* SPDX-License-Identifier: MIT */
/*
 * All spans of a file are of what was asked for; how many calls there were in all is in op_phase,
 * exact. The difference has no place in time: calls that found their ring full were only counted,
 * and a process keeps the first so many.
 */
#include "common/report-series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <infprof/segment.h>

#include "common/report-model.h"
#include "common/runfile.h"

#define MOST_PROCESSES 4096u

struct load {
        struct report_series *series;
        double *starts; /* of processes, since the run's */
        uint32_t n_starts, room_starts;
        uint64_t run_start_ns;
        bool *asked; /* of each process and op: a span was found */
        size_t n_asked;
};

static int load_process(const struct runfile_process *row, void *userdata)
{
        struct load *l = userdata;

        if (row->index >= MOST_PROCESSES)
                return 0;
        while (row->index >= l->room_starts) {
                uint32_t room = l->room_starts ? 2 * l->room_starts : 16;
                double *more = reallocarray(l->starts, room, sizeof(*more));

                if (!more)
                        return -ENOMEM;
                memset(more + l->room_starts, 0, (room - l->room_starts) * sizeof(*more));
                l->starts = more;
                l->room_starts = room;
        }
        if (row->index >= l->n_starts)
                l->n_starts = row->index + 1;
        l->starts[row->index] = (double)row->started_at_ns - (double)l->run_start_ns;
        return 0;
}

static int load_span(const struct runfile_span *row, void *userdata)
{
        struct load *l = userdata;
        struct report_series *s = l->series;
        size_t key = (size_t)row->process * IFP_MAX_OPS + row->op;
        struct report_call *call;

        if (row->process >= l->n_starts)
                return 0; /* of a process that the file does not know */
        if (!l->asked) {
                l->n_asked = (size_t)l->n_starts * IFP_MAX_OPS;
                l->asked = calloc(l->n_asked, sizeof(*l->asked));
                if (!l->asked)
                        return -ENOMEM;
        }
        call = GROW(&s->calls, &s->n, &s->room);
        if (!call)
                return -ENOMEM;
        *call = (struct report_call){.start_ns = l->starts[row->process] + (double)row->start_ns,
                                     .duration_ns = (double)row->duration_ns,
                                     .phase = row->phase};
        if (key < l->n_asked)
                l->asked[key] = true;
        return 0;
}

static int load_phase(const struct runfile_op_phase *row, void *userdata)
{
        struct load *l = userdata;
        size_t key = (size_t)row->process * IFP_MAX_OPS + row->op;

        if (key < l->n_asked && row->op < IFP_MAX_OPS && row->phase < IFP_N_PHASES && l->asked[key])
                l->series->made[row->phase] =
                        sum_u64(l->series->made[row->phase], sum_u64(row->timed, row->untimed));
        return 0;
}

static int as_they_began(const void *a, const void *b)
{
        const struct report_call *x = a, *y = b;

        return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

int report_series_file(struct report_series *ret, const char *path, char **ret_why)
{
        struct load l = {.series = ret};
        struct runfile_run run;
        struct runfile *rf = NULL;
        int r;

        *ret = (struct report_series){0};
        r = runfile_open(&rf, path, ret_why);
        if (r)
                return r;
        r = runfile_get_run(rf, &run);
        if (!r) {
                l.run_start_ns = run.started_at_ns;
                r = runfile_each_process(rf, load_process, &l);
        }
        if (!r)
                r = runfile_each_span(rf, load_span, &l);
        if (!r && l.asked)
                r = runfile_each_op_phase(rf, load_phase, &l);
        if (!r && ret->n)
                qsort(ret->calls, ret->n, sizeof(*ret->calls), as_they_began);
        if (r && ret_why)
                *ret_why = strdup(runfile_why(rf) ? runfile_why(rf) : strerror(ENOMEM));
        runfile_close(rf);
        free(l.starts);
        free(l.asked);
        return r;
}

void report_series_done(struct report_series *s)
{
        free(s->calls);
        *s = (struct report_series){0};
}
