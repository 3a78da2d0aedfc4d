/* SPDX-License-Identifier: MIT */
/*
 * A run file without a name. One that came out of a bundle lies in an anonymous file, of which
 * SQLite, which wants names, is given the bytes: a private mapping, so that nothing of it can be
 * left behind however we end. The other way round, the bytes of one instant of a run are what a
 * bundle holds.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/runfile-private.h"

#define FORMAT_AT    18 /* in the header of a database: two bytes, 2 says that it has a -wal */
#define FORMAT_PLAIN 1
#define LEAST_BYTES  512

bool runfile_has_no_name(const char *path)
{
        return !strncmp(path, RUNFILE_BY_DESCRIPTOR, strlen(RUNFILE_BY_DESCRIPTOR));
}

int runfile_open_map(struct runfile *rf)
{
        _cleanup_(closep) int fd = open(rf->path, O_RDONLY | O_CLOEXEC);
        struct stat st;
        uint8_t *bytes;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size < LEAST_BYTES)
                return RUNFILE_E_FOREIGN;
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
                return -errno;
        rf->map = bytes;
        rf->map_bytes = (size_t)st.st_size;
        memset(bytes + FORMAT_AT, FORMAT_PLAIN, 2); /* the whole is here, whatever it was */
        r = runfile_open_database(rf, ":memory:", SQLITE_OPEN_READWRITE);
        return r ? r
                 : runfile_verdict(rf->db,
                                   sqlite3_deserialize(rf->db, "main", bytes, st.st_size,
                                                       st.st_size, SQLITE_DESERIALIZE_READONLY));
}

int runfile_bytes(struct runfile *rf, size_t most, uint8_t **ret, size_t *ret_n)
{
        sqlite3_int64 n = 0;
        uint8_t *bytes;

        /* asked for its size only */
        (void)sqlite3_serialize(rf->db, "main", &n, SQLITE_SERIALIZE_NOCOPY);
        if (n > 0 && (uint64_t)n > most)
                return -EFBIG;
        bytes = sqlite3_serialize(rf->db, "main", &n, 0);
        if (!bytes || n < LEAST_BYTES) {
                sqlite3_free(bytes);
                return n > 0 ? -ENOMEM : RUNFILE_E_FOREIGN;
        }
        memset(bytes + FORMAT_AT, FORMAT_PLAIN, 2);
        *ret = bytes;
        *ret_n = (size_t)n;
        return 0;
}

void runfile_bytes_free(uint8_t *bytes)
{
        sqlite3_free(bytes);
}
