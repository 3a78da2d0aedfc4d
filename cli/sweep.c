/* SPDX-License-Identifier: MIT */
/* What a sweep has measured, and by which figure it is judged. */
#include "cli/sweep.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

const char *const sweep_metrics[SWEEP_N_METRICS] = {"auto", "tokens", "requests", "wall"};

void sweep_done(struct sweep *s)
{
        for (size_t i = 0; i < s->n; i++) {
                free(s->runs[i].why);
                free(s->runs[i].trouble);
        }
        free(s->runs);
        sweep_grid_done(&s->grid);
        sweep_words_free(s->argv);
        sweep_words_free(s->env);
        sweep_words_free(s->record);
        free(s->compare);
        free(s->units);
        free(s->machine);
        free(s->started_at);
        *s = (struct sweep){0};
}

int sweep_add(struct sweep *s, const struct sweep_run *run)
{
        struct sweep_run *more = realloc(s->runs, (s->n + 1) * sizeof(*more));

        if (!more)
                return -ENOMEM;
        s->runs = more;
        more[s->n++] = *run;
        return 0;
}

bool sweep_run_ok(const struct sweep_run *r)
{
        return r->end == TRIAL_EXITED && r->code == 0;
}

double sweep_units(const struct sweep *s, size_t point)
{
        size_t p = s->units ? sweep_grid_find(&s->grid, s->units) : SIZE_MAX;

        return p == SIZE_MAX ? 1 : strtod(sweep_grid_value(&s->grid, point, p), NULL);
}

enum sweep_metric sweep_metric_of(const struct sweep *s)
{
        bool tokens = !s->bare, requests = !s->bare, any = false;

        if (s->metric != SWEEP_AUTO)
                return s->metric;
        for (size_t i = 0; i < s->n; i++) {
                const struct sweep_run *r = &s->runs[i];

                if (!sweep_run_ok(r))
                        continue;
                any = true;
                tokens &= r->tokens_per_second > 0;
                requests &= r->requests > 0;
        }
        return any && tokens ? SWEEP_TOKENS : any && requests ? SWEEP_REQUESTS : SWEEP_WALL;
}

double sweep_score(const struct sweep *s, const struct sweep_run *r, enum sweep_metric metric)
{
        if (!sweep_run_ok(r))
                return NAN;
        switch (metric) {
        case SWEEP_TOKENS:
                return r->tokens_per_second;
        case SWEEP_REQUESTS:
                return r->wall_ns > 0 ? r->requests * 1e9 / r->wall_ns : NAN;
        default:
                return r->wall_ns > 0 ? sweep_units(s, r->point) * 1e9 / r->wall_ns : NAN;
        }
}
