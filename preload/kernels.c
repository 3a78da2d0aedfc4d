/* SPDX-License-Identifier: MIT */
/*
 * Entries lie in the order they came; an open-addressed table of their numbers
 * finds them. It is read under a sequence count: entries are added in place,
 * but dropping a load builds it anew, which readers notice by the count and
 * look again.
 */
#include "preload/kernels.h"

#include "preload/own.h"

#define MAX_KERNELS 24576u
#define SLOTS       32768u

static struct ifp_kernel kernels[MAX_KERNELS];
static uint16_t table[SLOTS]; /* number + 1; 0: free */
static uint32_t n_kernels;    /* entries in use lie below; those with address 0 are free */
static uint32_t sequence, stub_lock;
static const uint8_t switch_on = 1, switch_off = 0;
void *ifp_stub_real[IFP_MAX_STUBS];
bool ifp_tokens_elsewhere;

static uint32_t hash(uint64_t address)
{
        return (uint32_t)(address * 0x9e3779b97f4a7c15ull >> 49);
}

static struct ifp_kernel *find(uint64_t address)
{
        for (uint32_t i = hash(address), n = 0; n < SLOTS; i = (i + 1) % SLOTS, n++) {
                uint16_t k = __atomic_load_n(&table[i], __ATOMIC_ACQUIRE);

                if (!k)
                        return NULL;
                if (kernels[k - 1].address == address)
                        return &kernels[k - 1];
        }
        return NULL;
}

static void enter(uint32_t k)
{
        uint32_t i = hash(kernels[k].address);

        while (table[i])
                i = (i + 1) % SLOTS;
        __atomic_store_n(&table[i], (uint16_t)(k + 1), __ATOMIC_RELEASE);
}

bool ifp_kernel_add(uint64_t address, const char *name, const struct ifp_want *want, uint32_t load,
                    uint32_t object)
{
        if (!address || find(address))
                return false; /* an alias: the first name counts */
        if (n_kernels == MAX_KERNELS) {
                __atomic_fetch_add(&ifp_seg->live.stubs_refused, 1, __ATOMIC_RELAXED);
                return false;
        }
        if (want->hook && want->hook->tokens)
                ifp_tokens_elsewhere = true;
        kernels[n_kernels] = (struct ifp_kernel){
                .address = address, .name = name, .want = want, .load = load, .object = object};
        enter(n_kernels++);
        return true;
}

void ifp_kernels_drop(uint32_t load)
{
        uint32_t n = 0;

        while (n < n_kernels && kernels[n].load != load)
                n++;
        if (n == n_kernels)
                return;
        ifp_lock(&stub_lock);
        __atomic_fetch_add(&sequence, 1, __ATOMIC_ACQ_REL);
        for (uint32_t i = n; i < n_kernels; i++)
                if (kernels[i].load != load)
                        kernels[n++] = kernels[i];
        n_kernels = n;
        for (uint32_t i = 0; i < SLOTS; i++)
                table[i] = 0;
        for (uint32_t i = 0; i < n; i++)
                enter(i);
        __atomic_fetch_add(&sequence, 1, __ATOMIC_ACQ_REL);
        ifp_unlock(&stub_lock);
}

/* Leaves a copy of the kernel's entry in *ret; false: there is none. */
static bool look(uint64_t address, struct ifp_kernel *ret)
{
        struct ifp_kernel *k;
        uint32_t before;

        do {
                while ((before = __atomic_load_n(&sequence, __ATOMIC_ACQUIRE)) & 1)
                        (void)IFP_SYS(sched_yield);
                k = find(address);
                if (k)
                        *ret = *k;
        } while (__atomic_load_n(&sequence, __ATOMIC_ACQUIRE) != before);
        return k != NULL;
}

bool ifp_kernel_known(uint64_t address)
{
        struct ifp_kernel k;

        return address && look(address, &k);
}

static void fill(struct ifp_stub *s, const struct ifp_kernel *k)
{
        const struct ifp_want *w = k->want;
        uint64_t own = ifp_own_for(k->address);

        void *instead = w->hook ? w->hook->instead : NULL;

        s->target = instead ? instead : (void *)(uintptr_t)(own ? own : k->address);
        ifp_stub_real[s - ifp_stubs] = instead ? (void *)(uintptr_t)k->address : NULL;
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
        __atomic_store_n(&s->sw, instead ? &switch_off : &switch_on, __ATOMIC_RELEASE);
}

uint64_t ifp_kernel_stub(uint64_t address)
{
        struct ifp_kernel k, *now;
        uint32_t i;

        if (!address || !look(address, &k))
                return 0;
        if (!k.stub) {
                ifp_lock(&stub_lock);
                now = find(address);
                if (now && now->stub) {
                        k.stub = now->stub;
                } else if (now && ifp_stub_new(&i)) {
                        fill(&ifp_stubs[i], now);
                        k.stub = now->stub = i + 1;
                        if (now->want->pattern)
                                ifp_seg->live.patterns[now->want->pattern - 1].reached++;
                }
                ifp_unlock(&stub_lock);
        }
        return k.stub ? (uint64_t)(uintptr_t)ifp_stub_entry(k.stub - 1) : 0;
}

void ifp_kernels_after_fork(void)
{
        stub_lock = 0;
}
