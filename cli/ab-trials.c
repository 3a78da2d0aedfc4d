/* SPDX-License-Identifier: MIT */
/*
 * What was seen of runs from outside, beside their files: trials.json (infprof.trials/1), which
 * infprof diff reads. It is written anew after each run, and moved into place, so that it is whole
 * whenever somebody stops us.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cli/ab.h"
#include "common/cleanup.h"
#include "common/secret.h"

static json_t *number(double v)
{
        return isfinite(v) ? json_real(v) : json_null();
}

/* The words as they were given; what looks like a secret is not written down. To be freed. */
static char *command_of(char **argv)
{
        char *s = NULL;
        size_t bytes;
        FILE *f = open_memstream(&s, &bytes);

        if (!f)
                return NULL;
        for (size_t i = 0; argv[i]; i++) {
                size_t hide = secret_argument(i ? argv[i - 1] : NULL, argv[i]);

                if (hide)
                        fprintf(f, "%s%.*s%s", i ? " " : "", (int)(hide - 1), argv[i],
                                SECRET_HIDDEN);
                else
                        fprintf(f, "%s%s", i ? " " : "", argv[i]);
        }
        return fclose(f) ? free(s), NULL : s;
}

static json_t *build_trial(const struct ab *ab, const struct ab_run *run)
{
        const struct trial_options limits = {.time_ns = ab->options->time_ns};
        const struct trial *t = &run->trial;
        char how[160];
        json_t *o = json_object();

        trial_say_end(t, &limits, how, sizeof(how));
        json_object_set_new(o, "file", run->file[0] ? json_string(run->file) : json_null());
        json_object_set_new(o, "failed", trial_succeeded(t) ? json_null() : json_string(how));
        json_object_set_new(o, "wall_ns", json_integer((json_int_t)t->wall_ns));
        json_object_set_new(o, "user_ns", json_integer((json_int_t)t->user_ns));
        json_object_set_new(o, "system_ns", json_integer((json_int_t)t->system_ns));
        json_object_set_new(o, "peak_bytes",
                            t->peak_bytes ? json_integer((json_int_t)t->peak_bytes) : json_null());
        json_object_set_new(o, "others", number(t->others));
        json_object_set_new(o, "stolen", number(t->stolen));
        return o;
}

int ab_write_trials(const struct ab *ab, int side)
{
        const struct ab_side *s = &ab->sides[side];
        _cleanup_(freep) char *command = command_of(ab->options->argv[side]), *path = NULL,
                              *new = NULL;
        _cleanup_(json_decrefp) json_t *o = json_object();
        json_t *trials = json_array();

        if (!command || asprintf(&path, "%s/" DIFF_TRIALS, s->folder) < 0 ||
            asprintf(&new, "%s/.trials", s->folder) < 0)
                return json_decref(trials), -ENOMEM;
        for (size_t i = 0; i < s->n; i++)
                json_array_append_new(trials, build_trial(ab, &s->runs[i]));
        json_object_set_new(o, "schema", json_string(DIFF_TRIALS_SCHEMA));
        json_object_set_new(o, "command", json_string(command) ?: json_string("?"));
        json_object_set_new(o, "trials", trials);
        if (json_dump_file(o, new, JSON_INDENT(2)) || rename(new, path) < 0)
                return errno ? -errno : -EIO;
        return 0;
}
