/* SPDX-License-Identifier: MIT */
/* Single calls as rows of the run file: each is written once. */
#include "daemon/flush-private.h"
#include "daemon/series.h"

int flush_series(struct run *run, const struct process *p)
{
        const struct series *s = p->drain.series;
        int r = 0;

        for (uint32_t i = s ? s->n_written : 0; !r && s && i < s->n_settled; i++) {
                const struct series_call *c = &s->calls[i];
                struct runfile_span row = {.process = p->index,
                                           .number = i,
                                           .op = c->op,
                                           .phase = c->phase,
                                           .start_ns = clock_since_start_ns(&p->clock, c->start),
                                           .duration_ns = clock_ns(&p->clock, c->ticks)};

                r = runfile_put_span(run->file, &row);
        }
        return r;
}

void flush_series_written(struct process *p)
{
        if (p->drain.series)
                p->drain.series->n_written = p->drain.series->n_settled;
}
