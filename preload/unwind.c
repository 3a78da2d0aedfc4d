/* SPDX-License-Identifier: MIT */
/*
 * Stacks, by libunwind's unw_backtrace, whose cache of frame layouts makes a
 * known stack cheap. It is loaded when the shim begins, so that nothing is set up in
 * the midst of an allocation, and it is made a guest like ourselves: its own slots are
 * pointed at functions here, so that it takes no memory from the engine's
 * allocator, opens no descriptor, and waits for no lock that dlopen or a fork
 * may hold.
 *
 * - What is loaded it learns from a copy of the program headers kept here. Only
 *   within dlopen, whose new objects are not known here yet, is the loader asked: this thread
 *   holds its lock then.
 * - Its two words of thread-local storage lie in a table here, so that
 *   __tls_get_addr never allocates, and the cache of frames of a thread that ended serves
 *   the next one. (A cache takes 256 KiB; a thread has one from its first sample to its end.)
 */
#include <link.h>

#include "preload/heap.h"
#include "preload/real.h"
#include "preload/slots.h"

#define MAX_IMAGES   1024u
#define MAX_PHDRS    16u
#define STACK_NEEDED (24u << 10) /* what stepping may take; below that it is not begun */
#define CACHE_NONE   0           /* UNW_CACHE_NONE: the cache behind the cache has a lock */
#define TLS_BYTES    16u
#define LIBUNWIND    "libunwind.so.8"
#define UNW(name)    "_ULx86_64_" name

struct image {
        bool used; /* stored last, with release */
        uint16_t n_phdrs;
        uint64_t base, dynamic;
        ElfW(Phdr) phdrs[MAX_PHDRS];
};

static struct image images[MAX_IMAGES];
static uint32_t n_images;
static uint64_t shim_start, shim_end;
static int (*backtrace_real)(void **buffer, int size);
static uint64_t blocks[IFP_MAX_LANES][TLS_BYTES / 8];
static uint16_t free_blocks[IFP_MAX_LANES]; /* a stack: the one used last is warm */
static uint32_t n_blocks, n_free_blocks;    /* ever used; of these, free now */
static uint32_t its_lock, blocks_lock;
static bool loading;

/* ---- what is loaded ------------------------------------------------------------ */

void ifp_unwind_opened(const struct ifp_elf *e)
{
        uint32_t i;

        if (e->start <= (uint64_t)(uintptr_t)&ifp_unwind_opened &&
            (uint64_t)(uintptr_t)&ifp_unwind_opened < e->end) {
                shim_start = e->start;
                shim_end = e->end;
        }
        for (i = 0; i < MAX_IMAGES && images[i].used; i++)
                ;
        if (i == MAX_IMAGES || e->n_phdr > MAX_PHDRS)
                return;
        images[i].base = e->base;
        images[i].dynamic = (uint64_t)(uintptr_t)e->dynamic;
        images[i].n_phdrs = e->n_phdr;
        ifp_copy(images[i].phdrs, e->phdr, e->n_phdr * sizeof(ElfW(Phdr)));
        __atomic_store_n(&images[i].used, true, __ATOMIC_RELEASE);
        if (i >= n_images)
                __atomic_store_n(&n_images, i + 1, __ATOMIC_RELEASE);
}

void ifp_unwind_closed(const struct ifp_elf *e)
{
        for (uint32_t i = 0; i < n_images; i++)
                if (images[i].used && images[i].base == e->base &&
                    images[i].dynamic == (uint64_t)(uintptr_t)e->dynamic)
                        __atomic_store_n(&images[i].used, false, __ATOMIC_RELEASE);
}

bool ifp_unwind_owns(const char *soname)
{
        return loading && soname;
}

/* ---- what libunwind calls ---------------------------------------------------------- */

static int iterate(int (*fn)(struct dl_phdr_info *, size_t, void *), void *arg)
{
        uint32_t n = __atomic_load_n(&n_images, __ATOMIC_ACQUIRE);

        if (ifp_tls.dl_depth)
                return dl_iterate_phdr(fn, arg);
        for (uint32_t i = 0; i < n; i++) {
                struct dl_phdr_info info = {.dlpi_addr = images[i].base,
                                            .dlpi_name = "",
                                            .dlpi_phdr = images[i].phdrs,
                                            .dlpi_phnum = images[i].n_phdrs};
                int ret;

                if (!__atomic_load_n(&images[i].used, __ATOMIC_ACQUIRE))
                        continue;
                ret = fn(&info, sizeof(info), arg);
                if (ret)
                        return ret;
        }
        return 0;
}

struct tls_index {
        uint64_t module, offset;
};

/* The engine may use the same libunwind, on threads that have no lane. */
static void *tls_get_addr(const struct tls_index *index)
{
        static __thread uint64_t own[TLS_BYTES / 8] __attribute__((tls_model("initial-exec")));
        uint64_t *block = ifp_tls.unwind ? ifp_tls.unwind : own;

        return (char *)block + index->offset;
}

static void *map(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
        long ret = IFP_SYS(mmap, at, n, prot, flags, fd, offset);

        return ifp_sys_failed(ret) ? (void *)-1 : (void *)ret;
}

static int unmap(void *at, size_t n)
{
        return (int)IFP_SYS(munmap, at, n);
}

/* The page is readable if the kernel can read it: rt_sigprocmask does so before it says no. */
static bool readable(uint64_t address)
{
        return IFP_SYS(rt_sigprocmask, -1, address & ~7ull, NULL, 8) != -EFAULT;
}

static int validate_page(void *at, size_t n, unsigned char *vec)
{
        (void)n;
        vec[0] = 1;
        return readable((uint64_t)(uintptr_t)at) ? 0 : -1;
}

/* It writes one byte of the address it doubts to a pipe; there is none. */
static long validate_write(long number, int fd, uint64_t address, size_t n)
{
        (void)number;
        (void)fd;
        (void)n;
        errno = 0;
        return readable(address) ? 1 : -1;
}

static long validate_write_to(int fd, uint64_t address, size_t n)
{
        return validate_write(0, fd, address, n);
}

static long read_one(int fd, void *to, size_t n)
{
        (void)fd;
        (void)to;
        (void)n;
        errno = 0;
        return 1;
}

static long refuse(void)
{
        errno = EACCES;
        return -1;
}

static void *no_memory(void)
{
        return NULL;
}

static int nothing(void)
{
        return 0;
}

static int lock(void *mutex)
{
        (void)mutex;
        ifp_lock(&its_lock);
        return 0;
}

static int unlock(void *mutex)
{
        (void)mutex;
        ifp_unlock(&its_lock);
        return 0;
}

static const struct {
        const char *name;
        void *to;
        bool needed;
} redirects[] = {
        {"dl_iterate_phdr", (void *)iterate, true},
        {"__tls_get_addr", (void *)tls_get_addr, true},
        {"mmap", (void *)map, true},
        {"munmap", (void *)unmap, true},
        {"mincore", (void *)validate_page, false},
        {"msync", (void *)validate_page, false},
        {"syscall", (void *)validate_write, false},
        {"write", (void *)validate_write_to, false},
        {"read", (void *)read_one, false},
        {"pipe", (void *)refuse, false},
        {"pipe2", (void *)refuse, false},
        {"open", (void *)refuse, false},
        {"malloc", (void *)no_memory, false},
        {"calloc", (void *)no_memory, false},
        {"free", (void *)nothing, false},
        {"pthread_key_create", (void *)nothing, true},
        {"pthread_setspecific", (void *)nothing, true},
        {"pthread_mutex_lock", (void *)lock, true},
        {"pthread_mutex_unlock", (void *)unlock, true},
};
#define N_REDIRECTS (sizeof(redirects) / sizeof(redirects[0]))

/* ---- loading -------------------------------------------------------------------- */

static uint32_t redirect_all(const struct ifp_elf *e, const ElfW(Rela) * rela, uint64_t n)
{
        uint32_t found = 0;

        for (uint64_t i = 0; rela && i < n; i++) {
                const char *name = e->strtab + e->symtab[ELF64_R_SYM(rela[i].r_info)].st_name;

                if (!ELF64_R_SYM(rela[i].r_info))
                        continue;
                for (uint32_t k = 0; k < N_REDIRECTS; k++) {
                        if (ifp_strcmp(redirects[k].name, name))
                                continue;
                        *(void **)(uintptr_t)(e->base + rela[i].r_offset) = redirects[k].to;
                        found |= 1u << k;
                }
        }
        return found;
}

struct adoption {
        const struct link_map *map;
        bool done;
};

/* Points its slots here; it is not done where one of importance is not found. */
static int adopt(struct dl_phdr_info *info, size_t size, void *arg)
{
        struct adoption *a = arg;
        uint32_t found;
        struct ifp_elf e;

        (void)size;
        if (info->dlpi_addr != a->map->l_addr || !ifp_elf_read(&e, info) ||
            (const void *)e.dynamic != (const void *)a->map->l_ld)
                return 0;
        for (uint16_t i = 0; i < info->dlpi_phnum; i++)
                if (info->dlpi_phdr[i].p_type == PT_TLS &&
                    (info->dlpi_phdr[i].p_memsz > TLS_BYTES || info->dlpi_phdr[i].p_filesz))
                        return 1;
        if (e.relro_end > e.relro_start)
                IFP_SYS(mprotect, e.relro_start, e.relro_end - e.relro_start,
                        3 /* PROT_READ | PROT_WRITE */);
        found = redirect_all(&e, e.jmprel, e.n_jmprel) | redirect_all(&e, e.rela, e.n_rela);
        if (e.relro_end > e.relro_start)
                IFP_SYS(mprotect, e.relro_start, e.relro_end - e.relro_start, 1 /* PROT_READ */);
        a->done = true;
        for (uint32_t k = 0; k < N_REDIRECTS; k++)
                if (redirects[k].needed && !(found >> k & 1))
                        a->done = false;
        return 1;
}

/* NULL: not there, or not as it is known. */
static void *load(void)
{
        struct adoption a = {0};
        void *handle;

        loading = true;
        handle = ifp_real.dlopen(LIBUNWIND, RTLD_NOW | RTLD_LOCAL);
        if (!handle) {
                char *(*forget)(void) = (char *(*)(void))ifp_next("dlerror");

                if (forget) {
                        forget();
                        forget();
                }
        } else {
                a.map = handle;
                dl_iterate_phdr(adopt, &a);
                ifp_scan(handle, RTLD_NOW);
        }
        loading = false;
        return a.done ? handle : NULL;
}

void ifp_unwind_init(void)
{
        int (*set_policy)(void *space, int policy);
        uint64_t frames[4];
        void *handle = ifp_config.no_unwind ? NULL : load(), **space;
        bool cut;

        ifp_seg->live.unwinding = 2;
        if (!handle)
                return;
        backtrace_real = (int (*)(void **, int))ifp_real.dlsym(handle, "unw_backtrace");
        set_policy = (int (*)(void *, int))ifp_real.dlsym(handle, UNW("set_caching_policy"));
        space = ifp_real.dlsym(handle, UNW("local_addr_space"));
        if (!backtrace_real || !set_policy || !space) {
                backtrace_real = NULL;
                return;
        }
        set_policy(*space, CACHE_NONE);
        ifp_unwind(&ifp_tls, frames, 4, &cut); /* all that it does only once */
        ifp_seg->live.unwinding = 1;
}

/* The last thread's that ended, if there is one. Not entered by a handler: it finds a sample under
 * way. */
static uint64_t *take_block(void)
{
        uint64_t *block = NULL;

        ifp_lock(&blocks_lock);
        if (n_free_blocks)
                block = blocks[free_blocks[--n_free_blocks]];
        else if (n_blocks < IFP_MAX_LANES)
                block = blocks[n_blocks++];
        ifp_unlock(&blocks_lock);
        return block;
}

void ifp_unwind_end(struct ifp_tls *tls)
{
        uint64_t *block = tls->unwind;

        tls->unwind = NULL;
        if (!block)
                return;
        ifp_lock(&blocks_lock);
        free_blocks[n_free_blocks++] = (uint16_t)((block - blocks[0]) / (TLS_BYTES / 8));
        ifp_unlock(&blocks_lock);
}

/* Caches that another thread may have been writing are begun anew. */
void ifp_unwind_after_fork(void)
{
        its_lock = blocks_lock = 0;
        n_free_blocks = 0;
        for (uint32_t b = 0; b < n_blocks; b++) {
                if (blocks[b] == ifp_tls.unwind)
                        continue;
                for (uint32_t i = 0; i < TLS_BYTES / 8; i++)
                        blocks[b][i] = 0;
                free_blocks[n_free_blocks++] = (uint16_t)b;
        }
}

/* ---- a stack ----------------------------------------------------------------------- */

struct sigalt {
        void *sp;
        int flags;
        size_t size;
};

/* Is there room to step? Of a stack that is not the thread's own only the signals' is known. */
static bool room_on(const struct ifp_tls *tls, uint64_t sp)
{
        struct sigalt alt = {0};

        if (sp >= tls->stack_lo && sp < tls->stack_hi)
                return sp - tls->stack_lo > STACK_NEEDED;
        if (ifp_sys_failed(IFP_SYS(sigaltstack, NULL, &alt)) || !(alt.flags & 1 /* SS_ONSTACK */))
                return true;
        return sp - (uint64_t)(uintptr_t)alt.sp > STACK_NEEDED;
}

uint32_t ifp_unwind(struct ifp_tls *tls, uint64_t *ret, uint32_t room, bool *ret_cut)
{
        uint32_t n = 0;
        int got;

        *ret_cut = false;
        if (!backtrace_real || tls->crowd || !room_on(tls, (uint64_t)(uintptr_t)&got))
                return 0;
        if (IFP_UNLIKELY(!tls->unwind)) {
                tls->unwind = take_block();
                if (!tls->unwind)
                        return 0;
        }
        got = backtrace_real((void **)(uintptr_t)ret, (int)room);
        for (int i = 0; i < got; i++)
                if (ret[i] && (ret[i] < shim_start || ret[i] >= shim_end))
                        ret[n++] = ret[i];
        *ret_cut = got == (int)room;
        return n;
}
