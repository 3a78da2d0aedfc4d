/* SPDX-License-Identifier: MIT */
/*
 * free_sized and free_aligned_sized (C23 7.24.3.4 and 7.24.3.5), which are free for who says truly
 * what it frees. glibc has them not yet: then free serves.
 */
#include "preload/count.h"
#include "preload/real.h"

extern char __bss_start[], _end[]; /* of this library */

/* A block that was served before there was an allocator. */
static bool ours(const void *p)
{
        return (const char *)p >= __bss_start && (const char *)p < _end;
}

IFP_EXPORT void free_sized(void *p, size_t n)
{
        if (!p || ours(p) || !ifp_real.free_sized) {
                free(p);
                return;
        }
        ifp_count_free(p, ifp_real.malloc_usable_size(p));
        ifp_real.free_sized(p, n);
}

IFP_EXPORT void free_aligned_sized(void *p, size_t align, size_t n)
{
        if (!p || ours(p) || !ifp_real.free_aligned_sized) {
                free(p);
                return;
        }
        ifp_count_free(p, ifp_real.malloc_usable_size(p));
        ifp_real.free_aligned_sized(p, align, n);
}
