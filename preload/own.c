/* SPDX-License-Identifier: MIT */
/*
 * Which allocators are there, what stands in for their functions, and whose maps are not the
 * engine's. Changed only by ifp_scan; read without a lock (dlsym and mmap may be called anywhere).
 */
#include "preload/own.h"

#include <unwind.h>

#include "preload/engine.h"
#include "preload/real.h"

#define MAX_BACKERS 32u

struct there {
        const struct ifp_own *own;
        struct ifp_elf elf;
        bool serves; /* it is the allocator behind our malloc */
        bool used;   /* stored last, with release */
};

static const struct ifp_own *const owns[] = {&ifp_own_jemalloc, &ifp_own_mimalloc,
                                             &ifp_own_tcmalloc};
#define N_OWNS (sizeof(owns) / sizeof(owns[0]))

static struct there there[N_OWNS];
static struct {
        uint64_t start, end; /* end is stored last; 0: free */
} backers[MAX_BACKERS];

static uint64_t address_of(const struct ifp_elf *e, const char *name)
{
        const ElfW(Sym) *s = ifp_elf_find(e, name, NULL);

        return s ? ifp_elf_address(e, s) : 0;
}

static bool inside(const struct ifp_elf *e, uint64_t address)
{
        return address >= e->start && address < e->end;
}

/* ---- coming and going ---- */

/* Every library that has a malloc takes memory for it, and so do libc and the loader. */
static void note_backer(const struct ifp_elf *e)
{
        bool libc = e->soname && (ifp_starts(e->soname, "libc.so") || ifp_starts(e->soname, "ld-"));

        if (!*e->path || (!libc && !ifp_elf_find(e, "malloc", NULL)))
                return;
        for (uint32_t i = 0; i < MAX_BACKERS; i++) {
                if (backers[i].end)
                        continue;
                backers[i].start = e->start;
                __atomic_store_n(&backers[i].end, e->end, __ATOMIC_RELEASE);
                return;
        }
}

static void take_names(const struct ifp_elf *e, const struct ifp_own_name *names, uint32_t n,
                       bool wanted)
{
        for (uint32_t i = 0; i < n; i++)
                *names[i].real = wanted ? (void *)(uintptr_t)address_of(e, names[i].name) : NULL;
}

static void take(struct there *t, const struct ifp_own *own, const struct ifp_elf *e, bool alone)
{
        uint64_t malloc_at = address_of(e, "malloc");

        t->own = own;
        t->elf = *e;
        t->serves = malloc_at && malloc_at == (uint64_t)(uintptr_t)ifp_real.malloc;
        *own->usable_real = (ifp_usable_fn *)(uintptr_t)address_of(e, own->usable);
        if (!*own->usable_real)
                return;
        take_names(e, own->names, own->n_names, true);
        take_names(e, own->serving, own->n_serving, t->serves || alone);
        take_names(e, own->aside, own->n_aside, !t->serves);
        __atomic_store_n(&t->used, true, __ATOMIC_RELEASE);
}

/* Of two libraries of one allocator the first counts, while it is there. */
void ifp_own_opened(const struct ifp_elf *e, const char *file, bool alone)
{
        note_backer(e);
        for (uint32_t i = 0; i < N_OWNS; i++)
                if (!there[i].used && *e->path &&
                    (ifp_glob(owns[i]->object, file) ||
                     (e->soname && ifp_glob(owns[i]->object, e->soname))) &&
                    ifp_elf_find(e, owns[i]->mark, NULL))
                        take(&there[i], owns[i], e, alone);
}

void ifp_own_closed(const struct ifp_elf *e)
{
        for (uint32_t i = 0; i < MAX_BACKERS; i++)
                if (backers[i].end == e->end && backers[i].start == e->start)
                        __atomic_store_n(&backers[i].end, 0, __ATOMIC_RELEASE);
        for (uint32_t i = 0; i < N_OWNS; i++)
                if (there[i].used && there[i].elf.base == e->base &&
                    there[i].elf.dynamic == e->dynamic)
                        __atomic_store_n(&there[i].used, false, __ATOMIC_RELEASE);
}

/* ---- asking ---- */

static uint64_t find(const struct ifp_own_name *names, uint32_t n, uint64_t address)
{
        for (uint32_t i = 0; i < n; i++)
                if ((uint64_t)(uintptr_t)*names[i].real == address && names[i].ours)
                        return (uint64_t)(uintptr_t)names[i].ours;
        return 0;
}

uint64_t ifp_own_for(uint64_t address)
{
        for (uint32_t i = 0; i < N_OWNS; i++) {
                const struct there *t = &there[i];
                const struct ifp_own *own = t->own;
                uint64_t ours;

                if (!__atomic_load_n(&t->used, __ATOMIC_ACQUIRE) || !inside(&t->elf, address))
                        continue;
                if ((ours = find(own->names, own->n_names, address)) ||
                    (ours = find(own->serving, own->n_serving, address)) ||
                    (ours = find(own->aside, own->n_aside, address)))
                        return ours;
        }
        return 0;
}

bool ifp_own_named(const char *name)
{
        for (uint32_t i = 0; i < N_OWNS; i++) {
                const struct there *t = &there[i];
                uint64_t a;

                if (__atomic_load_n(&t->used, __ATOMIC_ACQUIRE) &&
                    (a = address_of(&t->elf, name)) && ifp_own_for(a))
                        return true;
        }
        return false;
}

static const void *meant_by(const struct ifp_own_name *names, uint32_t n, const void *address)
{
        for (uint32_t i = 0; i < n; i++)
                if (names[i].ours == address && *names[i].real)
                        return *names[i].real;
        return NULL;
}

const void *ifp_own_meant(const void *address)
{
        for (uint32_t i = 0; i < N_OWNS; i++) {
                const struct ifp_own *own = there[i].own;
                const void *real;

                if (!__atomic_load_n(&there[i].used, __ATOMIC_ACQUIRE))
                        continue;
                if ((real = meant_by(own->names, own->n_names, address)) ||
                    (real = meant_by(own->serving, own->n_serving, address)) ||
                    (real = meant_by(own->aside, own->n_aside, address)))
                        return real;
        }
        return address;
}

bool ifp_own_serves(const struct ifp_elf *e)
{
        return inside(e, (uint64_t)(uintptr_t)ifp_real.malloc);
}

static const struct {
        const char *name;
        void **real;
} family[] = {
#define X(name) {#name, (void **)&ifp_real.name},
        IFP_REAL_MEMORY(X)
#undef X
};

/* The place in `family`; NULL: it is none of it. */
static void **family_real(const char *name)
{
        for (uint32_t i = 0; i < sizeof(family) / sizeof(family[0]); i++)
                if (!ifp_strcmp(family[i].name, name))
                        return family[i].real;
        return NULL;
}

bool ifp_own_family(const char *name)
{
        return family_real(name) != NULL;
}

uint64_t ifp_own_inside(const struct ifp_elf *e, const char *name)
{
        for (uint32_t i = 0; i < N_OWNS; i++) {
                const struct there *t = &there[i];
                void **real;

                if (!t->used || !t->serves || !t->own->calls_malloc || t->elf.base != e->base)
                        continue;
                real = family_real(name);
                if (real && inside(e, (uint64_t)(uintptr_t)*real))
                        return (uint64_t)(uintptr_t)*real;
        }
        return 0;
}

bool ifp_own_backs_heap(const void *address)
{
        uint64_t a = (uint64_t)(uintptr_t)address;

        for (uint32_t i = 0; i < MAX_BACKERS; i++)
                if (a < __atomic_load_n(&backers[i].end, __ATOMIC_ACQUIRE) && a >= backers[i].start)
                        return true;
        return false;
}

/* ---- for the stand-ins ---- */

void ifp_own_move_begin(struct ifp_own_move *m, const void *old, ifp_usable_fn *usable)
{
        m->old = old;
        m->had = old ? usable(old) : 0;
        m->sampled = old && ifp_live_filter[ifp_live_home(old)] && ifp_live_take(old, &m->sample);
}

void ifp_own_move_end(struct ifp_own_move *m, void *p, size_t asked, bool gone,
                      ifp_usable_fn *usable)
{
        bool freed = m->old && (p || gone);

        if (m->sampled && freed)
                ifp_heap_freed(&m->sample);
        else if (m->sampled)
                ifp_live_add(m->old, &m->sample);
        if (freed)
                ifp_count_free(NULL, m->had);
        if (p || asked)
                ifp_own_got(p, asked, usable);
}

_Unwind_Reason_Code ifp_own_thrown(int version, _Unwind_Action actions,
                                   _Unwind_Exception_Class class, struct _Unwind_Exception *thrown,
                                   struct _Unwind_Context *context);
/* Called for the frame of a stand-in that an exception leaves: what was asked for did not come. */
__attribute__((used)) _Unwind_Reason_Code ifp_own_thrown(int version, _Unwind_Action actions,
                                                         _Unwind_Exception_Class class,
                                                         struct _Unwind_Exception *thrown,
                                                         struct _Unwind_Context *context)
{
        (void)version;
        (void)class;
        (void)thrown;
        (void)context;
        if ((actions & _UA_CLEANUP_PHASE) && !(actions & _UA_FORCE_UNWIND))
                ifp_count_alloc(NULL, 0, 0);
        return _URC_CONTINUE_UNWIND;
}
