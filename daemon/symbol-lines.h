/* SPDX-License-Identifier: MIT */
/* Functions, what was inlined into them, and lines of source, as a file's DWARF has them. */
#pragma once

#include <elfutils/libdw.h>
#include <stdint.h>

#include "daemon/symbol.h"

struct symbol_lines;

/* NULL: no memory. `dwarf` must live as long. */
struct symbol_lines *symbol_lines_new(Dwarf *dwarf);
struct symbol_lines *symbol_lines_free(struct symbol_lines *l);

/*
 * The logical frames at an address, the innermost first; their number. The last one is the function
 * with code of its own; of it the name may be NULL.
 */
uint32_t symbol_lines_find(struct symbol_lines *l, uint64_t address,
                           struct symbol ret[SYMBOL_MOST]);
