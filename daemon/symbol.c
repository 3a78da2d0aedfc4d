/* SPDX-License-Identifier: MIT */
/*
 * Functions and lines of addresses in files, by elfutils: symbol tables (those
 * of .gnu_debugdata too), and DWARF where the file has it or a file beside it does
 * (.gnu_debuglink, build-id under /usr/lib/debug). Nothing is asked of the network:
 * the symboliser has no DEBUGINFOD_URLS.
 *
 * Paths come from segments, so what is opened may be anything: only regular
 * files are read, never by waiting, and a file that is not the one a process
 * has loaded is not believed (mapped.c). What elfutils makes of a file that lies
 * is guarded from outside: all this runs in a process of its own, which may crash,
 * loop, swell or hang, and is then replaced (symboliser.c).
 */
#include "daemon/symbol.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/demangle.h"
#include "daemon/mapped.h"
#include "daemon/symbol-lines.h"
#include "daemon/symbol-table.h"

#define N_OPEN    6u /* files kept open; a large library with DWARF takes megabytes */
#define N_CHECKED 8u /* processes that a file was held against */

struct opened {
        char *path;
        bool is_vdso;
        dev_t device;
        ino_t inode;
        struct timespec changed;
        Dwfl *dwfl;
        Dwfl_Module *module; /* NULL: it cannot be read */
        struct symbol_table *table;
        struct symbol_lines *lines;
        bool looked_for_lines;
        Dwarf_Addr bias; /* addresses of the module - those of its DWARF */
        struct checked {
                pid_t pid;
                uint64_t base;
                enum mapped is;
        } checked[N_CHECKED];
        uint32_t n_checked; /* goes round */
        uint64_t used;      /* when it was asked last */
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
        symbol_table_free(o->table);
        symbol_lines_free(o->lines);
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

/* The kernel gives the same one to all; ours has a file for libdwfl. */
static int open_vdso(void)
{
        const ElfW(Ehdr) *eh = (void *)getauxval(AT_SYSINFO_EHDR);
        size_t size = eh ? eh->e_shoff + (size_t)eh->e_shnum * eh->e_shentsize : 0;
        int fd = eh ? memfd_create("vdso", MFD_CLOEXEC) : -1;

        if (fd >= 0 && write(fd, eh, size) != (ssize_t)size) {
                close(fd);
                return -1;
        }
        return fd;
}

/* A regular file, and nothing else is even touched: opening a device can do something. */
static int open_regular(const char *path, struct stat *ret)
{
        _cleanup_(closep) int fd = open(path, O_PATH | O_CLOEXEC);
        char link[64];

        if (fd < 0 || fstat(fd, ret) < 0 || !S_ISREG(ret->st_mode))
                return -1;
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        return open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

static int open_file(struct opened *o, const char *path)
{
        struct stat st = {0};
        int fd;

        o->path = strdup(path);
        if (!o->path)
                return -ENOMEM;
        o->is_vdso = !strncmp(path, "linux-vdso.so", 13) || !strcmp(path, "[vdso]");
        fd = o->is_vdso ? open_vdso() : open_regular(path, &st);
        if (fd < 0)
                return 0;
        o->device = st.st_dev;
        o->inode = st.st_ino;
        o->changed = st.st_mtim;
        report(o, fd); /* libdwfl closes it where it takes it */
        if (!o->module)
                close(fd);
        return 0;
}

static bool is_as_it_was(const struct opened *o)
{
        struct stat st;

        if (o->is_vdso)
                return true;
        return o->module && !stat(o->path, &st) && st.st_ino == o->inode &&
               st.st_dev == o->device && st.st_mtim.tv_sec == o->changed.tv_sec &&
               st.st_mtim.tv_nsec == o->changed.tv_nsec;
}

static int file_of(const char *path, struct opened **ret)
{
        struct opened *to = files;

        for (struct opened *o = files; o < files + N_OPEN; o++) {
                if (o->path && !strcmp(o->path, path)) {
                        if (!is_as_it_was(o)) {
                                to = o;
                                break;
                        }
                        o->used = ++clock_now;
                        *ret = o;
                        return 0;
                }
                if (o->used < to->used)
                        to = o;
        }
        forget(to);
        to->used = ++clock_now;
        *ret = to;
        return open_file(to, path);
}

/* ---- what lies there ----------------------------------------------------------- */

static Elf *elf_of(const struct opened *o)
{
        GElf_Addr bias;

        return dwfl_module_getelf(o->module, &bias);
}

static bool linked_address(const struct opened *o, uint64_t in_file, uint64_t *ret)
{
        Elf *elf = elf_of(o);
        GElf_Phdr ph;

        for (int i = 0; elf && gelf_getphdr(elf, i, &ph); i++)
                if (ph.p_type == PT_LOAD && in_file >= ph.p_offset &&
                    in_file - ph.p_offset < ph.p_filesz) {
                        *ret = in_file - ph.p_offset + ph.p_vaddr;
                        return true;
                }
        return false;
}

/* Asked once, while the process is there to be asked. */
static bool is_replaced(struct opened *o, pid_t pid, uint64_t base)
{
        struct checked *c = o->checked;

        if (o->is_vdso || !pid)
                return false;
        while (c < o->checked + N_CHECKED && (c->pid != pid || c->base != base))
                c++;
        if (c == o->checked + N_CHECKED) {
                c = &o->checked[o->n_checked++ % N_CHECKED];
                *c = (struct checked){pid, base, mapped_is(pid, base, elf_of(o))};
        }
        return c->is == MAPPED_OTHER;
}

static uint32_t by_lines(struct opened *o, uint64_t address, struct symbol *ret)
{
        if (!o->looked_for_lines) {
                Dwarf *dwarf = dwfl_module_getdwarf(o->module, &o->bias);

                o->looked_for_lines = true;
                if (dwarf)
                        o->lines = symbol_lines_new(dwarf);
        }
        return o->lines ? symbol_lines_find(o->lines, address - o->bias, ret) : 0;
}

/* The name without the version that a table of dynamic symbols may add ("@@GLIBC_2.34"). */
static char *plain_name(const char *symbol)
{
        _cleanup_(freep) char *copy = strndup(symbol, strcspn(symbol, "@"));

        return copy && *copy ? ifp_demangle(copy) : NULL;
}

/* The table knows the parts that compilers split functions into, so its name goes first. */
static void by_table(struct opened *o, uint64_t address, struct symbol *ret, uint32_t n)
{
        const char *name;
        uint64_t offset;

        if (!o->table)
                o->table = symbol_table_new(o->module);
        if (!o->table)
                return;
        name = symbol_table_find(o->table, o->module, address, &offset);
        if (!name)
                return;
        free(ret[n - 1].function);
        ret[n - 1].function = plain_name(name);
        for (uint32_t i = 0; i < n; i++)
                ret[i].offset = offset;
}

int symbols_find_place(const struct symbol_place *place, struct symbol *ret, uint32_t *ret_n)
{
        uint64_t address = place->address;
        struct opened *o;
        uint32_t n = 0;
        int r;

        r = file_of(place->path, &o);
        if (r < 0)
                return r;
        if (!o->module || (place->in_file && !linked_address(o, address, &address)) ||
            is_replaced(o, place->pid, place->base))
                return SYMBOL_E_UNKNOWN;
        if (!place->without_dwarf)
                n = by_lines(o, address, ret);
        if (!n)
                ret[n++] = (struct symbol){0};
        by_table(o, address, ret, n);
        for (uint32_t i = 0; i < n; i++)
                if (!ret[i].function) { /* half a truth is none: all of it or nothing */
                        symbols_done(ret, n);
                        return SYMBOL_E_UNKNOWN;
                }
        *ret_n = n;
        return 0;
}

int symbols_find(const char *path, uint64_t address, struct symbol *ret, uint32_t *ret_n)
{
        return symbols_find_place(&(struct symbol_place){.path = path, .address = address}, ret,
                                  ret_n);
}

void symbols_done(struct symbol *symbols, uint32_t n)
{
        for (uint32_t i = 0; i < n; i++) {
                free(symbols[i].function);
                free(symbols[i].file);
        }
}
