/* SPDX-License-Identifier: MIT */
/*
 * An open-addressed table, read under a sequence count. Entries are added in
 * place; dropping a load may rebuild the table, which readers notice by the
 * count and look again.
 */
#include "preload/kernels.h"

#define SLOTS 65536u
#define LIMIT 49152u

static struct ifp_kernel table[SLOTS];
static uint32_t used, gone; /* entries taken, and of these the dead ones */
static uint32_t sequence, stub_lock;
static const uint8_t switch_on = 1;

static uint32_t hash(uint64_t address)
{
        return (uint32_t)(address * 0x9e3779b97f4a7c15ull >> 48) % SLOTS;
}

static struct ifp_kernel *find(uint64_t address)
{
        for (uint32_t i = hash(address);; i = (i + 1) % SLOTS) {
                uint64_t a = __atomic_load_n(&table[i].address, __ATOMIC_ACQUIRE);

                if (a == address)
                        return &table[i];
                if (!a)
                        return NULL;
        }
}

bool ifp_kernel_add(uint64_t address, const char *name, const struct ifp_want *want, uint32_t load,
                    uint32_t object)
{
        uint32_t i = hash(address);

        if (address < 2 || find(address))
                return false; /* an alias: the first name counts */
        if (used >= LIMIT) {
                __atomic_fetch_add(&ifp_seg->live.stubs_refused, 1, __ATOMIC_RELAXED);
                return false;
        }
        while (table[i].address)
                i = (i + 1) % SLOTS;
        used++;
        table[i].name = name;
        table[i].want = want;
        table[i].load = load;
        table[i].object = object;
        table[i].stub = 0;
        __atomic_store_n(&table[i].address, address, __ATOMIC_RELEASE);
        return true;
}

/* Puts every living entry of a run of entries where a search would look for it. */
static void rebuild(void)
{
        static struct ifp_kernel keep[LIMIT];
        uint32_t n = 0;

        __atomic_fetch_add(&sequence, 1, __ATOMIC_ACQ_REL);
        for (uint32_t i = 0; i < SLOTS; i++) {
                if (table[i].address > 1)
                        keep[n++] = table[i];
                if (table[i].address)
                        table[i].address = 0;
        }
        used = gone = 0;
        for (uint32_t k = 0; k < n; k++) {
                uint32_t i = hash(keep[k].address);

                while (table[i].address)
                        i = (i + 1) % SLOTS;
                table[i] = keep[k];
                used++;
        }
        __atomic_fetch_add(&sequence, 1, __ATOMIC_ACQ_REL);
}

void ifp_kernels_drop(uint32_t load)
{
        for (uint32_t i = 0; i < SLOTS; i++) {
                if (table[i].address < 2 || table[i].load != load)
                        continue;
                __atomic_store_n(&table[i].address, 1, __ATOMIC_RELEASE);
                gone++;
        }
        if (gone > LIMIT / 4)
                rebuild();
}

/* A copy of the entry; false: none. */
static struct ifp_kernel *look(uint64_t address)
{
        struct ifp_kernel *k;
        uint32_t before;

        do {
                while ((before = __atomic_load_n(&sequence, __ATOMIC_ACQUIRE)) & 1)
                        (void)IFP_SYS(sched_yield);
                k = find(address);
        } while (__atomic_load_n(&sequence, __ATOMIC_ACQUIRE) != before);
        return k;
}

bool ifp_kernel_known(uint64_t address)
{
        return address > 1 && look(address);
}

static void fill(struct ifp_stub *s, const struct ifp_kernel *k)
{
        const struct ifp_want *w = k->want;

        s->target = (void *)(uintptr_t)k->address;
        s->row = s->hot_left = 0;
        s->op = 0;
        s->plain_op = 0;
        s->stack_bytes = w->stack_bytes;
        s->kind = w->kind;
        s->hot = w->hot;
        s->engine = w->engine;
        s->hook = w->hook;
        s->name = k->name;
        s->object = k->object;
        s->load = k->load;
        __atomic_store_n(&s->sw, &switch_on, __ATOMIC_RELEASE);
}

uint64_t ifp_kernel_stub(uint64_t address)
{
        struct ifp_kernel *k;
        uint32_t i, stub;

        if (address < 2 || !(k = look(address)))
                return 0;
        ifp_lock(&stub_lock);
        if (!k->stub && ifp_stub_new(&i)) {
                fill(&ifp_stubs[i], k);
                k->stub = i + 1;
        }
        stub = k->stub;
        ifp_unlock(&stub_lock);
        return stub ? (uint64_t)(uintptr_t)ifp_stub_entry(stub - 1) : 0;
}

void ifp_kernels_after_fork(void)
{
        stub_lock = 0;
}
