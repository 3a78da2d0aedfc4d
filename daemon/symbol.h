/* SPDX-License-Identifier: MIT */
/* Addresses in files, as functions and lines of source. Called in the symboliser's process only
 * (daemon/symboliser.h), and by tests. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

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
        SYMBOL_E_LATER = 2, /* see symboliser_find */
};

/* An address in a file that a process has loaded, or had. */
struct symbol_place {
        const char *path;
        uint64_t address;   /* as linked */
        bool in_file;       /* no: an offset in the file */
        pid_t pid;          /* 0: no process; then the file is taken as it is */
        uint64_t base;      /* the process's addresses - those as linked */
        bool without_dwarf; /* tables of symbols only */
};

/*
 * The functions that the byte at a place belongs to, the innermost first, into `ret`, which has
 * room for SYMBOL_MOST; to be given to symbols_done. 0; SYMBOL_E_UNKNOWN: no such file, another
 * one than was loaded, no table in it or beside it, or nothing there; -ENOMEM.
 */
int symbols_find_place(const struct symbol_place *place, struct symbol *ret, uint32_t *ret_n);
int symbols_find(const char *path, uint64_t address, struct symbol *ret, uint32_t *ret_n);
void symbols_done(struct symbol *symbols, uint32_t n);

/* Closes the files that are kept open. */
void symbols_forget(void);
