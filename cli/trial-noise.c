/* SPDX-License-Identifier: MIT */
/*
 * /proc/stat counts in hundredths of a second, so that a difference of two readings says little
 * about less than a tenth. Throttle counters are read where the processor has them (Intel's);
 * others are told by nobody, and are 0.
 */
#include "cli/trial-noise.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/cleanup.h"

#define THROTTLE "/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count"

static void read_stat(struct trial_noise *ret)
{
        unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
        _cleanup_(fclosep) FILE *f = fopen("/proc/stat", "re");
        uint64_t tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);

        ret->known = f && fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice,
                                 &system, &idle, &iowait, &irq, &softirq, &steal) == 8;
        if (!ret->known)
                return;
        ret->busy_ns = (user + nice + system + irq + softirq) * tick;
        ret->stolen_ns = steal * tick;
}

static uint64_t cpu_time(int who)
{
        struct rusage ru;

        if (getrusage(who, &ru) < 0)
                return 0;
        return (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000000u +
               (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000u;
}

static uint64_t throttle_events(void)
{
        static int there = -1; /* 0: this machine has no such counters */
        unsigned long long n, sum = 0;
        glob_t g = {0};

        if (there && glob(THROTTLE, 0, NULL, &g) == 0)
                for (size_t i = 0; i < g.gl_pathc; i++) {
                        _cleanup_(fclosep) FILE *f = fopen(g.gl_pathv[i], "re");

                        if (f && fscanf(f, "%llu", &n) == 1)
                                sum += n;
                }
        if (there)
                there = g.gl_pathc > 0;
        globfree(&g);
        return sum;
}

/* cpu.stat of our control group (version 2) and of those above it. */
static uint64_t quota_stops(void)
{
        _cleanup_(fclosep) FILE *f = fopen("/proc/self/cgroup", "re");
        char line[4096], path[4200], *slash;
        unsigned long long n, sum = 0;

        while (f && fgets(line, sizeof(line), f)) {
                if (strncmp(line, "0::/", 4) != 0)
                        continue;
                line[strcspn(line, "\n")] = '\0';
                for (;;) {
                        snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.stat", line + 3);
                        _cleanup_(fclosep) FILE *stat = fopen(path, "re");
                        char member[128];

                        while (stat && fgets(member, sizeof(member), stat))
                                if (sscanf(member, "nr_throttled %llu", &n) == 1)
                                        sum += n;
                        slash = strrchr(line + 3, '/');
                        if (!slash)
                                break;
                        *slash = '\0';
                }
        }
        return sum;
}

void trial_noise_read(struct trial_noise *ret)
{
        *ret = (struct trial_noise){0};
        read_stat(ret);
        ret->own_ns = cpu_time(RUSAGE_SELF) + cpu_time(RUSAGE_CHILDREN);
        ret->throttled = throttle_events();
        ret->quota_stops = quota_stops();
}
