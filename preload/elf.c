/* SPDX-License-Identifier: MIT */
/*
 * Reading loaded objects: dynamic section, symbol tables by GNU or System V
 * hash, symbol versions. The formats: System V gABI ch. 5, and the GNU
 * extensions as in the LSB ("Symbol Versioning").
 */
#include "preload/elf.h"
#include "preload/shim.h"

/* glibc relocates most pointers of the dynamic section in place, but not those of the vdso. */
static uint64_t at(const struct ifp_elf *e, uint64_t pointer)
{
        return pointer >= e->start && pointer < e->end ? pointer : pointer + e->base;
}

static void read_dynamic(struct ifp_elf *e)
{
        uint64_t rela_bytes = 0, jmprel_bytes = 0, soname = UINT64_MAX;

        for (const ElfW(Dyn) *d = e->dynamic; d->d_tag != DT_NULL; d++) {
                uint64_t v = d->d_un.d_val;

                switch (d->d_tag) {
                case DT_SYMTAB:
                        e->symtab = (const void *)at(e, v);
                        break;
                case DT_STRTAB:
                        e->strtab = (const void *)at(e, v);
                        break;
                case DT_STRSZ:
                        e->strtab_bytes = v;
                        break;
                case DT_GNU_HASH:
                        e->gnu_hash = (const void *)at(e, v);
                        break;
                case DT_HASH:
                        e->sysv_hash = (const void *)at(e, v);
                        break;
                case DT_VERSYM:
                        e->versym = (const void *)at(e, v);
                        break;
                case DT_VERDEF:
                        e->verdef = (const void *)at(e, v);
                        break;
                case DT_VERDEFNUM:
                        e->n_verdef = (uint32_t)v;
                        break;
                case DT_VERNEED:
                        e->verneed = (const void *)at(e, v);
                        break;
                case DT_VERNEEDNUM:
                        e->n_verneed = (uint32_t)v;
                        break;
                case DT_RELA:
                        e->rela = (const void *)at(e, v);
                        break;
                case DT_RELASZ:
                        rela_bytes = v;
                        break;
                case DT_JMPREL:
                        e->jmprel = (const void *)at(e, v);
                        break;
                case DT_PLTRELSZ:
                        jmprel_bytes = v;
                        break;
                case DT_SONAME:
                        soname = v;
                        break;
                case DT_SYMBOLIC:
                        e->symbolic = true;
                        break;
                case DT_FLAGS:
                        e->symbolic |= (v & DF_SYMBOLIC) != 0;
                        break;
                default:
                        break;
                }
        }
        e->n_rela = rela_bytes / sizeof(ElfW(Rela));
        e->n_jmprel = jmprel_bytes / sizeof(ElfW(Rela));
        if (soname < e->strtab_bytes)
                e->soname = e->strtab + soname;
}

bool ifp_elf_read(struct ifp_elf *ret, const struct dl_phdr_info *info)
{
        struct ifp_elf e = {.path = info->dlpi_name ? info->dlpi_name : "",
                            .base = info->dlpi_addr,
                            .phdr = info->dlpi_phdr,
                            .n_phdr = info->dlpi_phnum,
                            .start = UINT64_MAX};

        for (uint16_t i = 0; i < e.n_phdr; i++) {
                const ElfW(Phdr) *p = &e.phdr[i];
                uint64_t from = e.base + p->p_vaddr;

                if (p->p_type == PT_LOAD) {
                        if (from < e.start)
                                e.start = from;
                        if (from + p->p_memsz > e.end)
                                e.end = from + p->p_memsz;
                } else if (p->p_type == PT_DYNAMIC) {
                        e.dynamic = (const void *)from;
                } else if (p->p_type == PT_GNU_RELRO) {
                        e.relro_start = from & ~4095ull;
                        e.relro_end = (from + p->p_memsz) & ~4095ull;
                }
        }
        if (!e.dynamic || e.start == UINT64_MAX)
                return false;
        read_dynamic(&e);
        if (!e.symtab || !e.strtab || (!e.gnu_hash && !e.sysv_hash))
                return false;
        *ret = e;
        return true;
}

uint32_t ifp_elf_n_symbols(const struct ifp_elf *e)
{
        uint32_t n_buckets, first, bloom, max = 0;
        const uint32_t *buckets, *chain;

        if (e->sysv_hash)
                return e->sysv_hash[1];
        n_buckets = e->gnu_hash[0];
        first = e->gnu_hash[1];
        bloom = e->gnu_hash[2];
        buckets = e->gnu_hash + 4 + bloom * 2;
        chain = buckets + n_buckets;
        for (uint32_t i = 0; i < n_buckets; i++)
                if (buckets[i] > max)
                        max = buckets[i];
        if (max < first)
                return first;
        while (!(chain[max - first] & 1))
                max++;
        return max + 1;
}

static const char *version_name(const struct ifp_elf *e, uint32_t index)
{
        const ElfW(Verdef) *d = e->verdef;

        for (uint32_t i = 0; d && i < e->n_verdef; i++) {
                if (d->vd_ndx == index) {
                        const ElfW(Verdaux) *a = (const void *)((const uint8_t *)d + d->vd_aux);

                        return e->strtab + a->vda_name;
                }
                if (!d->vd_next)
                        break;
                d = (const void *)((const uint8_t *)d + d->vd_next);
        }
        return NULL;
}

const char *ifp_elf_wanted_version(const struct ifp_elf *e, uint32_t index)
{
        const ElfW(Verneed) *n = e->verneed;
        uint32_t want;

        if (!e->versym)
                return NULL;
        want = e->versym[index] & 0x7fff;
        if (want < 2)
                return NULL;
        for (uint32_t i = 0; n && i < e->n_verneed; i++) {
                const ElfW(Vernaux) *a = (const void *)((const uint8_t *)n + n->vn_aux);

                for (uint32_t j = 0; j < n->vn_cnt; j++) {
                        if ((a->vna_other & 0x7fff) == want)
                                return e->strtab + a->vna_name;
                        a = (const void *)((const uint8_t *)a + a->vna_next);
                }
                if (!n->vn_next)
                        break;
                n = (const void *)((const uint8_t *)n + n->vn_next);
        }
        return version_name(e, want); /* a reference to what the object itself defines */
}

/* Whether definition `index` serves a reference with `version`. */
static bool version_serves(const struct ifp_elf *e, uint32_t index, const char *version)
{
        uint32_t v;
        const char *name;

        if (!e->versym)
                return true;
        v = e->versym[index];
        if (!version) /* the default one */
                return !(v & 0x8000);
        if ((v & 0x7fff) < 2)
                return !(v & 0x8000); /* the base version serves all, as the loader has it */
        name = version_name(e, v & 0x7fff);
        return name && !ifp_strcmp(name, version);
}

static bool defines(const struct ifp_elf *e, uint32_t index, const char *name, const char *version)
{
        const ElfW(Sym) *s = &e->symtab[index];
        uint8_t bind = ELF64_ST_BIND(s->st_info);

        return s->st_shndx != SHN_UNDEF && s->st_value &&
               (bind == STB_GLOBAL || bind == STB_WEAK || bind == STB_GNU_UNIQUE) &&
               !ifp_strcmp(e->strtab + s->st_name, name) && version_serves(e, index, version);
}

static const ElfW(Sym) * find_gnu(const struct ifp_elf *e, const char *name, const char *version)
{
        uint32_t n_buckets = e->gnu_hash[0], first = e->gnu_hash[1], bloom = e->gnu_hash[2];
        const uint64_t *filter = (const void *)(e->gnu_hash + 4);
        const uint32_t *buckets = e->gnu_hash + 4 + bloom * 2, *chain = buckets + n_buckets;
        uint32_t h = 5381, i;
        uint64_t word;

        for (const char *c = name; *c; c++)
                h = h * 33 + (uint8_t)*c;
        word = bloom ? filter[(h / 64) % bloom] : ~0ull;
        if (!(word >> (h % 64) & 1) || !(word >> ((h >> e->gnu_hash[3]) % 64) & 1) || !n_buckets)
                return NULL;
        i = buckets[h % n_buckets];
        if (i < first)
                return NULL;
        for (;; i++) {
                uint32_t c = chain[i - first];

                if ((c | 1) == (h | 1) && defines(e, i, name, version))
                        return &e->symtab[i];
                if (c & 1)
                        return NULL;
        }
}

static const ElfW(Sym) * find_sysv(const struct ifp_elf *e, const char *name, const char *version)
{
        uint32_t n_buckets = e->sysv_hash[0], n = e->sysv_hash[1], h = 0, i;
        const uint32_t *buckets = e->sysv_hash + 2, *chain = buckets + n_buckets;

        for (const char *c = name; *c; c++) {
                h = (h << 4) + (uint8_t)*c;
                h = (h ^ (h >> 24 & 0xf0)) & 0x0fffffff;
        }
        if (!n_buckets)
                return NULL;
        for (i = buckets[h % n_buckets]; i && i < n; i = chain[i])
                if (defines(e, i, name, version))
                        return &e->symtab[i];
        return NULL;
}

const ElfW(Sym) * ifp_elf_find(const struct ifp_elf *e, const char *name, const char *version)
{
        return e->gnu_hash ? find_gnu(e, name, version) : find_sysv(e, name, version);
}

uint64_t ifp_elf_address(const struct ifp_elf *e, const ElfW(Sym) * sym)
{
        uint64_t address = e->base + sym->st_value;

        if (ELF64_ST_TYPE(sym->st_info) == STT_GNU_IFUNC) {
                uint64_t (*resolve)(void) = (uint64_t(*)(void))(uintptr_t)address;

                return resolve();
        }
        return address;
}

const void *ifp_elf_ret_gadget(const struct ifp_elf *e)
{
        for (uint16_t i = 0; i < e->n_phdr; i++) {
                const ElfW(Phdr) *p = &e->phdr[i];
                const uint8_t *code = (const void *)(e->base + p->p_vaddr);

                if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || !(p->p_flags & PF_R))
                        continue;
#if defined(__x86_64__)
                for (uint64_t j = 0; j < p->p_filesz; j++)
                        if (code[j] == 0xc3)
                                return code + j;
#else
                (void)code;
#endif
        }
        return NULL;
}
