/* SPDX-License-Identifier: MIT */
/* Addresses in files, as functions and lines of source; and the sites of threads, which are such.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct process;

/* A logical frame: a function, or one that was inlined into the next. */
struct symbol {
        char *function;  /* demangled */
        char *file;      /* of the source, or NULL */
        uint32_t line;   /* 0: not known */
        bool inlined;    /* into the next */
        uint64_t offset; /* of the address in the function that has code of its own */
};

#define SYMBOL_MOST 16u /* logical frames of one address; what more are inlined is left out */

enum {
        SYMBOL_E_UNKNOWN = 1,
};

/*
 * The functions that the byte at `address` (as linked) of the ELF file `path` belongs to, the
 * innermost first, into `ret`, which has room for SYMBOL_MOST; to be given to symbols_done. 0;
 * SYMBOL_E_UNKNOWN: no such file, no table in it or beside it, or nothing there; -ENOMEM.
 */
int symbols_find(const char *path, uint64_t address, struct symbol *ret, uint32_t *ret_n);
void symbols_done(struct symbol *symbols, uint32_t n);

/* Closes the files that are kept open. */
void symbols_forget(void);

/* Brings the sites of a process up to date, resolving at most `most` new ones. */
int sites_take(struct process *p, uint32_t most, const char **ret_why);
