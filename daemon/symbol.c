/* SPDX-License-Identifier: MIT */
/*
 * Functions and lines of addresses in files, by elfutils: symbol tables (those
 * of .gnu_debugdata too), and DWARF where the file has it or a file beside it does
 * (.gnu_debuglink, build-id under /usr/lib/debug). Nothing is asked of the network.
 *
 * Paths come from segments, so what is opened may be anything: only regular
 * files are read, never by waiting, and one that is another file than at first is
 * not believed. libdw reads within the bounds of files that lie (tests/fuzz/fuzz-symbol.c); some
 * of them make it lose a few bytes at each address.
 */
#include "daemon/symbol.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/demangle.h"

#define N_OPEN 6u /* files kept open; a large library with DWARF takes megabytes */

struct opened {
        char *path;
        dev_t device;
        ino_t inode;
        struct timespec changed;
        Dwfl *dwfl;
        Dwfl_Module *module; /* NULL: it cannot be read */
        uint64_t used;       /* when it was asked last */
};

static struct opened files[N_OPEN];
static uint64_t clock_now;

static char debuginfo_path[] = ":.debug:/usr/lib/debug";
static char *debuginfo_paths = debuginfo_path;
static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .section_address = dwfl_offline_section_address,
        .debuginfo_path = &debuginfo_paths,
};

/* ---- files ------------------------------------------------------------------- */

static void forget(struct opened *o)
{
        if (o->dwfl)
                dwfl_end(o->dwfl);
        free(o->path);
        *o = (struct opened){0};
}

void symbols_forget(void)
{
        for (uint32_t i = 0; i < N_OPEN; i++)
                forget(&files[i]);
}

/* As linked: the module lies at the addresses that its program headers say. */
static void report(struct opened *o, int fd)
{
        o->dwfl = dwfl_begin(&callbacks);
        if (!o->dwfl)
                return;
        o->module = dwfl_report_elf(o->dwfl, o->path, o->path, fd, 0, true);
        if (!o->module || dwfl_report_end(o->dwfl, NULL, NULL))
                o->module = NULL;
}

static int open_file(struct opened *o, const char *path)
{
        _cleanup_(closep) int fd = -1;
        struct stat st;
        int copy;

        o->path = strdup(path);
        if (!o->path)
                return -ENOMEM;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return 0;
        o->device = st.st_dev;
        o->inode = st.st_ino;
        o->changed = st.st_mtim;
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* libdwfl closes it where it takes it */
        if (copy < 0)
                return 0;
        report(o, copy);
        if (!o->module)
                close(copy);
        return 0;
}

/* The file as it was opened first, if that is still what the path leads to. */
static int file_of(const char *path, struct opened **ret)
{
        struct opened *oldest = files;

        for (struct opened *o = files; o < files + N_OPEN; o++) {
                if (o->path && !strcmp(o->path, path)) {
                        struct stat st;

                        if (!o->module || stat(path, &st) < 0 || st.st_ino != o->inode ||
                            st.st_dev != o->device || st.st_mtim.tv_sec != o->changed.tv_sec ||
                            st.st_mtim.tv_nsec != o->changed.tv_nsec) {
                                forget(o);
                                oldest = o;
                                break;
                        }
                        o->used = ++clock_now;
                        *ret = o;
                        return 0;
                }
                if (o->used < oldest->used)
                        oldest = o;
        }
        forget(oldest);
        oldest->used = ++clock_now;
        *ret = oldest;
        return open_file(oldest, path);
}

/* ---- names and lines --------------------------------------------------------------- */

static const char *linkage_name(Dwarf_Die *die)
{
        Dwarf_Attribute a;

        if (dwarf_attr_integrate(die, DW_AT_linkage_name, &a) ||
            dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &a))
                return dwarf_formstring(&a);
        return NULL;
}

static char *die_name(Dwarf_Die *die)
{
        const char *name = linkage_name(die);

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

/* The name without the version that a table of dynamic symbols may add ("@@GLIBC_2.34"). */
static char *plain_name(const char *symbol)
{
        _cleanup_(freep) char *copy = strndup(symbol, strcspn(symbol, "@"));

        return copy && *copy ? ifp_demangle(copy) : NULL;
}

static char *copy_or_null(const char *s)
{
        return s && *s ? strdup(s) : NULL;
}

/* Where an inlined function was called from. */
static void call_place(Dwarf_Die *unit, Dwarf_Die *die, struct symbol *to)
{
        uint32_t index = number_of(die, DW_AT_call_file);
        Dwarf_Files *names;
        size_t n;

        to->line = number_of(die, DW_AT_call_line);
        if (!dwarf_getsrcfiles(unit, &names, &n) && index < n)
                to->file = copy_or_null(dwarf_filesrc(names, index, NULL, NULL));
}

static bool holds_code(Dwarf_Die *die)
{
        int tag = dwarf_tag(die);

        return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_subprogram;
}

/* The unit that holds an address; compilers need not write the table that says so. */
static bool find_unit(Dwarf *dwarf, uint64_t address, Dwarf_Die *ret)
{
        Dwarf_CU *unit = NULL;
        Dwarf_Die die;

        if (dwarf_addrdie(dwarf, address, ret))
                return true;
        while (!dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &die, NULL))
                if (dwarf_haspc(&die, address) > 0) {
                        *ret = die;
                        return true;
                }
        return false;
}

/* The scopes around an address within its unit, the innermost first, as the code lies (not as it
 * was written). */
static int scopes_of(Dwarf *dwarf, Dwarf_Die *unit, uint64_t address, Dwarf_Die **ret)
{
        Dwarf_Die *scopes = NULL, innermost;
        int n = dwarf_getscopes(unit, address, &scopes);

        if (n <= 0)
                return 0;
        if (!dwarf_offdie(dwarf, dwarf_dieoffset(&scopes[0]), &innermost)) {
                free(scopes);
                return 0;
        }
        free(scopes);
        n = dwarf_getscopes_die(&innermost, ret);
        return n > 0 ? n : 0;
}

static void source_of(Dwarf_Die *unit, uint64_t address, struct symbol *to)
{
        Dwarf_Line *line = dwarf_getsrc_die(unit, address);
        int n = 0;

        if (!line)
                return;
        to->file = copy_or_null(dwarf_linesrc(line, NULL, NULL));
        if (!dwarf_lineno(line, &n) && n > 0)
                to->line = (uint32_t)n;
}

/* Logical frames by DWARF; 0: it has nothing there. */
static uint32_t by_dwarf(Dwfl_Module *module, uint64_t address, struct symbol *ret)
{
        Dwarf_Die unit, *scopes = NULL;
        struct symbol next = {0};
        Dwarf_Addr bias = 0;
        Dwarf *dwarf = dwfl_module_getdwarf(module, &bias);
        uint32_t n = 0;
        int n_scopes;

        if (!dwarf || !find_unit(dwarf, address - bias, &unit))
                return 0;
        source_of(&unit, address - bias, &next);
        n_scopes = scopes_of(dwarf, &unit, address - bias, &scopes);
        for (int i = 0; i < n_scopes && n < SYMBOL_MOST; i++) {
                if (!holds_code(&scopes[i]))
                        continue;
                ret[n] = next;
                ret[n].function = die_name(&scopes[i]);
                ret[n].inlined = dwarf_tag(&scopes[i]) == DW_TAG_inlined_subroutine;
                next = (struct symbol){0};
                if (!ret[n++].inlined)
                        break;
                call_place(&unit, &scopes[i], &next);
        }
        free(scopes);
        if (!n) { /* a line without a function: of assembly */
                ret[n++] = next;
                return n;
        }
        free(next.file);
        ret[n - 1].inlined = false;
        return n;
}

int symbols_find(const char *path, uint64_t address, struct symbol *ret, uint32_t *ret_n)
{
        struct opened *o;
        const char *name;
        GElf_Off offset = 0;
        GElf_Sym sym;
        uint32_t n;
        int r;

        r = file_of(path, &o);
        if (r < 0)
                return r;
        if (!o->module)
                return SYMBOL_E_UNKNOWN;
        n = by_dwarf(o->module, address, ret);
        name = dwfl_module_addrinfo(o->module, address, &offset, &sym, NULL, NULL, NULL);
        /* beyond its end is somebody else */
        if (name && (!*name || (sym.st_size && offset >= sym.st_size)))
                name = NULL;
        if (!n)
                ret[n++] = (struct symbol){0};
        if (name) { /* the table knows the parts that compilers split functions into */
                free(ret[n - 1].function);
                ret[n - 1].function = plain_name(name);
                for (uint32_t i = 0; i < n; i++)
                        ret[i].offset = offset;
        }
        for (uint32_t i = 0; i < n; i++)
                if (!ret[i].function) { /* half a truth is none: all of it or nothing */
                        symbols_done(ret, n);
                        return SYMBOL_E_UNKNOWN;
                }
        *ret_n = n;
        return 0;
}

void symbols_done(struct symbol *symbols, uint32_t n)
{
        for (uint32_t i = 0; i < n; i++) {
                free(symbols[i].function);
                free(symbols[i].file);
        }
}
