/* SPDX-License-Identifier: MIT */
/*
 * fork and the end of the process. A fork child starts without a segment and
 * opens one at its first record, so that fork and exec cost nothing; it is
 * recognised by a page that the kernel clears, also where it came by a raw
 * clone. A vfork child runs on its parent's memory and counts as its parent.
 */
#include "preload/allocator.h"
#include "preload/engine.h"
#include "preload/heap.h"
#include "preload/marker.h"
#include "preload/marks.h"
#include "preload/real.h"
#include "preload/slots.h"
#include "preload/wait.h"

#include <fcntl.h>
#include <stdarg.h>

#define CHILD_CALLS 64u /* of the malloc family */

#define FRAME ((uint64_t)(uintptr_t)__builtin_frame_address(0))

static uint32_t opening;

/* What only the forking thread's copy has to forget. */
void ifp_after_fork_child(void)
{
        struct ifp_tls *tls = &ifp_tls;

        tls->lane = tls->fast = NULL;
        tls->crowd = 0;
        tls->exit_round = 0;
        tls->n_aside = 0;
        tls->uneven = 0;
        tls->paired = 0;
        tls->sampling_sp = 0;
        tls->site = 0;
        ifp_unwind_after_fork();
        ifp_tokens_after_fork();
        ifp_kv_after_fork();
        ifp_marks_after_fork();
        ifp_markers_after_fork();
        ifp_told_after_fork();
        ifp_ledger_after_fork();
        ifp_map_after_fork();
        ifp_tables_after_fork();
        ifp_stubs_after_fork();
        ifp_slots_after_fork();
        ifp_lanes_init();
}

IFP_EXPORT pid_t fork(void)
{
        struct ifp_spawn spawn;
        pid_t pid;

        ifp_real_init();
        ifp_live_at_fork = ifp_seg && ifp_alive() ? ifp_live_now() : ifp_live_at_fork;
        ifp_spawn_begin(&spawn, IFP_SPAWN_FORK, FRAME);
        ifp_markers_fork(true);
        pid = ifp_real.fork();
        if (pid)
                ifp_markers_fork(false);
        ifp_spawn_end(&spawn, pid > 0);
        if (!pid) {
                IFP_KEEP_ERRNO;

                ifp_wipe[0] = 0; /* it is, but where the kernel knows no MADV_WIPEONFORK */
                ifp_early = (struct ifp_early){0};
                ifp_after_fork_child();
                opening = 0;
        }
        return pid;
}

/* ---- others -------------------------------------------------------------------- */

#define SPAWN_POSIX(name)                                                                          \
        IFP_EXPORT int name(pid_t *restrict pid, const char *restrict path,                        \
                            const posix_spawn_file_actions_t *restrict actions,                    \
                            const posix_spawnattr_t *restrict attr, char *const argv[restrict],    \
                            char *const env[restrict])                                             \
        {                                                                                          \
                struct ifp_spawn spawn;                                                            \
                int ret;                                                                           \
                                                                                                   \
                IFP_NEED(name, ENOSYS);                                                            \
                ifp_spawn_begin(&spawn, IFP_SPAWN_POSIX, FRAME);                                   \
                ret = ifp_real.name(pid, path, actions, attr, argv, env);                          \
                ifp_spawn_end(&spawn, !ret);                                                       \
                return ret;                                                                        \
        }
SPAWN_POSIX(posix_spawn)
SPAWN_POSIX(posix_spawnp)

/* The child begins at `fn`, on its own stack. What was not given is passed on all the same. */
IFP_EXPORT int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
        struct ifp_spawn spawn;
        void *more[3];
        va_list list;
        int ret;

        va_start(list, arg);
        for (unsigned i = 0; i < 3; i++)
                more[i] = va_arg(list, void *);
        va_end(list);
        if (!ifp_real.clone)
                ifp_real_init();
        ifp_spawn_begin(&spawn, IFP_SPAWN_CLONE, FRAME);
        ret = ifp_real.clone(fn, stack, flags, arg, more[0], more[1], more[2]);
        ifp_spawn_end(&spawn, ret >= 0);
        return ret;
}

/* From hook-x86_64.S: around the system call. The child sees neither. */
static struct ifp_spawn vforks[IFP_MAX_LANES];

__attribute__((visibility("hidden"))) void ifp_vfork_before(uint64_t sp);
__attribute__((visibility("hidden"))) long ifp_vfork_after(long pid);

void ifp_vfork_before(uint64_t sp)
{
        struct ifp_spawn spawn;

        ifp_spawn_begin(&spawn, IFP_SPAWN_VFORK, sp);
        if (ifp_tls.lane && !ifp_tls.crowd)
                vforks[ifp_tls.lane_number] = spawn;
}

long ifp_vfork_after(long pid)
{
        if (ifp_tls.lane && !ifp_tls.crowd)
                ifp_spawn_end(&vforks[ifp_tls.lane_number], pid > 0);
        if (pid > 0)
                return pid;
        errno = (int)-pid;
        return -1;
}

/* ---- a fork child -------------------------------------------------------------- */

/* The first record of a fork child: a segment of its own, at the place of its parent's. */
void ifp_first_record(void)
{
        struct ifp_segment *parent = ifp_seg;
        uint16_t busy;
        int ret;

        if (!parent || ifp_off || ifp_alive())
                return;
        busy = ifp_tls.busy++;
        ifp_lock(&opening);
        if (!ifp_alive()) {
                ifp_after_fork_child();
                ifp_waits_anew();
                ret = ifp_segment_open(parent);
                if (ret < 0) {
                        ifp_give_up("a fork child gets no segment", ret);
                } else {
                        ifp_wipe[0] = 1;
                        ifp_heap_inherit();
                        ifp_start_lane();
                        ifp_map_begin();
                        ifp_allocator_after_fork();
                        ifp_handshake(ifp_segment_fd(), ifp_seg->header.segment_bytes);
                }
        }
        ifp_unlock(&opening);
        ifp_tls.busy = busy;
}

/* The name that a thread has just now; "" where it cannot be read. */
static void read_name(int32_t tid, char ret[16])
{
        char path[64] = "/proc/self/task/", digits[12];
        size_t n = ifp_strlen(path), d = sizeof(digits) - 1;
        long fd, got;

        digits[d] = '\0';
        do
                digits[--d] = (char)('0' + tid % 10);
        while ((tid /= 10));
        n += ifp_strcpy(path + n, digits + d, sizeof(path) - n);
        ifp_strcpy(path + n, "/comm", sizeof(path) - n);
        fd = IFP_SYS(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        if (ifp_sys_failed(fd))
                return;
        got = IFP_SYS(read, fd, ret, 16);
        IFP_SYS(close, fd);
        if (got > 0)
                ret[got - 1] = '\0'; /* a newline */
}

/* Threads that are still there do not come to say their names. */
static void note_names(void)
{
        for (uint32_t i = 0; i < ifp_seg->live.n_lanes_used; i++) {
                struct ifp_lane *lane = &ifp_seg->lanes[i];

                if (__atomic_load_n(&lane->state, __ATOMIC_ACQUIRE) == IFP_LANE_LIVE &&
                    lane->tid > 0)
                        read_name(lane->tid, lane->name);
        }
}

/* Not for a vfork child, which runs on its parent's memory: its end is not the parent's. */
/*
 * A fork child that got no segment, since it neither opened an op nor allocated much, gets one at
 * its end where it has counted more than what a few lines of libc do.
 */
static void count_child(void)
{
        const struct ifp_alloc_row *row = &ifp_early.row;

        if (ifp_seg && !ifp_off && !ifp_alive() && row->calls + row->frees >= CHILD_CALLS)
                ifp_first_record();
}

void ifp_note_exit(int code)
{
        count_child();
        if (!ifp_seg || !ifp_alive() || ifp_seg->header.pid != (int32_t)IFP_SYS(getpid))
                return;
        note_names();
        ifp_seg->live.end_ticks = ifp_ticks();
        ifp_seg->live.exit_code = code;
        __atomic_store_n(&ifp_seg->live.exiting, 1, __ATOMIC_RELEASE);
}

IFP_EXPORT void _exit(int code)
{
        ifp_real_init();
        ifp_note_exit(code);
        if (ifp_real._exit)
                ifp_real._exit(code);
        for (;;)
                IFP_SYS(exit_group, code);
}

IFP_EXPORT void _Exit(int code)
{
        _exit(code);
}
