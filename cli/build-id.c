/* SPDX-License-Identifier: MIT */
/* Only headers and notes are read, and nothing that they say is believed before it is checked. */
#include "cli/build-id.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/text.h"
#include "common/cleanup.h"

#define MAX_HEADERS 128
#define MAX_NOTES   65536

static bool read_at(int fd, void *buf, size_t n, uint64_t offset)
{
        return offset <= INT64_MAX && pread(fd, buf, n, (off_t)offset) == (ssize_t)n;
}

static bool put_hex(char ret[BUILD_ID_SIZE], const uint8_t *data, size_t n)
{
        if (!n || 2 * n >= BUILD_ID_SIZE)
                return false;
        for (size_t i = 0; i < n; i++)
                sprintf(ret + 2 * i, "%02x", data[i]);
        return true;
}

static size_t padded(size_t n)
{
        return (n + 3) & ~(size_t)3;
}

/* gABI, "Note Section". */
static bool find_in_notes(char ret[BUILD_ID_SIZE], const uint8_t *notes, size_t bytes)
{
        Elf64_Nhdr h;

        for (size_t at = 0; at + sizeof(h) <= bytes;) {
                size_t name, data;

                memcpy(&h, notes + at, sizeof(h));
                name = at + sizeof(h);
                data = name + padded(h.n_namesz);
                if (h.n_namesz > bytes || h.n_descsz > bytes || data + h.n_descsz > bytes)
                        return false;
                if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 &&
                    !memcmp(notes + name, "GNU", 4))
                        return put_hex(ret, notes + data, h.n_descsz);
                at = data + padded(h.n_descsz);
        }
        return false;
}

static bool find_in_elf(char ret[BUILD_ID_SIZE], int fd)
{
        Elf64_Ehdr h;

        if (!read_at(fd, &h, sizeof(h), 0) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
            h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_phentsize != sizeof(Elf64_Phdr))
                return false;
        for (unsigned i = 0; i < h.e_phnum && i < MAX_HEADERS; i++) {
                _cleanup_(freep) uint8_t *notes = NULL;
                Elf64_Phdr p;

                if (!read_at(fd, &p, sizeof(p), h.e_phoff + i * sizeof(p)))
                        return false;
                if (p.p_type != PT_NOTE || p.p_filesz > MAX_NOTES)
                        continue;
                notes = malloc(p.p_filesz + 1);
                if (notes && read_at(fd, notes, p.p_filesz, p.p_offset) &&
                    find_in_notes(ret, notes, p.p_filesz))
                        return true;
        }
        return false;
}

/* Seconds; of a run whose start is not known, all files are too new. */
static time_t started_at(const json_t *run)
{
        struct tm tm = {0};

        return strptime(text_string(run, "started_at", ""), "%Y-%m-%dT%H:%M:%S", &tm) ? timegm(&tm)
                                                                                      : 0;
}

bool build_id_of_file(char ret[BUILD_ID_SIZE], const char *path, const json_t *run)
{
        _cleanup_(closep) int fd = -1;
        struct stat st;

        if (path[0] != '/')
                return false;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_mtime > started_at(run))
                return false;
        return find_in_elf(ret, fd);
}
