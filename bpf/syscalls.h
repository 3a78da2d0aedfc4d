/* SPDX-License-Identifier: MIT */
/* What each system call is about: see enum view_class. Those that are not named are "other". */
#pragma once

#include <sys/syscall.h>

#include "view.h"

static const unsigned char view_classes[VIEW_SYSCALLS] = {
        [SYS_futex] = VIEW_CLASS_FUTEX,
        [449] = VIEW_CLASS_FUTEX, /* futex_waitv */
        [455] = VIEW_CLASS_FUTEX, /* futex_wait */

        [SYS_nanosleep] = VIEW_CLASS_SLEEP,
        [SYS_clock_nanosleep] = VIEW_CLASS_SLEEP,

        [SYS_ppoll] = VIEW_CLASS_POLL,
        [SYS_pselect6] = VIEW_CLASS_POLL,
        [SYS_epoll_pwait] = VIEW_CLASS_POLL,
        [441] = VIEW_CLASS_POLL, /* epoll_pwait2 */

        [SYS_sched_yield] = VIEW_CLASS_YIELD,

        [SYS_read] = VIEW_CLASS_IO,
        [SYS_write] = VIEW_CLASS_IO,
        [SYS_readv] = VIEW_CLASS_IO,
        [SYS_writev] = VIEW_CLASS_IO,
        [SYS_pread64] = VIEW_CLASS_IO,
        [SYS_pwrite64] = VIEW_CLASS_IO,
        [SYS_preadv] = VIEW_CLASS_IO,
        [SYS_pwritev] = VIEW_CLASS_IO,
        [SYS_preadv2] = VIEW_CLASS_IO,
        [SYS_pwritev2] = VIEW_CLASS_IO,
        [SYS_sendfile] = VIEW_CLASS_IO,
        [SYS_splice] = VIEW_CLASS_IO,
        [SYS_copy_file_range] = VIEW_CLASS_IO,
        [SYS_fsync] = VIEW_CLASS_IO,
        [SYS_fdatasync] = VIEW_CLASS_IO,
        [SYS_msync] = VIEW_CLASS_IO,
        [SYS_readahead] = VIEW_CLASS_IO,
        [SYS_openat] = VIEW_CLASS_IO,
        [SYS_accept] = VIEW_CLASS_IO,
        [SYS_accept4] = VIEW_CLASS_IO,
        [SYS_connect] = VIEW_CLASS_IO,
        [SYS_recvfrom] = VIEW_CLASS_IO,
        [SYS_recvmsg] = VIEW_CLASS_IO,
        [SYS_recvmmsg] = VIEW_CLASS_IO,
        [SYS_sendto] = VIEW_CLASS_IO,
        [SYS_sendmsg] = VIEW_CLASS_IO,
        [SYS_sendmmsg] = VIEW_CLASS_IO,
        [SYS_io_getevents] = VIEW_CLASS_IO,
        [426] = VIEW_CLASS_IO, /* io_uring_enter */

#ifdef __x86_64__
        [SYS_poll] = VIEW_CLASS_POLL,
        [SYS_select] = VIEW_CLASS_POLL,
        [SYS_epoll_wait] = VIEW_CLASS_POLL,
        [SYS_open] = VIEW_CLASS_IO,
#endif
};
