/* SPDX-License-Identifier: MIT */
/* In the place of kernel-bpf.c where something was missing that it takes to build it. */
#include <errno.h>

#include "daemon/kernel-private.h"
#include "daemon/text.h"

char *kernel_bpf_why(int error)
{
        return text_format("infprofd was built without the kernel's view: %s; install clang, "
                           "bpftool and libbpf-dev, and build it again",
                           KERNEL_NOT_BUILT);
}

uint32_t kernel_bpf_array_id(int array)
{
        return 0;
}

int kernel_bpf_find_array(uint32_t id)
{
        return -ENOSYS;
}

int kernel_bpf_array(void)
{
        return -ENOSYS;
}

int kernel_bpf_load(bool stacks, uint32_t map_max, pid_t *ret_pid)
{
        return -ENOSYS;
}

int kernel_bpf_loaded(int fd, struct kernel_bpf *ret, char **ret_why)
{
        return -ENOSYS;
}

void kernel_bpf_unload(struct kernel_bpf *b)
{
}

int kernel_bpf_attach(struct kernel_bpf *b)
{
        return -ENOSYS;
}

void kernel_bpf_detach(struct kernel_bpf *b)
{
}

int kernel_bpf_install(const struct kernel_bpf *b, uint32_t slot, int array)
{
        return -ENOSYS;
}

int kernel_bpf_watch(struct kernel_bpf *b, uint32_t slot, const struct view_proc *p)
{
        return -ENOSYS;
}

void kernel_bpf_forget(struct kernel_bpf *b, uint32_t slot)
{
}

bool kernel_bpf_measure(struct kernel_bpf *b, bool on)
{
        return false;
}

void kernel_bpf_cost(struct kernel_bpf *b, uint64_t *ret_events, uint64_t *ret_ns,
                     uint64_t *ret_missed)
{
        *ret_events = *ret_ns = *ret_missed = 0;
}

int kernel_bpf_get(struct kernel_bpf *b, enum kernel_map map, const void *key, void *value)
{
        return -ENOSYS;
}

void kernel_bpf_delete(struct kernel_bpf *b, enum kernel_map map, const void *key)
{
}

int kernel_bpf_all(struct kernel_bpf *b, enum kernel_map map, size_t key_bytes, size_t value_bytes,
                   void **ret_keys, void **ret_values)
{
        return -ENOSYS;
}
