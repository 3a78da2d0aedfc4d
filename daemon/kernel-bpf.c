/* SPDX-License-Identifier: MIT */
/*
 * The kernel's view, as far as libbpf is needed and once the programs are loaded (kernel-load.c).
 * Programs that are loaded and not attached cost nothing; they are attached while there is a
 * process to watch.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "common/cleanup.h"
#include "daemon/kernel-private.h"

int kernel_bpf_array(void)
{
        /* as in bpf/maps.h */
        LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_MMAPABLE);
        int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "infprof_lanes", sizeof(uint32_t),
                                sizeof(struct ifp_kernel_lane), VIEW_LANES, &o);

        if (fd < 0)
                return -errno;
        /* From now on programs write it and nobody else, whoever has a descriptor. (One that was
           opened by BPF_F_RDONLY cannot be mapped at all.) */
        if (bpf_map_freeze(fd) < 0) {
                int error = errno;

                close(fd);
                return -error;
        }
        return fd;
}

static bool is_array(int fd, uint32_t *ret_id)
{
        struct bpf_map_info info = {0};
        uint32_t n = sizeof(info);

        if (bpf_obj_get_info_by_fd(fd, &info, &n))
                return false;
        *ret_id = info.id;
        return info.type == BPF_MAP_TYPE_ARRAY && info.max_entries == VIEW_LANES &&
               info.value_size == sizeof(struct ifp_kernel_lane) &&
               info.map_flags == BPF_F_MMAPABLE;
}

uint32_t kernel_bpf_array_id(int array)
{
        uint32_t id;

        return is_array(array, &id) ? id : 0;
}

/* It takes CAP_SYS_ADMIN. */
int kernel_bpf_find_array(uint32_t id)
{
        int fd = bpf_map_get_fd_by_id(id);

        if (fd < 0)
                return -errno;
        if (!is_array(fd, &id)) {
                close(fd);
                return -EINVAL;
        }
        return fd;
}

void kernel_bpf_unload(struct kernel_bpf *b)
{
        kernel_bpf_detach(b);
        for (int i = 0; i < KERNEL_BPF_MAPS; i++)
                close(b->maps[i]);
        for (int i = 0; i < KERNEL_BPF_PROGS; i++)
                if (b->programs[i] >= 0)
                        close(b->programs[i]);
        free(b->links);
        b->links = NULL;
}

/* ---- attached or not ------------------------------------------------------------------- */

static int add_link(struct kernel_bpf *b, int fd)
{
        if (fd < 0)
                return -errno;
        if (b->n_links == b->room) {
                uint32_t room = b->room ? 2 * b->room : 32;
                int *new = realloc(b->links, room * sizeof(*new));

                if (!new) {
                        close(fd);
                        return -ENOMEM;
                }
                b->links = new;
                b->room = room;
        }
        b->links[b->n_links++] = fd;
        return 0;
}

/* A software event of each CPU runs it. Those that are not there now are left out. */
static int attach_perf(struct kernel_bpf *b, int program, uint64_t event)
{
        struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                       .size = sizeof(attr),
                                       .config = event,
                                       .sample_period = 1};
        int n = libbpf_num_possible_cpus(), r = 0;

        for (int cpu = 0; !r && cpu < n; cpu++) {
                int fd =
                        (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

                if (fd < 0 && errno == ENODEV)
                        continue;
                r = add_link(b, fd);
                if (!r && (ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) < 0 ||
                           ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0))
                        r = -errno;
        }
        return r;
}

static void drop_links(struct kernel_bpf *b, uint32_t n)
{
        while (b->n_links > n)
                close(b->links[--b->n_links]);
}

/* All of it or, as of a CPU that is left out one would not know, nothing. */
static int attach(struct kernel_bpf *b, int i)
{
        uint32_t before = b->n_links;
        int r;

        if (b->programs[i] < 0)
                return -ENOENT;
        r = kernel_program[i].perf >= 0
                    ? attach_perf(b, b->programs[i], (uint64_t)kernel_program[i].perf)
                    : add_link(b, bpf_raw_tracepoint_open(NULL, b->programs[i]));
        if (r)
                drop_links(b, before);
        return r;
}

int kernel_bpf_attach(struct kernel_bpf *b)
{
        b->counts_faults = true;
        b->times_faults = false;
        for (int i = 0; i < KERNEL_FIND; i++) {
                int r;

                if (i == KERNEL_FAULTS && !b->counts_faults)
                        continue; /* they would begin, and never end */
                r = attach(b, i);
                if (r && kernel_program[i].must) {
                        kernel_bpf_detach(b);
                        return r;
                }
                if (r && kernel_program[i].perf >= 0)
                        b->counts_faults = false;
                if (!r && i == KERNEL_FAULTS)
                        b->times_faults = true;
        }
        return 0;
}

void kernel_bpf_detach(struct kernel_bpf *b)
{
        (void)kernel_bpf_measure(b, false);
        drop_links(b, 0);
}

bool kernel_bpf_measure(struct kernel_bpf *b, bool on)
{
        if (on && b->stats < 0)
                b->stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
        if (!on && b->stats >= 0) {
                close(b->stats);
                b->stats = -1;
        }
        return b->stats >= 0;
}

void kernel_bpf_cost(struct kernel_bpf *b, uint64_t *ret_events, uint64_t *ret_ns,
                     uint64_t *ret_missed)
{
        *ret_events = *ret_ns = *ret_missed = 0;
        for (int i = 0; i < KERNEL_FIND; i++) {
                struct bpf_prog_info info = {0};
                uint32_t n = sizeof(info);

                if (b->programs[i] < 0 || bpf_obj_get_info_by_fd(b->programs[i], &info, &n))
                        continue;
                *ret_events += info.run_cnt;
                *ret_ns += info.run_time_ns;
                *ret_missed += info.recursion_misses;
        }
}

/* ---- processes --------------------------------------------------------------------------- */

/* Threads that are there already. Twice: one may be made by another just before that is found. */
static int find_threads(struct kernel_bpf *b, uint32_t slot)
{
        uint32_t zero = 0;
        char buf[64];
        int link, r = 0;

        if (bpf_map_update_elem(b->maps[KERNEL_SOUGHT], &zero, &slot, BPF_ANY))
                return -errno;
        link = bpf_link_create(b->programs[KERNEL_FIND], 0, BPF_TRACE_ITER, NULL);
        if (link < 0)
                return -errno;
        for (int i = 0; !r && i < 2; i++) {
                int it = bpf_iter_create(link);
                ssize_t n = it < 0 ? -1 : 0;

                while (it >= 0 && (n = read(it, buf, sizeof(buf))) > 0)
                        ;
                r = n < 0 ? -errno : 0;
                if (it >= 0)
                        close(it);
        }
        close(link);
        return r;
}

int kernel_bpf_install(const struct kernel_bpf *b, uint32_t slot, int array)
{
        return bpf_map_update_elem(b->maps[KERNEL_LANES], &slot, &array, BPF_ANY) ? -errno : 0;
}

int kernel_bpf_watch(struct kernel_bpf *b, uint32_t slot, const struct view_proc *p)
{
        static const struct view_total none;
        struct view_preempt_key others = {.number = p->number};
        struct view_preempt no_preempt = {0};
        int r = 0;

        if (bpf_map_update_elem(b->maps[KERNEL_TOTALS], &slot, &none, BPF_ANY) ||
            bpf_map_update_elem(b->maps[KERNEL_PROCS], &slot, p, BPF_ANY))
                r = -errno;
        /* where it finds no room, what would go there is lost, and counted */
        (void)bpf_map_update_elem(b->maps[KERNEL_PREEMPTS], &others, &no_preempt, BPF_ANY);
        if (!r)
                r = find_threads(b, slot);
        if (r)
                kernel_bpf_forget(b, slot);
        return r;
}

void kernel_bpf_forget(struct kernel_bpf *b, uint32_t slot)
{
        static const struct view_proc none;

        (void)bpf_map_update_elem(b->maps[KERNEL_PROCS], &slot, &none, BPF_ANY);
}

/* ---- maps ------------------------------------------------------------------------------------ */

int kernel_bpf_get(struct kernel_bpf *b, enum kernel_map map, const void *key, void *value)
{
        return bpf_map_lookup_elem(b->maps[map], key, value) ? -errno : 0;
}

void kernel_bpf_delete(struct kernel_bpf *b, enum kernel_map map, const void *key)
{
        (void)bpf_map_delete_elem(b->maps[map], key);
}

static int grow(char **array, size_t bytes)
{
        char *new = realloc(*array, bytes);

        if (!new)
                return -ENOMEM;
        *array = new;
        return 0;
}

int kernel_bpf_all(struct kernel_bpf *b, enum kernel_map map, size_t key_bytes, size_t value_bytes,
                   void **ret_keys, void **ret_values)
{
        LIBBPF_OPTS(bpf_map_batch_opts, o);
        _cleanup_(freep) char *keys = NULL, *values = NULL;
        uint32_t room = 0, n = 0, batch = 0;
        bool first = true, more = true, full = true;

        while (more) {
                uint32_t got;
                int error;

                if (full) {
                        room = room ? 2 * room : 128;
                        if (grow(&keys, room * key_bytes) || grow(&values, room * value_bytes))
                                return -ENOMEM;
                }
                got = room - n;
                error = bpf_map_lookup_batch(b->maps[map], first ? NULL : &batch, &batch,
                                             keys + n * key_bytes, values + n * value_bytes, &got,
                                             &o)
                                ? errno
                                : 0;
                if (error && error != ENOENT && error != ENOSPC)
                        return -error;
                if (error != ENOSPC) { /* else the next bucket does not fit, and nothing is moved */
                        n += got;
                        first = false;
                }
                more = error != ENOENT;
                full = error == ENOSPC || n == room;
        }
        *ret_keys = steal_ptr(keys);
        *ret_values = steal_ptr(values);
        return (int)n;
}
