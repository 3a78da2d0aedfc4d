/* SPDX-License-Identifier: MIT */
/*
 * Two steps of sorted ranges, each made when it is needed first: from an
 * address to its unit (for all units together: compilers need not write
 * .debug_aranges, and clang and rustc do not), and within a unit to its function.
 * What was inlined lies in the tree below that function.
 *
 * A static function that was inlined has no linkage name in gcc's DWARF, so it goes
 * without its namespace.
 */
#include "daemon/symbol-lines.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "common/demangle.h"

#define LOOK_BACK   32u /* ranges that may lie within a longer one */
#define MOST_RANGES (4u << 20)
#define MOST_INLINE 64u /* functions inlined into each other */
#define MOST_DEPTH  128u

struct range {
        uint64_t start, end;
        Dwarf_Off die;
};

struct ranges {
        struct range *list;
        uint32_t n, room;
};

struct unit {
        struct unit *next; /* the one that was asked last is the first */
        Dwarf_Off die;
        struct ranges functions;
};

struct symbol_lines {
        Dwarf *dwarf;
        struct ranges units;
        struct unit *known;
};

/* ---- ranges ---- */

static void add(struct ranges *r, uint64_t start, uint64_t end, Dwarf_Off die)
{
        if (start >= end || r->n == MOST_RANGES)
                return;
        if (r->n == r->room) {
                uint32_t room = r->room ? 2 * r->room : 64;
                struct range *list = realloc(r->list, room * sizeof(*list));

                if (!list)
                        return;
                r->list = list;
                r->room = room;
        }
        r->list[r->n++] = (struct range){start, end, die};
}

static void add_all(struct ranges *r, Dwarf_Die *die)
{
        Dwarf_Addr base, start, end;
        ptrdiff_t at = 0;

        for (uint32_t i = 0; i < MOST_RANGES; i++) {
                at = dwarf_ranges(die, at, &base, &start, &end);
                if (at <= 0)
                        return;
                add(r, start, end, dwarf_dieoffset(die));
        }
}

static int by_start(const void *a, const void *b)
{
        const struct range *x = a, *y = b;

        if (x->start != y->start)
                return x->start < y->start ? -1 : 1;
        return x->end > y->end ? -1 : x->end < y->end;
}

static void sort(struct ranges *r)
{
        if (r->n)
                qsort(r->list, r->n, sizeof(*r->list), by_start);
}

/* The last that begins at or before the address and reaches it. */
static const struct range *find(const struct ranges *r, uint64_t address)
{
        uint32_t low = 0, high = r->n;

        while (low < high) {
                uint32_t middle = low + (high - low) / 2;

                if (r->list[middle].start <= address)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (uint32_t i = low; i && low - i < LOOK_BACK; i--)
                if (address < r->list[i - 1].end)
                        return &r->list[i - 1];
        return NULL;
}

/* ---- units and functions ---- */

struct symbol_lines *symbol_lines_new(Dwarf *dwarf)
{
        struct symbol_lines *l = calloc(1, sizeof(*l));
        Dwarf_CU *cu = NULL;
        Dwarf_Die die;

        if (!l)
                return NULL;
        l->dwarf = dwarf;
        /* No die of a split unit is asked for, so that no .dwo file is looked for. */
        while (!dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &die, NULL))
                if (dwarf_tag(&die) == DW_TAG_compile_unit)
                        add_all(&l->units, &die);
        sort(&l->units);
        return l;
}

struct symbol_lines *symbol_lines_free(struct symbol_lines *l)
{
        if (!l)
                return NULL;
        for (struct unit *u = l->known, *next; u; u = next) {
                next = u->next;
                free(u->functions.list);
                free(u);
        }
        free(l->units.list);
        free(l);
        return NULL;
}

/* May a function with code of its own lie below? */
static bool is_scope(int tag)
{
        switch (tag) {
        case DW_TAG_namespace:
        case DW_TAG_module:
        case DW_TAG_structure_type:
        case DW_TAG_class_type:
        case DW_TAG_union_type:
        case DW_TAG_interface_type:
        case DW_TAG_subprogram:
        case DW_TAG_lexical_block:
                return true;
        default:
                return false;
        }
}

static void add_functions(struct ranges *r, Dwarf_Die *of, uint32_t depth)
{
        Dwarf_Die die;

        if (depth == MOST_DEPTH || dwarf_child(of, &die))
                return;
        do {
                int tag = dwarf_tag(&die);

                if (tag == DW_TAG_subprogram)
                        add_all(r, &die);
                if (is_scope(tag))
                        add_functions(r, &die, depth + 1);
        } while (!dwarf_siblingof(&die, &die));
}

/* NULL: no memory */
static struct unit *unit_of(struct symbol_lines *l, Dwarf_Die *die)
{
        Dwarf_Off offset = dwarf_dieoffset(die);
        struct unit *u;

        for (struct unit **at = &l->known; (u = *at); at = &u->next)
                if (u->die == offset) {
                        *at = u->next;
                        break;
                }
        if (!u) {
                u = calloc(1, sizeof(*u));
                if (!u)
                        return NULL;
                u->die = offset;
                add_functions(&u->functions, die, 0);
                sort(&u->functions);
        }
        u->next = l->known;
        l->known = u;
        return u;
}

/* ---- names and places ---- */

static char *name_of(Dwarf_Die *die)
{
        Dwarf_Attribute a;
        const char *name = NULL;

        if (dwarf_attr_integrate(die, DW_AT_linkage_name, &a) ||
            dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &a))
                name = dwarf_formstring(&a);
        if (!name)
                name = dwarf_diename(die);
        return name && *name ? ifp_demangle(name) : NULL;
}

static uint32_t number_of(Dwarf_Die *die, unsigned attribute)
{
        Dwarf_Attribute a;
        Dwarf_Word v;

        if (!dwarf_attr(die, attribute, &a) || dwarf_formudata(&a, &v) || v > INT32_MAX)
                return 0;
        return (uint32_t)v;
}

static char *copy(const char *s)
{
        return s && *s ? strdup(s) : NULL;
}

/* Where an inlined function was called from. */
static void take_call(Dwarf_Die *unit, Dwarf_Die *die, struct symbol *to)
{
        uint32_t index = number_of(die, DW_AT_call_file);
        Dwarf_Files *names;
        size_t n;

        free(to->file);
        to->file = NULL;
        to->line = number_of(die, DW_AT_call_line);
        if (!dwarf_getsrcfiles(unit, &names, &n) && index < n)
                to->file = copy(dwarf_filesrc(names, index, NULL, NULL));
}

static void take_line(Dwarf_Die *unit, uint64_t address, struct symbol *to)
{
        Dwarf_Line *line = dwarf_getsrc_die(unit, address);
        int n = 0;

        if (!line)
                return;
        to->file = copy(dwarf_linesrc(line, NULL, NULL));
        if (!dwarf_lineno(line, &n) && n > 0)
                to->line = (uint32_t)n;
}

/* What was inlined at an address, the outermost first. */
static uint32_t find_inlined(Dwarf_Die *of, uint64_t address, Dwarf_Die ret[MOST_INLINE])
{
        Dwarf_Die at = *of, die;
        uint32_t n = 0;

        for (uint32_t depth = 0; depth < MOST_DEPTH && !dwarf_child(&at, &die); depth++) {
                int tag;

                do {
                        tag = dwarf_tag(&die);
                        if ((tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block) &&
                            dwarf_haspc(&die, address) > 0)
                                break;
                        tag = 0;
                } while (!dwarf_siblingof(&die, &die));
                if (!tag)
                        break;
                if (tag == DW_TAG_inlined_subroutine) {
                        if (n == MOST_INLINE)
                                break;
                        ret[n++] = die;
                }
                at = die;
        }
        return n;
}

uint32_t symbol_lines_find(struct symbol_lines *l, uint64_t address, struct symbol ret[SYMBOL_MOST])
{
        const struct range *in = find(&l->units, address), *function;
        Dwarf_Die unit_die, die, inlined[MOST_INLINE];
        struct symbol next = {0};
        struct unit *unit;
        uint32_t n = 0, n_inlined;

        if (!in || !dwarf_offdie(l->dwarf, in->die, &unit_die))
                return 0;
        unit = unit_of(l, &unit_die);
        if (!unit)
                return 0;
        take_line(&unit_die, address, &next);
        function = find(&unit->functions, address);
        if (!function || !dwarf_offdie(l->dwarf, function->die, &die)) {
                if (!next.file) /* else a line without a function: of assembly */
                        return 0;
                ret[0] = next;
                return 1;
        }
        n_inlined = find_inlined(&die, address, inlined);
        for (uint32_t i = n_inlined; i > 0 && n + 1 < SYMBOL_MOST; i--) {
                ret[n] = next;
                ret[n].function = name_of(&inlined[i - 1]);
                ret[n++].inlined = true;
                next = (struct symbol){0};
                take_call(&unit_die, &inlined[i - 1], &next);
        }
        if (n_inlined > n) /* the middle is left out */
                take_call(&unit_die, &inlined[0], &next);
        ret[n] = next;
        ret[n++].function = name_of(&die);
        for (uint32_t i = 0; i < n; i++)
                ret[i].offset = address - function->start;
        return n;
}
