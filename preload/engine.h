/* SPDX-License-Identifier: MIT */
/*
 * Engine knowledge: one file an engine, one line a file in the table of
 * engine.c. An engine names the kernels it wants caught and how a call of one
 * becomes a span.
 */
#pragma once

#include "preload/elf.h"
#include "preload/shim.h"

#pragma GCC visibility push(hidden)

/* Kernels wanted: an object and a symbol, both globs. The first want that matches counts. */
struct ifp_want {
        const char *object; /* of the base name; for the executable that of its file */
        const char *symbol;
        uint16_t stack_bytes;        /* of outgoing stack arguments */
        uint8_t kind;                /* enum ifp_kind */
        uint8_t level;               /* wanted from this INFPROF_KERNELS_LEVEL on */
        uint8_t hot;                 /* counted always, timed one time in N */
        uint8_t direct;              /* left out where INFPROF_GGML_PAIRED is set (for tests) */
        uint16_t engine;             /* index + 1 in the table; 0: the user's */
        const struct ifp_hook *hook; /* or NULL */
        uint32_t pattern;            /* index + 1 of the user's pattern in the segment; 0 = none */
        /*
         * NULL: all symbols that match are meant. Else the want for this one, made of `as`; NULL:
         * none. `object` is NULL where that is asked of a name alone.
         */
        struct ifp_want *(*choose)(const struct ifp_want *as, const char *object,
                                   const char *symbol);
};

struct ifp_engine {
        const char *name;
        struct ifp_want *wants;
        uint32_t n_wants;
        /* An object that a want of this engine matched was loaded, or is about to go. */
        void (*opened)(const struct ifp_elf *e);
        void (*closed)(const struct ifp_elf *e);
};

/* want.c: the engines' and the user's wants together. */
void ifp_wants_init(void);
/* The want for a symbol of an object; NULL: none. */
struct ifp_want *ifp_want_find(const char *object, const char *soname, const char *symbol);
bool ifp_want_object(const char *object, const char *soname); /* may any want match in it? */
bool ifp_want_symbol(const char *symbol);                     /* may any want match it? */
bool ifp_glob(const char *pattern, const char *s);

extern const struct ifp_engine *const ifp_engines[];
extern const uint32_t ifp_n_engines;

#pragma GCC visibility pop
