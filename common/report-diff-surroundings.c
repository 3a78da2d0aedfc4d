/* SPDX-License-Identifier: MIT */
/*
 * What a run had around it that may make another one faster or slower, each by name and as text:
 * command, program, libraries, machine, kernel. What a file does not hold is left out.
 */
#include "common/report-diff-run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/report-work-private.h"
#include "common/runfile.h"

static void put(json_t *o, const char *what, const char *value)
{
        if (value && *value)
                report_set(o, what, report_text(value));
}

static int take_machine(const struct runfile_machine *row, void *userdata)
{
        struct diff_run *run = userdata;
        _cleanup_(json_decrefp) json_t *doc = json_loads(row->document, 0, NULL);
        const json_t *topology = json_object_get(doc, "topology");

        free(run->machine);
        run->machine = strdup(row->fingerprint);
        put(run->surroundings, "CPU", json_string_value(json_object_get(doc, "model")));
        if (json_is_integer(json_object_get(topology, "usable_cpus"))) {
                char text[32];

                snprintf(text, sizeof(text), "%lld",
                         (long long)report_get_integer(topology, "usable_cpus"));
                put(run->surroundings, "CPUs", text);
        }
        return run->machine ? 0 : -1;
}

/* "Linux 6.1.0" of "Intel ..., 2 CPUs, Linux 6.1.0" */
static const char *kernel_in(const char *machine)
{
        const char *comma = machine ? strrchr(machine, ',') : NULL;

        return comma && comma[1] == ' ' ? comma + 2 : NULL;
}

int diff_surroundings_load(struct diff_run *run, struct runfile *rf, const struct work *w)
{
        const struct runfile_run *of = &w->model.run;
        json_t *o = run->surroundings;

        put(o, "command", of->command);
        put(o, "kernel", kernel_in(of->machine));
        put(o, "infprof", of->infprof_version);
        for (size_t i = 0; i < w->model.n_processes; i++) {
                const struct runfile_process *p = &w->model.processes[i];

                if (p->trivial)
                        continue;
                put(o, "program", p->exe);
                put(o, "allocator", p->allocator_library);
                put(o, "BLAS core", p->blas_core);
        }
        return runfile_each_machine(rf, take_machine, run);
}
