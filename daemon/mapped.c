/* SPDX-License-Identifier: MIT */
/*
 * A path is only a name: the file behind it may have been replaced since a
 * process loaded it. What was loaded is told by the process's memory: the
 * build-id lies in it, and so do the program headers. Both are written once by the
 * linker. Reading them needs the right to trace the process; where that is
 * missing, or the process is gone, nothing can be known, and the file is believed.
 */
#include "daemon/mapped.h"

#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "daemon/procfs.h"

#define LONGEST 1024u /* bytes held against each other */

static bool read_memory(pid_t pid, uint64_t address, void *ret, size_t n)
{
        _cleanup_(closep) int fd = -1;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
        fd = procfs_is_ours() ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        return fd >= 0 && address <= INT64_MAX && pread(fd, ret, n, (off_t)address) == (ssize_t)n;
}

static enum mapped compare(pid_t pid, uint64_t address, const void *ours, size_t n)
{
        char theirs[LONGEST];

        n = n < sizeof(theirs) ? n : sizeof(theirs);
        if (!n || !read_memory(pid, address, theirs, n))
                return MAPPED_UNKNOWN;
        return memcmp(theirs, ours, n) ? MAPPED_OTHER : MAPPED_SAME;
}

/* The build-id in a segment of notes. */
static bool find_id(Elf *elf, const GElf_Phdr *ph, const void **ret, size_t *ret_n,
                    uint64_t *ret_at)
{
        Elf_Data *d = elf_getdata_rawchunk(elf, (int64_t)ph->p_offset, ph->p_filesz,
                                           ph->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
        size_t at = 0, name, desc;
        GElf_Nhdr n;

        while (d && at < d->d_size && (at = gelf_getnote(d, at, &n, &name, &desc)) > 0) {
                if (n.n_type != NT_GNU_BUILD_ID || n.n_namesz != 4 || !n.n_descsz ||
                    memcmp((char *)d->d_buf + name, "GNU", 4))
                        continue;
                *ret = (char *)d->d_buf + desc;
                *ret_n = n.n_descsz;
                *ret_at = ph->p_vaddr + desc;
                return true;
        }
        return false;
}

enum mapped mapped_is(pid_t pid, uint64_t base, Elf *elf)
{
        uint64_t at = 0, headers = UINT64_MAX;
        const void *id;
        size_t n_headers, n;
        GElf_Ehdr eh;
        GElf_Phdr ph;
        Elf_Data *d;

        if (pid <= 0 || !elf || !gelf_getehdr(elf, &eh) || elf_getphdrnum(elf, &n_headers))
                return MAPPED_UNKNOWN;
        for (size_t i = 0; i < n_headers && gelf_getphdr(elf, (int)i, &ph); i++) {
                if (ph.p_type == PT_NOTE && find_id(elf, &ph, &id, &n, &at))
                        return compare(pid, base + at, id, n);
                if (ph.p_type == PT_LOAD && eh.e_phoff >= ph.p_offset &&
                    eh.e_phoff - ph.p_offset < ph.p_filesz)
                        headers = ph.p_vaddr + (eh.e_phoff - ph.p_offset);
        }
        d = elf_getdata_rawchunk(elf, (int64_t)eh.e_phoff, n_headers * eh.e_phentsize, ELF_T_BYTE);
        if (!d || headers == UINT64_MAX)
                return MAPPED_UNKNOWN;
        return compare(pid, base + headers, d->d_buf, d->d_size);
}

bool mapped_find(pid_t pid, uint64_t address, char **ret_path, uint64_t *ret_start,
                 uint64_t *ret_file_offset)
{
        _cleanup_(fclosep) FILE *f = NULL;
        _cleanup_(freep) char *line = NULL;
        char name[64];
        size_t room = 0;

        snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
        f = procfs_is_ours() ? fopen(name, "re") : NULL;
        while (f && getline(&line, &room, f) > 0) {
                uint64_t start, end, offset;
                char access[5];
                int at = 0;

                line[strcspn(line, "\n")] = '\0';
                if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &start, &end,
                           access, &offset, &at) != 4 ||
                    !at || address < start || address >= end)
                        continue;
                if (access[2] != 'x' || (line[at] != '/' && strcmp(line + at, "[vdso]")))
                        return false;
                *ret_path = strdup(line + at);
                *ret_start = start;
                *ret_file_offset = offset + (address - start);
                return *ret_path != NULL;
        }
        return false;
}
