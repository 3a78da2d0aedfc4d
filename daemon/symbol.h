/* SPDX-License-Identifier: MIT */
/* Addresses in files, as names of functions; and the sites of threads, which are such. */
#pragma once

#include <stdint.h>

struct process;

/*
 * The function that holds the byte at `address` (as linked) of the ELF file `path`; `ret_name` as
 * the symbol table has it, to be freed. 0; SYMBOL_E_UNKNOWN: no file, no table, or none there.
 */
enum {
        SYMBOL_E_UNKNOWN = 1,
};
int symbol_find(const char *path, uint64_t address, char **ret_name, uint64_t *ret_offset);

/* Brings the sites of a process up to date, resolving at most `most` new ones. */
int sites_take(struct process *p, uint32_t most, const char **ret_why);
