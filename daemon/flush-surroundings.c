/* SPDX-License-Identifier: MIT */
/*
 * What processes ran with, in the run file: of a bounded number of them, for a script may begin
 * thousands. The first few are among them whatever they do; others are if they did something worth
 * a row.
 */
#include "daemon/flush-private.h"

#define MOST_TOLD  64u
#define FIRST_TOLD 4u /* whatever they do */

int flush_beginning(struct run *run)
{
        const struct beginning *b = &run->beginning;

        return b->known ? runfile_put_surroundings(run->file, &b->row) : 0;
}

static bool is_told(const struct run *run, const struct process *p)
{
        return p->surroundings.told ||
               (run->n_surroundings < MOST_TOLD && (!p->trivial || p->index < FIRST_TOLD));
}

static int put_once(struct run *run, const struct process *p)
{
        const struct surroundings *s = &p->surroundings;
        struct runfile_confines row = {.process = p->index,
                                       .cpus = s->cpus,
                                       .memory_nodes = s->memory_nodes,
                                       .nice = s->nice};
        int r = runfile_put_confines(run->file, &row);

        for (uint32_t i = 0; !r && i < s->n_variables; i++) {
                struct runfile_environment v = {.process = p->index,
                                                .name = s->variables[i].name,
                                                .value = s->variables[i].value};

                r = runfile_put_environment(run->file, &v);
        }
        return r;
}

int flush_surroundings(struct run *run, const struct process *p)
{
        const struct surroundings *s = &p->surroundings;
        int r = 0;

        if (!is_told(run, p))
                return 0;
        if (!s->told)
                r = put_once(run, p);
        for (uint32_t i = 0; !r && i < s->n_libraries; i++) {
                const struct library *l = &s->libraries[i];
                struct runfile_library row = {
                        .process = p->index, .object = i, .path = l->path, .build_id = l->build_id};

                if (l->path && (l->changed || !s->told))
                        r = runfile_put_library(run->file, &row);
        }
        return r;
}

void flush_surroundings_written(struct process *p)
{
        struct surroundings *s = &p->surroundings;

        if (!is_told(p->run, p))
                return;
        p->run->n_surroundings += !s->told;
        s->told = true;
        for (uint32_t i = 0; i < s->n_libraries; i++)
                s->libraries[i].changed = false;
}
