/* SPDX-License-Identifier: MIT */
/*
 * All functions of a file sorted by address, made once: libdwfl would go through
 * the whole table for each question, which takes 2 ms in node's.
 *
 * Of several names for one place the most public one is taken. A symbol without a
 * size (hand-written assembly) reaches up to the next one.
 */
#include "daemon/symbol-table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SYMBOLS (8 << 20)
#define LOOK_BACK    16u /* symbols that may lie within a longer one */

struct entry {
        uint64_t start, end;
        uint32_t index; /* of the module's symbols */
        uint32_t rank;  /* of names for one place the greatest is taken */
};

struct symbol_table {
        struct entry *entries;
        size_t n, room;
};

struct symbol_table *symbol_table_free(struct symbol_table *t)
{
        if (!t)
                return NULL;
        free(t->entries);
        free(t);
        return NULL;
}

static bool is_code(Elf *elf, const GElf_Sym *sym, GElf_Word section)
{
        GElf_Shdr sh;

        switch (GELF_ST_TYPE(sym->st_info)) {
        case STT_FUNC:
        case STT_GNU_IFUNC:
                return true;
        case STT_NOTYPE: /* a label; those of the linker and of mapping symbols have no code */
                return elf && gelf_getshdr(elf_getscn(elf, section), &sh) &&
                       sh.sh_flags & SHF_EXECINSTR;
        default:
                return false;
        }
}

static uint32_t rank_of(const GElf_Sym *sym, const char *name)
{
        uint32_t rank = 0;

        if (sym->st_size)
                rank += 64;
        if (GELF_ST_TYPE(sym->st_info) != STT_NOTYPE)
                rank += 32;
        if (GELF_ST_BIND(sym->st_info) != STB_LOCAL)
                rank += 16;
        if (GELF_ST_BIND(sym->st_info) != STB_WEAK)
                rank += 1;
        if (name[0] == '_' && name[1] == 'Z') /* underscores of a mangled name say nothing */
                return rank + 8;
        return rank + (name[0] != '_' ? 8 : name[1] != '_' ? 4 : 0);
}

static bool add(struct symbol_table *t, const struct entry *e)
{
        if (t->n == t->room) {
                size_t room = t->room ? 2 * t->room : 1024;
                struct entry *entries = realloc(t->entries, room * sizeof(*entries));

                if (!entries)
                        return false;
                t->entries = entries;
                t->room = room;
        }
        t->entries[t->n++] = *e;
        return true;
}

static int by_start(const void *a, const void *b)
{
        const struct entry *x = a, *y = b;

        if (x->start != y->start)
                return x->start < y->start ? -1 : 1;
        if (x->rank != y->rank)
                return x->rank > y->rank ? -1 : 1;
        return x->index < y->index ? -1 : x->index > y->index;
}

/* One for each place, and none without an end. */
static void settle(struct symbol_table *t)
{
        size_t n = 0;

        if (t->n)
                qsort(t->entries, t->n, sizeof(*t->entries), by_start);
        for (size_t i = 0; i < t->n; i++)
                if (!n || t->entries[n - 1].start != t->entries[i].start)
                        t->entries[n++] = t->entries[i];
        t->n = n;
        for (size_t i = 0; i < n; i++)
                if (t->entries[i].end == t->entries[i].start)
                        t->entries[i].end =
                                i + 1 < n ? t->entries[i + 1].start : t->entries[i].start + 1;
}

struct symbol_table *symbol_table_new(Dwfl_Module *module)
{
        struct symbol_table *t = calloc(1, sizeof(*t));
        int n = dwfl_module_getsymtab(module);

        for (int i = 1; t && i < n && i < MOST_SYMBOLS; i++) {
                struct entry e = {.index = (uint32_t)i};
                GElf_Word section;
                GElf_Sym sym;
                Elf *elf;
                const char *name =
                        dwfl_module_getsym_info(module, i, &sym, &e.start, &section, &elf, NULL);

                if (!name || !*name || section == SHN_UNDEF || !is_code(elf, &sym, section))
                        continue;
                e.end = e.start + sym.st_size;
                e.rank = rank_of(&sym, name);
                if (e.end >= e.start && !add(t, &e))
                        return symbol_table_free(t);
        }
        if (t)
                settle(t);
        return t;
}

const char *symbol_table_find(const struct symbol_table *t, Dwfl_Module *module, uint64_t address,
                              uint64_t *ret_offset)
{
        size_t low = 0, high = t->n;
        GElf_Sym sym;
        GElf_Addr start;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (t->entries[middle].start <= address)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (size_t i = low; i && low - i < LOOK_BACK; i--) {
                const struct entry *e = &t->entries[i - 1];

                if (address >= e->end)
                        continue;
                *ret_offset = address - e->start;
                return dwfl_module_getsym_info(module, (int)e->index, &sym, &start, NULL, NULL,
                                               NULL);
        }
        return NULL;
}
