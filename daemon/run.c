/* SPDX-License-Identifier: MIT */
/*
 * What a run is called, where it is kept and how it ended. Which process
 * belongs to which run is decided in daemon/server.c.
 */
#include "daemon/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <infprof/version.h>

#include "common/cleanup.h"
#include "daemon/clock.h"
#include "daemon/text.h"

#define JUST_NOW_NS 5000000000ull /* what is older began without us */

struct run *run_new(const char *id, const char *command, pid_t pid, uint64_t started_at_ns)
{
        struct run *run = calloc(1, sizeof(*run));
        uint64_t real = clock_real_ns(), mono = clock_mono_ns();
        uint64_t ago = real > started_at_ns ? real - started_at_ns : 0;

        if (!run)
                return NULL;
        snprintf(run->id, sizeof(run->id), "%s", id);
        run->command = strdup(command);
        run->pid = pid;
        run->started_at_ns = started_at_ns;
        run->started_mono_ns = ago < mono ? mono - ago : mono;
        run->dirty = true;
        if (ago < JUST_NOW_NS)
                beginning_look(&run->beginning);
        return run->command ? run : run_free(run);
}

struct run *run_free(struct run *run)
{
        if (!run)
                return NULL;
        runfile_close(run->file);
        free(run->command);
        free(run->path);
        free(run->trouble);
        free(run->series);
        beginning_done(&run->beginning);
        free(run);
        return NULL;
}

void run_make_id(char *ret, uint64_t started_at_ns, pid_t pid)
{
        time_t t = (time_t)(started_at_ns / 1000000000ull);
        struct tm tm;

        localtime_r(&t, &tm);
        snprintf(ret, 64, "%04d%02d%02d-%02d%02d%02d-%d", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)pid);
}

bool run_is_live(const struct run *run)
{
        return run->n_live || (run->registered && !run->told_end);
}

uint64_t run_duration_ns(const struct run *run)
{
        uint64_t to =
                run_is_live(run) || !run->ended_mono_ns ? clock_mono_ns() : run->ended_mono_ns;

        return to > run->started_mono_ns ? to - run->started_mono_ns : 0;
}

/* "Intel(R) Xeon(R) ..., 2 CPUs, Linux 6.1.0" */
static const char *machine(void)
{
        static char text[256];
        char model[128] = "", line[256];
        _cleanup_(fclosep) FILE *f = NULL;
        struct utsname u;

        if (text[0])
                return text;
        f = fopen("/proc/cpuinfo", "re");
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "model name : %127[^\n]", model) == 1)
                        break;
        uname(&u);
        snprintf(text, sizeof(text), "%s%s%ld CPUs, %s %s", model, model[0] ? ", " : "",
                 sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release);
        text_clean(text);
        return text;
}

void run_describe(const struct run *run, struct runfile_run *ret)
{
        *ret = (struct runfile_run){
                .id = run->id,
                .command = run->command,
                .pid = run->pid,
                .started_at_ns = run->started_at_ns,
                .duration_ns = run_duration_ns(run),
                .end = run->end,
                .end_value = run->end_value,
                .infprof_version = IFP_VERSION,
                .machine = machine(),
                .daemon_cpu_ns = run->cpu_ns,
                .n_adoptions = run->n_adoptions,
        };
}
