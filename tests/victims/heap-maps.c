/* SPDX-License-Identifier: MIT */
/* libheap-maps.so: kernels that take memory from the system itself, and say what they did. */
#include "heap-maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

static void *mapped(struct maps_truth *t, void *p, long bytes)
{
        if (p == MAP_FAILED)
                abort();
        t->maps++;
        t->mapped += bytes;
        return p;
}

static void unmap(struct maps_truth *t, void *p, long bytes)
{
        if (munmap(p, (size_t)bytes))
                abort();
        t->unmaps++;
        t->unmapped += bytes;
}

void k_mmap(struct maps_truth *t, long n)
{
        int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

        for (long i = 0; i < n; i++) {
                char *p = mapped(t, mmap(NULL, 65536, RW, ANON, -1, 0), 65536), *q;

                p[5] = 1;
                q = mapped(t, mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), 4096);
                unmap(t, q, 4096);
                q = mapped(t, mmap64(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0), 8192);
                unmap(t, q, 8192);
                unmap(t, p, 65536);
        }
        close(fd);
}

void k_mremap(struct maps_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                void *p = mapped(t, mmap(NULL, 16384, RW, ANON, -1, 0), 16384);

                /* what it adds is mapped */
                p = mapped(t, mremap(p, 16384, 81920, MREMAP_MAYMOVE), 81920 - 16384);
                unmap(t, p, 81920);
        }
}

void k_sbrk(struct maps_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                void *here = sbrk(0);

                mapped(t, sbrk(4096), 4096);
                if (sbrk(0) != (char *)here + 4096)
                        abort();
        }
}

void k_maps_fail(struct maps_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                errno = 0;
                if (mmap(NULL, 0, RW, ANON, -1, 0) != MAP_FAILED || errno != EINVAL)
                        abort();
                if (mmap(NULL, (size_t)1 << 60, RW, ANON, -1, 0) != MAP_FAILED || errno != ENOMEM)
                        abort();
                if (mmap(NULL, 4096, RW, MAP_PRIVATE, -1, 0) != MAP_FAILED || errno != EBADF)
                        abort();
                if (mremap((void *)4096, 4096, 8192, 0) != MAP_FAILED)
                        abort();
                if (sbrk((intptr_t)1 << 60) != (void *)-1 || errno != ENOMEM)
                        abort();
                t->failed += 5;
                if (munmap((void *)1, 4096) != -1 || errno != EINVAL) /* unmaps nothing */
                        abort();
        }
}
