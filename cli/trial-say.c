/* SPDX-License-Identifier: MIT */
/* How a trial ended, in words. */
#include "cli/trial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/text.h"
#include "common/fmt.h"

bool trial_succeeded(const struct trial *t)
{
        return t->end == TRIAL_EXITED && t->code == 0;
}

/* A file that is there, and cannot be run for want of another. */
static bool is_there(const struct trial_options *o)
{
        return o->argv && strchr(o->argv[0], '/') && access(o->argv[0], F_OK) == 0;
}

void trial_say_end(const struct trial *t, const struct trial_options *options, char *buf, size_t n)
{
        char text[TEXT_CELL], name[FMT_SIZE], limit[FMT_SIZE];

        switch (t->end) {
        case TRIAL_EXITED:
                snprintf(buf, n, "exit code %d", t->code);
                return;
        case TRIAL_KILLED:
                snprintf(buf, n, "killed by %s", fmt_signal(name, sizeof(name), t->code));
                return;
        case TRIAL_OVER_TIME:
                snprintf(buf, n, "stopped after %s: over its time",
                         text_duration(text, (double)options->time_ns));
                return;
        case TRIAL_OVER_MEMORY:
                snprintf(buf, n, "stopped at %s: over its memory%s%s",
                         fmt_bytes(name, (int64_t)t->peak_bytes),
                         options->memory_bytes ? " limit of " : "",
                         options->memory_bytes ? fmt_bytes(limit, (int64_t)options->memory_bytes)
                                               : "");
                return;
        case TRIAL_NOT_RUN:
                if (t->refused && strcmp(t->refused, "exec") != 0)
                        snprintf(buf, n, "not run: %s: %s", t->refused, strerror(t->code));
                else
                        snprintf(buf, n, "not run: %s",
                                 t->code != ENOENT   ? strerror(t->code)
                                 : is_there(options) ? "its interpreter is not there"
                                                     : "no such command");
                return;
        case TRIAL_INTERRUPTED:
                snprintf(buf, n, "interrupted by %s", fmt_signal(name, sizeof(name), t->code));
                return;
        case TRIAL_ENOUGH:
                snprintf(buf, n, "stopped after %s: that was enough",
                         text_duration(text, (double)t->wall_ns));
                return;
        }
        snprintf(buf, n, "not known");
}
