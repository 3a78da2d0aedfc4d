/* SPDX-License-Identifier: MIT */
/*
 * A look at a process's memory from outside: smaps_rollup, and where that is denied
 * or missing, status, which has no proportional share.
 *
 * A look is not free for the engine: its page tables are walked under its memory
 * lock, and a thread that maps or unmaps waits. So each look is timed, and the next one
 * waits a hundred times as long. The last one stays: it is what an ended process has.
 *
 * The kernel's Anonymous is of all pages that belong to no file, also the private copies
 * of a file's; shared memory is told by status alone. What is neither is of files.
 */
#include "daemon/outside.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/runfile.h"
#include "daemon/clock.h"
#include "daemon/procfs.h"

#define FIRST_NS 100000000ull /* soon, but not before the engine has begun */
#define LEAST_NS 1000000000ull
#define WAIT     100u /* times what a look took */

void outside_init(struct outside *o, uint64_t now_ns)
{
        *o = (struct outside){
                .due_look_ns = now_ns + FIRST_NS,
                .due_files_ns = now_ns + FIRST_NS,
                .pass = {.fd = -1},
        };
}

void outside_done(struct outside *o)
{
        outside_stop_counting(o);
        outside_files_done(o);
}

void outside_end(struct outside *o, pid_t pid)
{
        o->pass.next_ns = 0;
        outside_count_pages(o, pid); /* the files are still there */
        outside_stop_counting(o);
}

/* The value of a line "Name:  N kB", in bytes. */
static uint64_t value(const char *text, const char *name)
{
        size_t n = strlen(name);

        for (const char *line = text; line; line = strchr(line, '\n')) {
                uint64_t kib;

                line += *line == '\n';
                if (!strncmp(line, name, n) && line[n] == ':' &&
                    sscanf(line + n + 1, "%" SCNu64, &kib) == 1 && kib <= INT64_MAX / 1024)
                        return kib * 1024;
        }
        return RUNFILE_NOT_TOLD;
}

/* Of all that are told. */
static uint64_t sum(const char *text, const char *const *names)
{
        uint64_t all = RUNFILE_NOT_TOLD;

        for (; *names; names++) {
                uint64_t v = value(text, *names);

                if (v != RUNFILE_NOT_TOLD)
                        all = all == RUNFILE_NOT_TOLD ? v : all + v;
        }
        return all;
}

/* The text has them at two instants, or rounded: never below 0. */
static uint64_t less(uint64_t a, uint64_t b)
{
        if (a == RUNFILE_NOT_TOLD || b == RUNFILE_NOT_TOLD)
                return RUNFILE_NOT_TOLD;
        return a > b ? a - b : 0;
}

static uint64_t shared_memory(const char *rollup, const char *status)
{
        uint64_t v = value(status, "RssShmem");

        if (v == RUNFILE_NOT_TOLD && value(rollup, "Pss_Shmem") == 0)
                v = 0;
        return v;
}

struct outside_look outside_parse(const char *rollup, const char *status)
{
        static const char *const huge[] = {"AnonHugePages",  "ShmemPmdMapped",  "FilePmdMapped",
                                           "Shared_Hugetlb", "Private_Hugetlb", NULL};
        struct outside_look l = {
                .rss = value(rollup, "Rss"),
                .pss = value(rollup, "Pss"),
                .anonymous = value(rollup, "Anonymous"),
                .huge = sum(rollup, huge),
                .swap = value(rollup, "Swap"),
                .minor_faults = RUNFILE_NOT_TOLD,
                .major_faults = RUNFILE_NOT_TOLD,
        };

        l.file = less(less(l.rss, l.anonymous), shared_memory(rollup, status));
        if (l.rss != RUNFILE_NOT_TOLD)
                return l;
        l.rss = value(status, "VmRSS");
        l.anonymous = value(status, "RssAnon");
        l.file = value(status, "RssFile");
        l.swap = value(status, "VmSwap");
        return l;
}

bool outside_parse_stat(const char *stat, uint64_t *ret_minor, uint64_t *ret_major,
                        uint64_t *ret_start)
{
        const char *end = strrchr(stat, ')'); /* the name before it may be anything */
        uint64_t minor, major, start;

        if (!end || sscanf(end + 1,
                           " %*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %" SCNu64
                           " %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
                           &minor, &major, &start) != 3)
                return false;
        *ret_minor = minor;
        *ret_major = major;
        *ret_start = start;
        return true;
}

static const char *read_of(pid_t pid, const char *what, char *buf, size_t size)
{
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
        return procfs_read(path, buf, size) > 0 ? buf : NULL;
}

/* stat comes last: if it is still the same process, so it was before. */
static bool look(struct outside *o, pid_t pid, struct outside_look *ret)
{
        char rollup[4096], status[8192], stat[1024];
        const char *r = read_of(pid, "smaps_rollup", rollup, sizeof(rollup));
        const char *s = read_of(pid, "status", status, sizeof(status));
        struct outside_look l = outside_parse(r, s);
        uint64_t minor, major, start;

        if (l.rss == RUNFILE_NOT_TOLD || !read_of(pid, "stat", stat, sizeof(stat)) ||
            !outside_parse_stat(stat, &minor, &major, &start))
                return false;
        if (o->start && o->start != start)
                return false;
        o->start = start;
        l.minor_faults = minor <= INT64_MAX ? minor : RUNFILE_NOT_TOLD;
        l.major_faults = major <= INT64_MAX ? major : RUNFILE_NOT_TOLD;
        *ret = l;
        return true;
}

/* The engine is left alone for so long. */
static void leave_alone(struct outside *o, uint64_t began_ns)
{
        uint64_t now = clock_mono_ns();

        o->quiet_until_ns = now + (now - began_ns) * WAIT;
}

bool outside_look(struct outside *o, pid_t pid, uint64_t now_ns, struct outside_look *ret)
{
        if (now_ns >= o->due_look_ns && now_ns >= o->quiet_until_ns) {
                uint64_t began = clock_mono_ns();

                o->known |= look(o, pid, &o->last);
                leave_alone(o, began);
                o->due_look_ns = now_ns + LEAST_NS;
        }
        if (o->known)
                *ret = o->last;
        return o->known;
}

static bool take_look(struct outside *o, pid_t pid, uint64_t now_ns)
{
        struct outside_look before = o->last, now;

        return outside_look(o, pid, now_ns, &now) && memcmp(&now, &before, sizeof(now)) != 0;
}

static void take_files(struct outside *o, pid_t pid, uint64_t now_ns)
{
        uint64_t began = clock_mono_ns();

        if (now_ns < o->due_files_ns || now_ns < o->quiet_until_ns || o->pass.goes_on)
                return;
        outside_look_at_files(o, pid, now_ns);
        leave_alone(o, began);
}

static bool is_all_written(const struct outside *o)
{
        for (uint32_t i = 0; i < o->n_files; i++)
                if (!o->files[i].written)
                        return false;
        return true;
}

/* They keep each other waiting: what was due first comes first. */
bool outside_take(struct outside *o, pid_t pid, uint64_t now_ns)
{
        bool changed;

        if (o->due_files_ns < o->due_look_ns)
                take_files(o, pid, now_ns);
        changed = take_look(o, pid, now_ns);
        take_files(o, pid, now_ns);
        outside_count_pages(o, pid);
        return changed || !is_all_written(o);
}
