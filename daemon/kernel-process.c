/* SPDX-License-Identifier: MIT */
/*
 * What our programs are told of a process: who it is for the kernel, where its lanes lie, where its
 * first thread stands; and the array that they fill for it.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/kernel-private.h"
#include "daemon/lane.h"
#include "daemon/process.h"

/* Who it is for the kernel: the innermost pid namespace, and its number there. */
int kernel_identify(const struct process *p, struct view_proc *v)
{
        struct kernel_proc_thread t;
        struct stat st;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)p->pid);
        if (stat(path, &st) < 0)
                return -errno;
        if (!kernel_proc_thread(p->pid, p->pid, &t))
                return -ESRCH;
        v->pidns = (uint32_t)st.st_ino;
        v->tgid = (uint32_t)t.inner;
        v->since_ns = clock_mono_ns();
        v->running = t.running;
        v->runnable = t.runnable;
        v->voluntary = t.voluntary;
        v->involuntary = t.involuntary;
        v->minor_faults = t.minor_faults;
        v->major_faults = t.major_faults;
        return 0;
}

void kernel_describe(const struct process *p, struct view_proc *v)
{
        const struct ifp_header *h = &p->segment.header;

        v->flags = h->flags & IFP_HEADER_OFFCPU ? VIEW_OFFCPU : 0;
        v->n_lanes = h->n_lanes;
        v->lanes_at = h->mapped_at + h->lanes_offset;
        v->lane_bytes = h->lane_bytes;
        v->tls_offset = h->mapped_at ? h->tls_lane_offset : 0;
        v->ops_at = h->mapped_at + offsetof(struct ifp_segment, ops);
        v->phase_at = h->mapped_at + offsetof(struct ifp_segment, live) +
                      offsetof(struct ifp_live, phase);
        v->first_lane = v->n_lanes - 1;
        for (uint32_t i = 0; i < lane_count(p) && v->first_lane == v->n_lanes - 1; i++)
                if (__atomic_load_n(&p->segment.map->lanes[i].tid, __ATOMIC_RELAXED) ==
                    (int32_t)v->tgid)
                        v->first_lane = i;
        v->waits = h->flags & IFP_HEADER_WAITS ? 1 : 0;
        v->waits_offset = offsetof(struct ifp_lane, waits);
}

/* Of a process that an earlier daemon gave its array: the same, as the engine looks at that. */
static int find_array(const struct process *p)
{
        uint32_t id = __atomic_load_n(&p->segment.map->live.daemon_kernel_map, __ATOMIC_RELAXED);

        return p->adopted && id ? kernel_bpf_find_array(id) : -1;
}

int kernel_make_array(struct process *p)
{
        struct kernel *k = &p->kernel;
        size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes;
        void *at;

        k->array = find_array(p);
        if (k->array < 0) {
                k->array = kernel_slots_spare(&k->slot);
                k->installed = k->array >= 0;
        }
        if (k->array < 0)
                k->array = kernel_bpf_array();
        if (k->array < 0)
                return k->array;
        bytes = (VIEW_LANES * sizeof(struct ifp_kernel_lane) + page - 1) / page * page;
        at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, k->array, 0);
        if (at == MAP_FAILED) {
                int error = errno;

                close(k->array);
                k->array = -1;
                return -error;
        }
        (void)madvise(at, bytes, MADV_DONTFORK);
        k->lanes = at;
        k->lanes_bytes = bytes;
        __atomic_store_n(&p->segment.map->live.daemon_kernel_map, kernel_bpf_array_id(k->array),
                         __ATOMIC_RELAXED);
        return 0;
}
