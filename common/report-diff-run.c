/* SPDX-License-Identifier: MIT */
/* A run read from its file, once, into what comparing needs of it. */
#include "common/report-diff-run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/report-work-private.h"
#include "common/report.h"
#include "common/runfile-private.h"

DEFINE_CLEANUP(struct runfile *, runfile_close, runfile_closep);
DEFINE_CLEANUP(struct diff_run *, diff_run_free, diff_run_freep);

struct course {
        struct diff_run *run;
        bool any;
        struct runfile_token_point last;
        size_t room;
        uint32_t process;
};

/* Points are of each token, or of each so-manieth. Those of the process that has the first. */
static int add_point(const struct runfile_token_point *p, void *userdata)
{
        struct course *c = userdata;
        double *v;

        if (c->any && p->process != c->process)
                return 0;
        if (c->any && p->token > c->last.token && p->at_ns > c->last.at_ns) {
                v = GROW(&c->run->series, &c->run->n_series, &c->room);
                if (!v)
                        return -ENOMEM;
                *v = (double)(p->at_ns - c->last.at_ns) / (double)(p->token - c->last.token);
        }
        c->any = true;
        c->process = p->process;
        c->last = *p;
        return 0;
}

static const char *how_it_ended(const struct runfile_run *run)
{
        switch (run->end) {
        case RUNFILE_END_CODE:
        case RUNFILE_END_EXEC:
                return run->end_value && run->end == RUNFILE_END_CODE ? "failed" : NULL;
        case RUNFILE_END_SIGNAL:
                return "was killed";
        case RUNFILE_END_LIVE:
                return "goes on";
        case RUNFILE_END_CUT:
                return "was cut off";
        default:
                return NULL; /* nobody saw it: what it has is as good as any */
        }
}

static int load(struct diff_run *run, struct runfile *rf, struct work *w, char **ret_why)
{
        struct course course = {.run = run};
        int r;

        run->head = report_run_head(&w->model.run);
        run->started_ns = w->model.run.started_at_ns;
        /* in containers two pids may be the same, and so ids */
        if (asprintf(&run->identity, "%s %llu", w->model.run.id ? w->model.run.id : "?",
                     (unsigned long long)run->started_ns) < 0)
                return run->identity = NULL, -ENOMEM;
        run->how = how_it_ended(&w->model.run);
        /* first: the documents behind some figures read the run anew, and with it its texts */
        r = diff_surroundings_load(run, rf, w);
        if (!r)
                r = diff_rows_load(run, w, ret_why);
        if (!r)
                r = diff_figures_load(run, rf, w, ret_why);
        if (!r)
                r = runfile_each_token_point(rf, add_point, &course);
        return r;
}

int diff_run_load(struct diff_run **ret, const char *path, char **ret_why)
{
        _cleanup_(runfile_closep) struct runfile *rf = NULL;
        _cleanup_(diff_run_freep) struct diff_run *run = calloc(1, sizeof(*run));
        _cleanup_(freep) char *why = NULL;
        _cleanup_(freep) struct work *w = calloc(1, sizeof(*w));
        int r;

        if (!run || !w)
                return -ENOMEM;
        run->file = strdup(path);
        run->figures = json_array();
        run->surroundings = json_object();
        r = runfile_open(&rf, path, ret_why);
        if (r)
                return r;
        r = work_load(w, rf, &why);
        if (!r)
                r = load(run, rf, w, &why);
        if (r)
                runfile_explain(ret_why, r, "%s", why ? why : runfile_why(rf) ?: strerror(r < 0 ? -r : EIO));
        work_done(w);
        if (!r)
                *ret = steal_ptr(run);
        return r;
}

struct diff_run *diff_run_free(struct diff_run *run)
{
        if (!run)
                return NULL;
        for (int b = 0; b < DIFF_N_BASES; b++)
                diff_rows_done(&run->rows[b]);
        free(run->file);
        free(run->identity);
        free(run->engine);
        free(run->machine);
        free(run->series);
        json_decref(run->head);
        json_decref(run->figures);
        json_decref(run->surroundings);
        free(run);
        return NULL;
}

bool diff_run_is(const struct diff_run *run, const struct diff_run *other)
{
        return run->identity && other->identity && !strcmp(run->identity, other->identity);
}
