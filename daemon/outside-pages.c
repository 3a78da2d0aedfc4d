/* SPDX-License-Identifier: MIT */
/*
 * How much of a mapped file is in memory: mincore over short mappings of our own, so that
 * the engine is not stopped for it. A file of 100 GB has 25 million pages; they are
 * counted in rounds of some two milliseconds, and a pass over all files costs us a hundredth of the
 * time.
 *
 * What the path leads to is the engine's file only if the kernel shows our mapping with the same
 * device and inode as the engine's. (stat has other numbers on btrfs and overlayfs.) It is
 * only opened for reading when it is known to be a regular file.
 *
 * mincore(2): to whom neither owns the file nor may write to it, all pages look resident.
 */
#include "daemon/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/runfile.h"
#include "daemon/clock.h"

#define CHUNK     ((uint64_t)32 << 20)
#define PAGE      4096u /* at least */
#define BUDGET_NS 1500000ull
#define PACE_NS   20000000ull /* between two rounds: the rings are to be drained meanwhile */
#define WAIT      100u        /* times what a pass took */

/* What maps says of our own mapping at `p`. */
static bool is_same_file(const struct outside_file *f, const void *p)
{
        _cleanup_(fclosep) FILE *maps = fopen("/proc/self/maps", "re");
        _cleanup_(freep) char *line = NULL;
        size_t size = 0;

        while (maps && getline(&line, &size, maps) > 0) {
                struct outside_mapping m;

                if (outside_parse_mapping(line, &m) && m.start == (uintptr_t)p)
                        return m.device == f->device && m.inode == f->inode;
        }
        return false;
}

static bool tells_pages(int fd, const char *name, const struct stat *st)
{
        struct statfs fs;

        if (fstatfs(fd, &fs) < 0 || fs.f_type == HUGETLBFS_MAGIC)
                return false;
        return st->st_uid == geteuid() || !faccessat(AT_FDCWD, name, W_OK, AT_EACCESS);
}

static bool has_inode(const struct outside_file *f, int fd)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        void *p = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
        bool same = p != MAP_FAILED && is_same_file(f, p);

        if (p != MAP_FAILED)
                munmap(p, page);
        return same;
}

/* -1: there is nothing to be had at that path. The size is told also where pages are not. */
static int open_at(struct outside_file *f, const char *path)
{
        _cleanup_(closep) int at = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_(closep) int fd = -1;
        struct stat st;
        char name[32];

        if (at < 0 || fstat(at, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
                return -1;
        snprintf(name, sizeof(name), "/proc/self/fd/%d", at);
        fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || !has_inode(f, fd))
                return -1;
        if (f->size != (uint64_t)st.st_size) {
                f->size = (uint64_t)st.st_size;
                f->written = false;
        }
        f->sized = true;
        if (f->mapped_bytes > f->size)
                f->mapped_bytes = f->size;
        return tells_pages(fd, name, &st) ? steal_fd(fd) : -1;
}

/* The engine's root may be another one than ours. */
static int open_file(struct outside_file *f, pid_t pid)
{
        char path[PATH_MAX + 32];
        int fd = open_at(f, f->raw);

        if (fd >= 0 ||
            snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, f->raw) >= (int)sizeof(path))
                return fd;
        return open_at(f, path);
}

/* Bytes of pages in memory, in the chunk at `at`. false: not told. */
static bool count_chunk(int fd, uint64_t at, uint64_t n, uint64_t *ret)
{
        static unsigned char pages[CHUNK / PAGE];
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), resident = 0;
        void *p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, (off_t)at);
        int r;

        if (p == MAP_FAILED)
                return false;
        r = mincore(p, n, pages);
        munmap(p, n);
        for (uint64_t i = 0; !r && i < (n + page - 1) / page; i++)
                resident += pages[i] & 1;
        *ret = resident * page;
        return !r;
}

static void tell(struct outside *o, struct outside_file *f, uint64_t resident_bytes)
{
        if (resident_bytes != RUNFILE_NOT_TOLD && resident_bytes > f->size)
                resident_bytes = f->size; /* the last page is not full */
        if (f->resident_bytes == resident_bytes)
                return;
        f->resident_bytes = resident_bytes;
        f->written = false;
        o->files_changed = true;
}

static void next_file(struct outside_pass *p)
{
        if (p->fd >= 0)
                close(p->fd);
        p->fd = -1;
        p->at = p->resident_bytes = 0;
        p->file++;
}

/* One step of the pass: opens a file, or counts some of it. */
static void step(struct outside *o, pid_t pid)
{
        struct outside_pass *p = &o->pass;
        struct outside_file *f = &o->files[p->file];
        uint64_t n, resident;

        if (!f->mapped) {
                next_file(p);
                return;
        }
        if (p->fd < 0 && (p->fd = open_file(f, pid)) < 0) {
                tell(o, f, RUNFILE_NOT_TOLD);
                next_file(p);
                return;
        }
        n = f->size - p->at < CHUNK ? f->size - p->at : CHUNK;
        if (!count_chunk(p->fd, p->at, n, &resident)) {
                tell(o, f, RUNFILE_NOT_TOLD);
                next_file(p);
                return;
        }
        p->at += n;
        p->resident_bytes += resident;
        if (p->at < f->size)
                return;
        tell(o, f, p->resident_bytes);
        next_file(p);
}

static void end_pass(struct outside *o, uint64_t now_ns)
{
        if (o->due_files_ns < now_ns + o->pass.cost_ns * WAIT)
                o->due_files_ns = now_ns + o->pass.cost_ns * WAIT;
        o->pass = (struct outside_pass){.fd = -1};
}

void outside_stop_counting(struct outside *o)
{
        if (o->pass.fd >= 0)
                close(o->pass.fd);
        o->pass = (struct outside_pass){.fd = -1};
}

void outside_count_pages(struct outside *o, pid_t pid)
{
        uint64_t began, now;

        began = now = clock_mono_ns();
        if (!o->pass.goes_on || now < o->pass.next_ns)
                return;
        while (o->pass.file < o->n_files && now - began < BUDGET_NS) {
                step(o, pid);
                now = clock_mono_ns();
        }
        o->pass.cost_ns += now - began;
        o->pass.next_ns = now + PACE_NS;
        if (o->pass.file >= o->n_files)
                end_pass(o, now);
}
