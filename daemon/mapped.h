/* SPDX-License-Identifier: MIT */
/* What a process has mapped, held against files. It may be gone, or refuse. */
#pragma once

#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum mapped {
        MAPPED_UNKNOWN, /* gone, or not ours to see */
        MAPPED_SAME,
        MAPPED_OTHER, /* the file was replaced since it was loaded */
};

/* Is it this file that is mapped there? By its build-id, else by its program headers. */
enum mapped mapped_is(pid_t pid, uint64_t base, Elf *elf);

/*
 * The file that is mapped executable at an address: its path as /proc has it ("[vdso]" too), and
 * where in the file the address lies. false: none.
 */
bool mapped_find(pid_t pid, uint64_t address, char **ret_path, uint64_t *ret_start,
                 uint64_t *ret_file_offset);
