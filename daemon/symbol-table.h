/* SPDX-License-Identifier: MIT */
/* The functions of a file by address, as its symbol tables have them. */
#pragma once

#include <elfutils/libdwfl.h>
#include <stdint.h>

struct symbol_table;

/* Of .symtab, else of .dynsym, and of .gnu_debugdata. NULL: no memory. */
struct symbol_table *symbol_table_new(Dwfl_Module *module);
struct symbol_table *symbol_table_free(struct symbol_table *t);

/* The name as the table has it, which lives with the module; NULL: no function is there. */
const char *symbol_table_find(const struct symbol_table *t, Dwfl_Module *module, uint64_t address,
                              uint64_t *ret_offset);
