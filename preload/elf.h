/* SPDX-License-Identifier: MIT */
/*
 * A loaded object as its own headers describe it. Everything here reads what
 * the loader has mapped and relocated; nothing allocates, nothing sets errno.
 */
#pragma once

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

struct ifp_elf {
        const char *path; /* "" for the executable */
        uint64_t base;    /* load bias */
        uint64_t start, end;
        uint64_t relro_start, relro_end; /* whole pages that are read-only; equal = none */
        const ElfW(Phdr) * phdr;
        uint16_t n_phdr;
        const ElfW(Dyn) * dynamic;
        const ElfW(Sym) * symtab;
        const char *strtab;
        uint64_t strtab_bytes;
        const uint32_t *gnu_hash;
        const uint32_t *sysv_hash;
        const ElfW(Half) * versym;
        const ElfW(Verdef) * verdef;
        const ElfW(Verneed) * verneed;
        uint32_t n_verdef, n_verneed;
        const ElfW(Rela) * rela, *jmprel;
        uint64_t n_rela, n_jmprel;
        const char *soname; /* or NULL */
        bool symbolic;      /* looks into itself first */
};

/* false: not an object with a dynamic section we can read. */
bool ifp_elf_read(struct ifp_elf *ret, const struct dl_phdr_info *info);

/* Number of entries of the dynamic symbol table. */
uint32_t ifp_elf_n_symbols(const struct ifp_elf *e);

/*
 * The definition that a reference to `name` with `version` (NULL: none) would
 * get from this object; NULL: none. Without a version it is the default one.
 */
const ElfW(Sym) * ifp_elf_find(const struct ifp_elf *e, const char *name, const char *version);

/* Points `field` at the object's function `symbol`; NULL: it has none. */
#define IFP_ELF_FUNCTION(e, field, symbol)                                                         \
        do {                                                                                       \
                const ElfW(Sym) *s_ = ifp_elf_find(e, symbol, NULL);                               \
                field = s_ ? (__typeof__(field))(uintptr_t)((e)->base + s_->st_value) : NULL;      \
        } while (0)

/* The version that reference `index` of the symbol table asks for; NULL: none. */
const char *ifp_elf_wanted_version(const struct ifp_elf *e, uint32_t index);

/* The address of a definition; an IFUNC is resolved by asking it. */
uint64_t ifp_elf_address(const struct ifp_elf *e, const ElfW(Sym) * sym);

/* An address in executable memory of the object that holds a ret instruction; NULL: none. */
const void *ifp_elf_ret_gadget(const struct ifp_elf *e);

#pragma GCC visibility pop
