/* SPDX-License-Identifier: MIT */
/*
 * What makes two runs of one command on one machine differ, as far as the kernel tells it: its
 * version, how CPUs clock, how memory is backed, and who else is at work. It is looked at once,
 * before the command has done anything.
 */
#include "daemon/beginning.h"

#include <fcntl.h>
#include <glob.h>
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/build-id.h"
#include "common/cleanup.h"
#include "daemon/procfs.h"
#include "daemon/text.h"

#define MOST_GOVERNORS 128 /* characters of their names */

static const char governors[] = "/sys/devices/system/cpu/cpufreq/policy*/scaling_governor";

/* The first line, without its end; NULL: it cannot be read. */
static char *first_line(const char *path)
{
        char text[256];

        return procfs_read(path, text, sizeof(text)) > 0 ? text_copy(text, strcspn(text, "\n"))
                                                         : NULL;
}

static uint64_t number_in(const char *path)
{
        char text[64], *end;
        uint64_t v;

        if (procfs_read(path, text, sizeof(text)) <= 0)
                return RUNFILE_NOT_TOLD;
        v = strtoull(text, &end, 10);
        return end > text && v <= INT64_MAX ? v : RUNFILE_NOT_TOLD;
}

/* Names of all that are there, each once. */
static char *read_governors(void)
{
        char all[MOST_GOVERNORS] = "";
        glob_t g;

        if (glob(governors, 0, NULL, &g))
                return NULL;
        for (size_t i = 0; i < g.gl_pathc; i++) {
                _cleanup_(freep) char *name = first_line(g.gl_pathv[i]);
                size_t n = strlen(all);

                if (name && *name && !strstr(all, name) && n + strlen(name) + 3 < sizeof(all))
                        snprintf(all + n, sizeof(all) - n, "%s%s", n ? ", " : "", name);
        }
        globfree(&g);
        return *all ? strdup(all) : NULL;
}

static uint64_t read_turbo(void)
{
        uint64_t no = number_in("/sys/devices/system/cpu/intel_pstate/no_turbo");

        return no != RUNFILE_NOT_TOLD ? !no : number_in("/sys/devices/system/cpu/cpufreq/boost");
}

/* The word in brackets: "always [madvise] never". */
static char *read_huge_pages(void)
{
        _cleanup_(freep) char *line = first_line("/sys/kernel/mm/transparent_hugepage/enabled");
        const char *open = line ? strchr(line, '[') : NULL;

        return open ? text_copy(open + 1, strcspn(open + 1, "]")) : NULL;
}

/* PRETTY_NAME="..." */
static char *read_os(void)
{
        _cleanup_(fclosep) FILE *f = fopen("/etc/os-release", "re");
        char line[256], name[200];

        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "PRETTY_NAME=\"%199[^\"\n]", name) == 1 ||
                    sscanf(line, "PRETTY_NAME=%199[^\"\n]", name) == 1)
                        return text_copy(name, sizeof(name));
        return NULL;
}

static char *read_kernel(void)
{
        struct utsname u;

        return uname(&u) ? text_copy("unknown", 7) : text_format("%s %s", u.sysname, u.release);
}

static void read_memory(struct runfile_surroundings *s)
{
        _cleanup_(fclosep) FILE *f = fopen("/proc/meminfo", "re");
        char line[128];
        uint64_t kib;

        while (f && fgets(line, sizeof(line), f)) {
                if (sscanf(line, "MemTotal: %" SCNu64, &kib) == 1 && kib <= INT64_MAX / 1024)
                        s->memory_bytes = kib * 1024;
                else if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1 &&
                         kib <= INT64_MAX / 1024)
                        s->available_bytes = kib * 1024;
        }
}

/* "0.42 0.31 0.22 2/345 6789": we are one of the two. */
static void read_load(struct runfile_surroundings *s)
{
        char text[128];
        double load[3];
        uint64_t runnable, all;

        if (procfs_read("/proc/loadavg", text, sizeof(text)) <= 0 ||
            sscanf(text, "%lf %lf %lf %" SCNu64 "/%" SCNu64, &load[0], &load[1], &load[2],
                   &runnable, &all) != 5)
                return;
        for (int i = 0; i < 3; i++)
                if (!(load[i] >= 0 && load[i] < 1e9))
                        return;
        s->load_1 = (uint64_t)(load[0] * 1000 + 0.5);
        s->load_5 = (uint64_t)(load[1] * 1000 + 0.5);
        s->load_15 = (uint64_t)(load[2] * 1000 + 0.5);
        s->runnable = runnable ? runnable - 1 : 0;
}

/* "some avg10=1.23 avg60=...", in percent. */
static uint64_t read_pressure(void)
{
        char text[256];
        double percent;

        if (procfs_read("/proc/pressure/cpu", text, sizeof(text)) <= 0 ||
            sscanf(text, "some avg10=%lf", &percent) != 1 || !(percent >= 0 && percent <= 100))
                return RUNFILE_NOT_TOLD;
        return (uint64_t)(percent * 10 + 0.5);
}

static char *read_own_build_id(void)
{
        _cleanup_(closep) int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        char id[BUILD_ID_SIZE];

        return fd >= 0 && build_id_of_file_descriptor(id, fd) ? strdup(id) : NULL;
}

void beginning_look(struct beginning *ret)
{
        struct runfile_surroundings *s = &ret->row;

        *s = (struct runfile_surroundings){
                .kernel = read_kernel(),
                .os = read_os(),
                .libc = text_format("glibc %s", gnu_get_libc_version()),
                .governor = read_governors(),
                .huge_pages = read_huge_pages(),
                .turbo = read_turbo(),
                .numa_balancing = number_in("/proc/sys/kernel/numa_balancing"),
                .memory_bytes = RUNFILE_NOT_TOLD,
                .available_bytes = RUNFILE_NOT_TOLD,
                .load_1 = RUNFILE_NOT_TOLD,
                .load_5 = RUNFILE_NOT_TOLD,
                .load_15 = RUNFILE_NOT_TOLD,
                .runnable = RUNFILE_NOT_TOLD,
                .cpu_pressure = read_pressure(),
                .daemon_build_id = read_own_build_id(),
        };
        read_memory(s);
        read_load(s);
        ret->known = s->kernel != NULL;
}

void beginning_done(struct beginning *b)
{
        const char *texts[] = {b->row.kernel,   b->row.os,         b->row.libc,
                               b->row.governor, b->row.huge_pages, b->row.daemon_build_id};

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                free((char *)texts[i]);
        *b = (struct beginning){0};
}
