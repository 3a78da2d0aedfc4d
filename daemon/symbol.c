/* SPDX-License-Identifier: MIT */
/*
 * Names of functions, from the symbol tables of files on disk. .symtab knows
 * more than .dynsym and is preferred. A site holds a return address: the byte before it
 * belongs to the call.
 *
 * Paths come from segments, so what is opened may be anything: only regular
 * files are read, and never by waiting.
 */
#include "daemon/symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "daemon/process.h"
#include "common/demangle.h"

DEFINE_CLEANUP(Elf *, elf_end, elf_endp);

/* The best symbol for `address` so far. */
struct best {
        char *name;
        uint64_t value;
};

/* The function in section `scn` that covers `address`; true: found. */
static bool search(Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh, uint64_t address, struct best *best)
{
        Elf_Data *data = elf_getdata(scn, NULL);
        size_t n = sh->sh_entsize ? sh->sh_size / sh->sh_entsize : 0;

        for (size_t i = 0; data && i < n; i++) {
                GElf_Sym s;
                const char *name;

                if (!gelf_getsym(data, (int)i, &s) || s.st_shndx == SHN_UNDEF)
                        continue;
                if (GELF_ST_TYPE(s.st_info) != STT_FUNC && GELF_ST_TYPE(s.st_info) != STT_GNU_IFUNC)
                        continue;
                if (address < s.st_value || address - s.st_value >= s.st_size)
                        continue;
                name = elf_strptr(elf, sh->sh_link, s.st_name);
                if (!name || !*name)
                        continue;
                best->name = strdup(name);
                best->value = s.st_value;
                return best->name != NULL;
        }
        return false;
}

static bool search_tables(Elf *elf, uint64_t address, struct best *best)
{
        static const unsigned types[] = {SHT_SYMTAB, SHT_DYNSYM};

        for (int t = 0; t < 2; t++) {
                Elf_Scn *scn = NULL;

                while ((scn = elf_nextscn(elf, scn))) {
                        GElf_Shdr sh;

                        if (gelf_getshdr(scn, &sh) && sh.sh_type == types[t] &&
                            search(elf, scn, &sh, address, best))
                                return true;
                }
        }
        return false;
}

int symbol_find(const char *path, uint64_t address, char **ret_name, uint64_t *ret_offset)
{
        _cleanup_(closep) int fd = -1;
        _cleanup_(elf_endp) Elf *elf = NULL;
        struct best best = {0};
        struct stat st;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return SYMBOL_E_UNKNOWN;
        if (elf_version(EV_CURRENT) == EV_NONE)
                return SYMBOL_E_UNKNOWN;
        elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
        if (!elf || elf_kind(elf) != ELF_K_ELF || !search_tables(elf, address, &best))
                return SYMBOL_E_UNKNOWN;
        *ret_name = best.name;
        *ret_offset = address - best.value;
        return 0;
}

/* Names a new site as well as can be: function + offset, else library + offset. */
static int site_resolve(struct process *p, const struct ifp_site *from, struct site *to,
                        const char **ret_why)
{
        const struct ifp_object *o;
        uint64_t offset = from->offset, in_function;
        uint32_t object = from->object;
        char *name;
        int r;

        to->offset = offset;
        to->resolved = true;
        if (object == UINT32_MAX)
                return 0;
        if (object >= p->counts.n_objects) {
                *ret_why = "a site lies in an object that does not exist";
                return SEGMENT_E_BAD;
        }
        o = &p->segment.map->objects[object];
        r = segment_name(&p->segment, &p->counts, o->path, &to->library, ret_why);
        if (r)
                return r;
        if (!offset || symbol_find(to->library, offset - 1, &name, &in_function))
                return 0;
        to->function = ifp_demangle(name);
        free(name);
        if (to->function)
                to->offset = in_function + 1;
        return 0;
}

int sites_take(struct process *p, uint32_t most, const char **ret_why)
{
        if (p->counts.n_sites > p->n_sites_room) {
                uint32_t n = p->counts.n_sites * 2;
                struct site *sites = realloc(p->sites, n * sizeof(*sites));

                if (!sites)
                        return -ENOMEM;
                memset(sites + p->n_sites_room, 0, (n - p->n_sites_room) * sizeof(*sites));
                p->sites = sites;
                p->n_sites_room = n;
        }
        if (p->n_sites < p->counts.n_sites)
                p->n_sites = p->counts.n_sites;
        for (uint32_t i = 0; i < p->n_sites; i++) {
                struct ifp_site from = p->segment.map->sites[i];
                struct site *s = &p->sites[i];

                s->count = from.count <= INT64_MAX ? from.count : INT64_MAX;
                if (s->resolved || !most)
                        continue;
                int r = site_resolve(p, &from, s, ret_why);

                if (r)
                        return r;
                most--;
        }
        return 0;
}
