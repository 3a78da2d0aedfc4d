/* SPDX-License-Identifier: MIT */
/* Only headers and notes are read, and nothing that they say is believed before it is checked. */
#include "common/build-id.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define MAX_HEADERS 128
#define MAX_NOTES   65536

/* Where an object is read: as a file, or as it was loaded. */
struct object {
        int fd;
        bool loaded;
        uint64_t start, bias;
};

static bool read_at(const struct object *o, void *buf, size_t n, uint64_t at)
{
        return at <= INT64_MAX && pread(o->fd, buf, n, (off_t)at) == (ssize_t)n;
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

static bool find(char ret[BUILD_ID_SIZE], const struct object *o)
{
        Elf64_Ehdr h;

        if (!read_at(o, &h, sizeof(h), o->start) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
            h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_phentsize != sizeof(Elf64_Phdr))
                return false;
        for (unsigned i = 0; i < h.e_phnum && i < MAX_HEADERS; i++) {
                _cleanup_(freep) uint8_t *notes = NULL;
                Elf64_Phdr p;

                if (!read_at(o, &p, sizeof(p), o->start + h.e_phoff + i * sizeof(p)))
                        return false;
                if (p.p_type != PT_NOTE || p.p_filesz > MAX_NOTES)
                        continue;
                notes = malloc(p.p_filesz + 1);
                if (notes &&
                    read_at(o, notes, p.p_filesz, o->loaded ? o->bias + p.p_vaddr : p.p_offset) &&
                    find_in_notes(ret, notes, p.p_filesz))
                        return true;
        }
        return false;
}

bool build_id_of_file_descriptor(char ret[BUILD_ID_SIZE], int fd)
{
        return find(ret, &(struct object){.fd = fd});
}

bool build_id_of_memory(char ret[BUILD_ID_SIZE], int fd, uint64_t start, uint64_t bias)
{
        return find(ret, &(struct object){fd, true, start, bias});
}
