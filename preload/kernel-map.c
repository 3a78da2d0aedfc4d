/* SPDX-License-Identifier: MIT */
/*
 * The kernel's view of this process, as it comes with the daemon's answer: a descriptor of a map of
 * the kernel's that can be read and not written. What is kept is the mapping; the descriptor is
 * closed before the engine can see it. A map that is too small for our lanes is refused by the
 * kernel, which maps no further than it reaches.
 *
 * Never unmapped: a thread may be reading it. A fork child has its parent's until its own
 * handshake, and must not look at it (ifp_ledger_after_fork forgets it).
 */
#include "preload/kernel-map.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <infprof/kernel.h>

#define PAGE 4096u

void ifp_kernel_take(int fd)
{
        uint64_t bytes = (uint64_t)ifp_seg->header.n_lanes * sizeof(struct ifp_kernel_lane);
        struct stat st;
        long at = -EBADF;

        /* a file could be cut short under us; a map of the kernel's is no file, and has no size */
        if (!ifp_sys_failed(IFP_SYS(fstat, fd, &st)) && !S_ISREG(st.st_mode))
                at = IFP_SYS(mmap, NULL, (bytes + PAGE - 1) / PAGE * PAGE, PROT_READ, MAP_SHARED,
                             fd, 0);
        IFP_SYS(close, fd);
        if (!ifp_sys_failed(at))
                __atomic_store_n(&ifp_kernel, (const struct ifp_kernel_lane *)at, __ATOMIC_RELEASE);
}
