/* SPDX-License-Identifier: MIT */
/*
 * What makes a descriptor from a stranger a segment that can be read: it must
 * be a memfd on ordinary pages, sealed against shrinking (so no access to it
 * can end in SIGBUS), as large as it says, of our layout. The header is copied
 * once and checked in the copy; nothing later looks at the original again.
 *
 * Counts in `live` go on growing while we read. They are copied by
 * segment_count, which holds them against the size of the tables and
 * against the counts of the time before. Whatever indexes a table is checked against such
 * a copy.
 */
#include "daemon/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/text.h"

#define LONGEST_NAME 4096u
#define COPY_TRIES   8 /* the writer is quick; what is not had now, is had a second later */

static int check_fd(int fd, uint64_t *ret_size, const char **ret_why)
{
        struct statfs fs;
        struct stat st;
        int seals;

        seals = fcntl(fd, F_GET_SEALS);
        if (seals < 0)
                return segment_bad(ret_why, "what it sent is not a memfd");
        if (!(seals & F_SEAL_SHRINK))
                return segment_bad(ret_why, "the segment is not sealed against shrinking");
        if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || fs.f_type != TMPFS_MAGIC)
                return segment_bad(ret_why, "the segment is not on ordinary memory pages");
        if (st.st_uid != geteuid())
                return segment_bad(ret_why, "the segment belongs to another user");
        *ret_size = (uint64_t)st.st_size;
        return 0;
}

static int check_header(const struct ifp_header *h, uint64_t size, const char **ret_why)
{
        if (h->magic != IFP_MAGIC)
                return segment_bad(ret_why, "wrong magic: not a segment of infprof");
        if (h->abi < IFP_ABI_VERSION || h->compat > IFP_ABI_VERSION)
                return segment_bad(ret_why,
                                   "the shim is of another version than the daemon: use both from "
                                   "one installation");
        if (h->record_bytes != sizeof(struct ifp_record) || h->ring_slots != IFP_RING_SLOTS ||
            h->max_ops != IFP_MAX_OPS || h->lane_bytes != sizeof(struct ifp_lane) ||
            h->lanes_offset != offsetof(struct ifp_segment, lanes))
                return segment_bad(ret_why, "the sizes in its header are not those of this layout");
        if (h->n_lanes < 1 || h->n_lanes > IFP_MAX_LANES)
                return segment_bad(ret_why, "its number of lanes is out of range");
        if (h->segment_bytes != ifp_segment_bytes(h->n_lanes) || size < h->segment_bytes)
                return segment_bad(ret_why, "the segment is smaller than its header says");
        if (h->ticks_per_second < 1000000 || h->ticks_per_second > 100000000000ull)
                return segment_bad(ret_why, "its clock cannot be true");
        return 0;
}

/*
 * A ring has one reader. The lock is the process's (not the descriptor's, which
 * the engine shares), so it goes when we go, however that happens.
 */
static int take_lock(int fd, const char **ret_why)
{
        struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

        if (!fcntl(fd, F_SETLK, &l))
                return 0;
        if (errno != EAGAIN && errno != EACCES)
                return -errno;
        *ret_why = "another infprofd reads it";
        return SEGMENT_E_TAKEN;
}

void segment_lock(const struct segment *s)
{
        const char *why;

        (void)take_lock(s->fd, &why);
}

int segment_open(struct segment *ret, int fd, const char **ret_why)
{
        struct segment s = {.fd = fd};
        struct stat st;
        uint64_t size = 0;
        ssize_t n;
        int r;

        r = check_fd(fd, &size, ret_why);
        if (r)
                return r;
        if (size < sizeof(struct ifp_segment))
                return segment_bad(ret_why, "too small to be a segment");
        n = pread(fd, &s.header, sizeof(s.header), 0);
        if (n < 0)
                return -errno;
        if ((size_t)n != sizeof(s.header))
                return segment_bad(ret_why, "too small to be a segment");
        r = check_header(&s.header, size, ret_why);
        if (r)
                return r;
        s.header.run[sizeof(s.header.run) - 1] = '\0';
        text_clean(s.header.run);
        r = take_lock(fd, ret_why);
        if (r)
                return r;
        s.bytes = s.header.segment_bytes;
        if (fstat(fd, &st) < 0)
                return -errno;
        s.device = st.st_dev;
        s.inode = st.st_ino;
        s.map = mmap(NULL, s.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        if (s.map == MAP_FAILED) {
                if (errno == EPERM || errno == EACCES)
                        return segment_bad(ret_why, "the segment cannot be mapped for writing");
                return -errno;
        }
        /* A core of ours must not carry gigabytes of holes; and no huge pages for a sparse thing.
         */
        (void)madvise(s.map, s.bytes, MADV_DONTDUMP);
        (void)madvise(s.map, s.bytes, MADV_DONTFORK); /* the symboliser must not hold it */
        *ret = s;
        return 0;
}

void segment_close(struct segment *s)
{
        if (s->map)
                munmap(s->map, s->bytes);
        if (s->fd >= 0)
                close(s->fd);
        s->map = NULL;
        s->fd = -1;
}

/* One count of a table: at most `max`, never less than before. */
static int take(const uint32_t *from, uint32_t *to, uint32_t max)
{
        uint32_t n = __atomic_load_n(from, __ATOMIC_ACQUIRE);

        if (n > max || n < *to)
                return SEGMENT_E_BAD;
        *to = n;
        return 0;
}

int segment_count(const struct segment *s, struct segment_counts *counts, const char **ret_why)
{
        const struct ifp_live *live = &s->map->live;

        /* names last: it covers what the entries before it point to */
        if (take(&live->n_lanes_used, &counts->n_lanes, s->header.n_lanes) ||
            take(&live->n_ops, &counts->n_ops, IFP_MAX_OPS) || counts->n_ops < IFP_OP_FIRST ||
            take(&live->n_objects, &counts->n_objects, IFP_MAX_OBJECTS) ||
            take(&live->n_sites, &counts->n_sites, IFP_MAX_SITES) ||
            take(&live->names_bytes, &counts->names_bytes, IFP_NAMES_BYTES))
                return segment_bad(ret_why, "the counts of its tables lie");
        return 0;
}

int segment_name(const struct segment *s, const struct segment_counts *counts, uint32_t offset,
                 char **ret, const char **ret_why)
{
        uint32_t left;
        char *name;

        if (offset >= counts->names_bytes)
                return segment_bad(ret_why, "a name lies outside of its table");
        left = counts->names_bytes - offset;
        name = text_copy(s->map->names + offset, left < LONGEST_NAME ? left : LONGEST_NAME);
        if (!name)
                return -ENOMEM;
        *ret = name;
        return 0;
}

bool segment_next_data(const struct segment *s, uint64_t from, uint64_t to, uint64_t *ret_from,
                       uint64_t *ret_to)
{
        off_t data, hole;

        if (from >= to)
                return false;
        data = lseek(s->fd, (off_t)from, SEEK_DATA);
        if (data < 0 || (uint64_t)data >= to)
                return false;
        hole = lseek(s->fd, data, SEEK_HOLE);
        if (hole < 0 || (uint64_t)hole > to)
                hole = (off_t)to;
        *ret_from = (uint64_t)data;
        *ret_to = (uint64_t)hole;
        return hole > data;
}

bool segment_copy_under(const uint32_t *seq, void *to, const void *from, size_t bytes)
{
        for (int i = 0; i < COPY_TRIES; i++) {
                uint32_t before = __atomic_load_n(seq, __ATOMIC_ACQUIRE);

                if (before & 1)
                        continue;
                segment_copy_words(to, from, bytes);
                __atomic_thread_fence(__ATOMIC_ACQUIRE);
                if (__atomic_load_n(seq, __ATOMIC_RELAXED) == before)
                        return true;
        }
        return false;
}

uint64_t segment_resident(const struct segment *s)
{
        struct stat st;

        return fstat(s->fd, &st) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}

void segment_forget_ring(const struct segment *s, uint32_t lane)
{
        uint64_t at = segment_lane_offset(lane) + offsetof(struct ifp_lane, ring);

        (void)fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
                        sizeof(struct ifp_record) * IFP_RING_SLOTS);
}
