/* SPDX-License-Identifier: MIT */
/*
 * Catching calls: the relocation slots of every loaded object that lead to a
 * wanted kernel are pointed at its stub.
 *
 * A bound slot says itself where it leads. One that is bound lazily still
 * leads into its own object's PLT; its target is looked up here in the scopes
 * the loader would search: global, then those of the dlopen that brought the
 * object (the other way round with RTLD_DEEPBIND; itself first if symbolic),
 * with the version it asks for.
 *
 * All of it happens under the loader's own lock of its list (inside dl_iterate_phdr), so
 * no object goes away meanwhile; new objects are looked at after the outermost
 * dlopen has returned, when their constructors have run. One that another thread's dlopen may
 * still be binding is left to that thread.
 */
#include "preload/slots.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include "preload/engine.h"
#include "preload/heap.h"
#include "preload/kernels.h"
#include "preload/own.h"

#define MAX_OBJECTS 1024
#define MAX_ROOTS   512

struct object {
        struct ifp_elf elf;
        const char *file; /* base name */
        uint32_t load;    /* 0: free */
        uint32_t index;   /* in the segment */
        uint32_t global;  /* place in the global scope, counted from 1; 0 = not in it */
        bool deepbind;
        bool self;
        bool seen;
        bool fresh;
        bool unbound;         /* has wanted slots that nothing defines yet */
        bool settled;         /* the loader is done with it */
        const uint64_t *slot; /* one that was led elsewhere; NULL: none */
        uint64_t led_to;
};

static struct object objects[MAX_OBJECTS];
static uint32_t n_objects, n_loads, n_global;
static uint32_t roots[MAX_ROOTS], n_roots; /* loads that dlopen was asked for */
static uint32_t in_loader;                 /* threads within dlopen or dlclose */
static bool left;                          /* objects were not settled */
static char exe_path[1024], self_path[1024];
static bool started;

/* ---- what is loaded ------------------------------------------------------ */

static bool is_self(const struct ifp_elf *e)
{
        uint64_t here = (uint64_t)(uintptr_t)&ifp_scan;

        return here >= e->start && here < e->end;
}

static struct object *find_object(const struct ifp_elf *e)
{
        for (uint32_t i = 0; i < n_objects; i++)
                if (objects[i].load && objects[i].elf.base == e->base &&
                    objects[i].elf.dynamic == e->dynamic && objects[i].elf.path == e->path)
                        return &objects[i];
        return NULL;
}

static struct object *object_at(uint64_t address)
{
        for (uint32_t i = 0; i < n_objects; i++)
                if (objects[i].load && address >= objects[i].elf.start &&
                    address < objects[i].elf.end)
                        return &objects[i];
        return NULL;
}

static void read_exe_path(void)
{
        long n = IFP_SYS(readlinkat, -100, "/proc/self/exe", exe_path, sizeof(exe_path) - 1);

        exe_path[n > 0 ? n : 0] = '\0';
}

/* Gone and come back to the same place between two looks: its slots are bound anew. */
static void look_again(struct object *o)
{
        if (!o->slot || *o->slot == o->led_to)
                return;
        o->slot = NULL;
        o->unbound = true;
        o->settled = false;
}

static int collect(struct dl_phdr_info *info, size_t size, void *arg)
{
        struct ifp_elf e;
        struct object *o;
        const char *path;

        (void)size;
        (void)arg;
        if (!ifp_elf_read(&e, info))
                return 0;
        o = find_object(&e);
        if (o) {
                o->seen = true;
                look_again(o);
                return 0;
        }
        for (o = objects; o < objects + n_objects && o->load; o++)
                ;
        if (o == objects + MAX_OBJECTS)
                return 0;
        if (o == objects + n_objects)
                n_objects++;
        path = *e.path ? e.path : exe_path;
        *o = (struct object){.elf = e,
                             .file = ifp_basename(path),
                             .load = ++n_loads,
                             .self = is_self(&e) || ifp_unwind_owns(e.soname),
                             .seen = true,
                             .fresh = true};
        o->index = ifp_object_add(path, e.base, e.start, e.end, o->load);
        if (is_self(&e))
                ifp_strcpy(self_path, path, sizeof(self_path));
        ifp_unwind_opened(&e);
        if (!started)
                o->global = ++n_global;
        return 0;
}

static void object_gone(struct object *o)
{
        for (uint32_t i = 0; i < ifp_n_engines; i++)
                if (ifp_engines[i]->closed)
                        ifp_engines[i]->closed(&o->elf);
        ifp_kernels_drop(o->load);
        ifp_stubs_release(o->load);
        ifp_object_close(o->index);
        ifp_unwind_closed(&o->elf);
        ifp_own_closed(&o->elf);
        for (uint32_t i = 0; i < n_roots; i++)
                if (roots[i] == o->load)
                        roots[i--] = roots[--n_roots];
        o->load = 0;
}

/* ---- scopes ---------------------------------------------------------------- */

static struct object *object_named(const char *name)
{
        for (uint32_t i = 0; i < n_objects; i++) {
                struct object *o = &objects[i];

                if (o->load && ((o->elf.soname && !ifp_strcmp(o->elf.soname, name)) ||
                                !ifp_strcmp(o->file, ifp_basename(name))))
                        return o;
        }
        return NULL;
}

/* An object and all it needs, breadth first. Returns how many. */
static uint32_t closure(struct object *root, struct object **list, uint32_t max)
{
        uint32_t n = 0;

        list[n++] = root;
        for (uint32_t i = 0; i < n; i++) {
                const struct ifp_elf *e = &list[i]->elf;

                for (const ElfW(Dyn) *d = e->dynamic; d->d_tag != DT_NULL && n < max; d++) {
                        struct object *o;
                        uint32_t j;

                        if (d->d_tag != DT_NEEDED || d->d_un.d_val >= e->strtab_bytes)
                                continue;
                        o = object_named(e->strtab + d->d_un.d_val);
                        for (j = 0; o && j < n && list[j] != o; j++)
                                ;
                        if (o && j == n)
                                list[n++] = o;
                }
        }
        return n;
}

static struct object *object_of_load(uint32_t load)
{
        for (uint32_t i = 0; i < n_objects; i++)
                if (objects[i].load == load)
                        return &objects[i];
        return NULL;
}

static uint64_t find_in(struct object *const *list, uint32_t n, const char *name,
                        const char *version)
{
        for (uint32_t i = 0; i < n; i++) {
                const ElfW(Sym) *s = ifp_elf_find(&list[i]->elf, name, version);

                if (s)
                        return ifp_elf_address(&list[i]->elf, s);
        }
        return 0;
}

static uint64_t find_global(const char *name, const char *version)
{
        for (uint32_t place = 1; place <= n_global; place++)
                for (uint32_t i = 0; i < n_objects; i++) {
                        struct object *o = &objects[i];

                        if (o->load && o->global == place) {
                                uint64_t a = find_in(&o, 1, name, version);

                                if (a)
                                        return a;
                        }
                }
        return 0;
}

static uint64_t find_local(struct object *from, const char *name, const char *version)
{
        static struct object *list[MAX_OBJECTS];
        uint64_t a;

        for (uint32_t r = 0; r < n_roots; r++) {
                struct object *root = object_of_load(roots[r]);
                uint32_t n = root ? closure(root, list, MAX_OBJECTS) : 0, i;

                for (i = 0; i < n && list[i] != from; i++)
                        ;
                if (i < n && (a = find_in(list, n, name, version)))
                        return a;
        }
        return 0;
}

/* Where the loader would bind a reference; 0: nowhere yet. */
static uint64_t bind(struct object *o, uint32_t symbol, const char *name)
{
        const char *version = ifp_elf_wanted_version(&o->elf, symbol);
        uint64_t a = 0;

        if (o->elf.symbolic)
                a = find_in(&o, 1, name, version);
        if (!a && o->deepbind)
                a = find_local(o, name, version);
        if (!a)
                a = find_global(name, version);
        if (!a && !o->deepbind)
                a = find_local(o, name, version);
        return a;
}

/* ---- slots ------------------------------------------------------------------ */

static void protect(const struct ifp_elf *e, int prot)
{
        if (e->relro_end > e->relro_start)
                IFP_SYS(mprotect, e->relro_start, e->relro_end - e->relro_start, prot);
}

static bool writable(const struct ifp_elf *e, uint64_t slot)
{
        for (uint16_t i = 0; i < e->n_phdr; i++) {
                const ElfW(Phdr) *p = &e->phdr[i];
                uint64_t from = e->base + p->p_vaddr;

                if (p->p_type == PT_LOAD && (p->p_flags & PF_W) && slot >= from &&
                    slot + 8 <= from + p->p_memsz)
                        return true;
        }
        return false;
}

#if defined(__x86_64__)
#define RELOC_JUMP_SLOT R_X86_64_JUMP_SLOT
#define RELOC_GLOB_DAT  R_X86_64_GLOB_DAT
#define RELOC_ABSOLUTE  R_X86_64_64
#define RELOC_COPY      R_X86_64_COPY
#elif defined(__aarch64__)
#define RELOC_JUMP_SLOT R_AARCH64_JUMP_SLOT
#define RELOC_GLOB_DAT  R_AARCH64_GLOB_DAT
#define RELOC_ABSOLUTE  R_AARCH64_ABS64
#define RELOC_COPY      R_AARCH64_COPY
#endif

static const ElfW(Sym) * symbol_of(const struct object *o, const ElfW(Rela) * r)
{
        return &o->elf.symtab[ELF64_R_SYM(r->r_info)];
}

static bool wanted(uint64_t address)
{
        return ifp_kernel_known(address) || ifp_own_for(address);
}

/* What the slot leads to, if that is a wanted kernel or an allocator's own name; else 0. */
static uint64_t wanted_behind(struct object *o, const ElfW(Rela) * r, uint64_t value)
{
        uint32_t type = (uint32_t)ELF64_R_TYPE(r->r_info),
                 symbol = (uint32_t)ELF64_R_SYM(r->r_info);
        const char *name;
        uint64_t a;

        if (wanted(value))
                return value;
        if (type != RELOC_JUMP_SLOT || value < o->elf.start || value >= o->elf.end)
                return 0;
        name = o->elf.strtab + o->elf.symtab[symbol].st_name;
        if (!ifp_want_symbol(name) && !ifp_own_named(name))
                return 0;
        a = bind(o, symbol, name);
        if (!a)
                o->unbound = true;
        return a && wanted(a) ? a : 0;
}

/*
 * Where such a slot is to lead. An allocator calls itself past us, and so does what stands behind
 * our malloc: that call is counted already.
 */
static uint64_t instead_of(const struct object *o, uint64_t address)
{
        uint64_t own = ifp_own_for(address), stub;

        if (own && ((address >= o->elf.start && address < o->elf.end) || ifp_own_serves(&o->elf)))
                return 0;
        stub = ifp_kernel_stub(address);
        return stub ? stub : own;
}

/*
 * RTLD_DEEPBIND puts libc before us. What leads to a function that we stand in
 * front of is led to us all the same, or its blocks would be freed here that were never counted.
 * Where the object has its own such function, or another library's, it keeps that.
 */
static uint64_t ours_behind(struct object *o, const ElfW(Rela) * r, uint64_t value)
{
        uint32_t symbol = (uint32_t)ELF64_R_SYM(r->r_info);
        const char *name = o->elf.strtab + o->elf.symtab[symbol].st_name;
        uint64_t ours = 0;

        if (!o->deepbind)
                return 0;
        for (uint32_t i = 0; i < n_objects && !ours; i++)
                if (objects[i].load && objects[i].self)
                        ours = find_in((struct object *[]){&objects[i]}, 1, name, NULL);
        if (!ours || value == ours)
                return 0;
        if (value >= o->elf.start && value < o->elf.end &&
            ELF64_R_TYPE(r->r_info) == RELOC_JUMP_SLOT)
                value = bind(o, symbol, name);
        return value && value == (uint64_t)(uintptr_t)ifp_next(name) ? ours : 0;
}

static void set_slot(struct object *o, uint64_t *slot, uint64_t to, bool *opened)
{
        if (!*opened) {
                protect(&o->elf, PROT_READ | PROT_WRITE);
                *opened = true;
        }
        __atomic_store_n(slot, to, __ATOMIC_RELEASE);
        __atomic_fetch_add(&ifp_seg->live.slots_patched, 1, __ATOMIC_RELAXED);
}

/*
 * Data of a library that the executable holds the copy of (R_COPY): the
 * pointers in it were copied when they led to kernels already.
 */
static void patch_copied(struct object *o, const ElfW(Rela) * r, bool *opened)
{
        uint64_t from = (o->elf.base + r->r_offset + 7) & ~7ull,
                 to = o->elf.base + r->r_offset + o->elf.symtab[ELF64_R_SYM(r->r_info)].st_size;

        for (; from + 8 <= to && writable(&o->elf, from); from += 8) {
                uint64_t *slot = (uint64_t *)from;
                uint64_t stub = ifp_kernel_known(*slot) ? ifp_kernel_stub(*slot) : 0;

                if (stub)
                        set_slot(o, slot, stub, opened);
        }
}

static void patch(struct object *o, const ElfW(Rela) * relocs, uint64_t n, bool *opened)
{
        for (uint64_t i = 0; i < n; i++) {
                const ElfW(Rela) *r = &relocs[i];
                uint32_t type = (uint32_t)ELF64_R_TYPE(r->r_info);
                uint64_t *slot = (uint64_t *)(o->elf.base + r->r_offset), a, to;

                if (!ELF64_R_SYM(r->r_info) || r->r_addend)
                        continue;
                if (type == RELOC_COPY)
                        patch_copied(o, r, opened);
                if (type != RELOC_JUMP_SLOT && type != RELOC_GLOB_DAT && type != RELOC_ABSOLUTE)
                        continue;
                if (((uint64_t)(uintptr_t)slot & 7) ||
                    !writable(&o->elf, (uint64_t)(uintptr_t)slot))
                        continue;
                a = wanted_behind(o, r, *slot);
                to = a ? instead_of(o, a) : ours_behind(o, r, *slot);
                if (!to)
                        to = ifp_own_inside(&o->elf, o->elf.strtab + symbol_of(o, r)->st_name);
                if (!to)
                        continue;
                set_slot(o, slot, to, opened);
                if (type != RELOC_ABSOLUTE) { /* data may be the library's own to change */
                        o->slot = slot;
                        o->led_to = to;
                }
        }
}

static void patch_object(struct object *o)
{
        bool opened = false;

        o->unbound = false;
        if (o->self)
                return;
        patch(o, o->elf.rela, o->elf.n_rela, &opened);
        patch(o, o->elf.jmprel, o->elf.n_jmprel, &opened);
        if (opened)
                protect(&o->elf, PROT_READ);
}

/* Enters the wanted kernels that an object defines. */
static void want_from(struct object *o)
{
        const char *soname = o->elf.soname;
        uint32_t n;

        if (o->self || !ifp_want_object(o->file, soname))
                return;
        for (uint32_t i = 0; i < ifp_n_engines; i++)
                if (ifp_engines[i]->opened)
                        ifp_engines[i]->opened(&o->elf);
        n = ifp_elf_n_symbols(&o->elf);
        for (uint32_t i = 1; i < n; i++) {
                const ElfW(Sym) *s = &o->elf.symtab[i];
                uint8_t type = ELF64_ST_TYPE(s->st_info), bind_ = ELF64_ST_BIND(s->st_info);
                const char *name = o->elf.strtab + s->st_name;
                struct ifp_want *want;

                if (s->st_shndx == SHN_UNDEF || !s->st_value || bind_ == STB_LOCAL ||
                    (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE))
                        continue;
                want = ifp_want_find(o->file, soname, name);
                if (!want)
                        continue;
                if (!ifp_kernel_add(ifp_elf_address(&o->elf, s), name, want, o->load, o->index))
                        continue;
                if (want->pattern)
                        ifp_seg->live.patterns[want->pattern - 1].symbols++;
        }
}

/* What dlopen was asked for: its place in the scopes. */
static void note_root(const struct link_map *map, int mode)
{
        static struct object *list[MAX_OBJECTS];
        struct object *root = NULL;
        uint32_t n;

        for (uint32_t i = 0; i < n_objects; i++)
                if (objects[i].load && objects[i].elf.base == map->l_addr &&
                    objects[i].elf.dynamic == map->l_ld)
                        root = &objects[i];
        if (!root)
                return;
        n = closure(root, list, MAX_OBJECTS);
        for (uint32_t i = 0; i < n; i++) {
                list[i]->settled = true;
                if (list[i]->fresh && (mode & RTLD_DEEPBIND))
                        list[i]->deepbind = true;
                if ((mode & RTLD_GLOBAL) && !list[i]->global)
                        list[i]->global = ++n_global;
        }
        for (uint32_t i = 0; i < n_roots; i++)
                if (roots[i] == root->load)
                        return;
        if (n_roots < MAX_ROOTS)
                roots[n_roots++] = root->load;
}

/* While no thread is within the loader it is done with whatever is in its list. */
static void settle(void)
{
        if (__atomic_load_n(&in_loader, __ATOMIC_SEQ_CST))
                return;
        for (uint32_t i = 0; i < n_objects; i++)
                objects[i].settled = true;
}

struct scan_args {
        void *handle;
        int mode;
};

/* Called once, with the loader's lock held: there is no lock of ours that could be taken in
 * another order. */
static int scan_locked(struct dl_phdr_info *info, size_t size, void *arg)
{
        const struct scan_args *a = arg;

        (void)info;
        (void)size;
        if (!*exe_path)
                read_exe_path();
        for (uint32_t i = 0; i < n_objects; i++)
                objects[i].seen = false;
        /* First who is gone: an address may have passed to another. */
        dl_iterate_phdr(collect, NULL);
        for (uint32_t i = 0; i < n_objects; i++)
                if (objects[i].load && !objects[i].seen)
                        object_gone(&objects[i]);
        settle();
        if (a->handle)
                note_root(a->handle, a->mode);
        for (uint32_t i = 0; i < n_objects; i++) {
                struct object *o = &objects[i];

                if (!o->load || !o->fresh || !o->settled)
                        continue;
                if (!o->self)
                        ifp_own_opened(&o->elf, o->file, o->deepbind);
                want_from(o);
        }
        left = false;
        for (uint32_t i = 0; i < n_objects; i++) {
                struct object *o = &objects[i];

                if (!o->load)
                        continue;
                if (!o->settled) {
                        left = true;
                        continue;
                }
                if (o->fresh || o->unbound)
                        patch_object(o);
                o->fresh = false;
        }
        started = true;
        return 1;
}

void ifp_loader_entered(void)
{
        __atomic_fetch_add(&in_loader, 1, __ATOMIC_SEQ_CST);
}

void ifp_loader_returned(void)
{
        __atomic_fetch_sub(&in_loader, 1, __ATOMIC_SEQ_CST);
}

bool ifp_scan_left(void)
{
        return __atomic_load_n(&left, __ATOMIC_RELAXED);
}

void ifp_scan(void *handle, int mode)
{
        struct scan_args args = {handle, mode};
        uint16_t busy = ifp_tls.busy++;

        dl_iterate_phdr(scan_locked, &args);
        ifp_tls.busy = busy;
}

void *ifp_stub_for(void *address)
{
        uint64_t stub = ifp_kernel_stub((uint64_t)(uintptr_t)address);

        return stub ? (void *)(uintptr_t)stub : address;
}

const void *ifp_gadget_of(const void *address)
{
        /* Without a lock: the object runs, so its entry stands. */
        const struct object *o = object_at((uint64_t)(uintptr_t)address);

        return o ? ifp_elf_ret_gadget(&o->elf) : NULL;
}

const char *ifp_self_path(void)
{
        return self_path;
}

struct next {
        const char *name;
        bool behind; /* past the shim already */
        void *found;
        bool libc; /* it is in libc itself */
};

static int find_next(struct dl_phdr_info *info, size_t size, void *arg)
{
        struct next *next = arg;
        const ElfW(Sym) * s;
        struct ifp_elf e;

        (void)size;
        if (!ifp_elf_read(&e, info))
                return 0;
        if (is_self(&e)) {
                next->behind = true;
                return 0;
        }
        if (!next->behind)
                return 0;
        s = ifp_elf_find(&e, next->name, NULL);
        if (!s)
                return 0;
        next->found = (void *)(uintptr_t)ifp_elf_address(&e, s);
        next->libc = e.soname && !ifp_strcmp(e.soname, "libc.so.6");
        return 1;
}

void *ifp_next(const char *name)
{
        struct next next = {.name = name};

        dl_iterate_phdr(find_next, &next);
        return next.found;
}

bool ifp_next_is_libc(const char *name)
{
        struct next next = {.name = name};

        dl_iterate_phdr(find_next, &next);
        return next.found && next.libc;
}

void ifp_slots_after_fork(void)
{
        in_loader = ifp_tls.dl_depth ? 1 : 0;
        ifp_kernels_after_fork();
}
