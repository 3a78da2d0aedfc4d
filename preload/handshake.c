/* SPDX-License-Identifier: MIT */
/*
 * Handing the segment to the daemon, and starting a daemon where none runs.
 * The engine must not notice: the child has no exit signal and is reaped
 * here, so neither SIGCHLD nor the engine's wait() sees it; it sheds what it
 * would inherit. Without a daemon the engine goes on: rings fill, spans fold,
 * and a daemon that comes later finds all of it.
 */
#include "preload/shim.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <infprof/handshake.h>

#include "preload/kernel-map.h"
#include "preload/launch.h"

static void append_number(char *to, unsigned v)
{
        char digits[12];
        int n = 0;

        do
                digits[n++] = (char)('0' + v % 10);
        while ((v /= 10));
        while (n)
                *to++ = digits[--n];
        *to = '\0';
}

/* The path of the daemon's socket; its folder must be the user's own. 0 or a negated errno. */
static int socket_path(char *to, size_t size)
{
        unsigned uid = (unsigned)IFP_SYS(getuid);
        const char *base = ifp_config.runtime_dir;
        struct stat st;
        size_t n;
        long ret;

        if (base && *base == '/' && ifp_strlen(base) + 32 < size) {
                n = ifp_strcpy(to, base, size);
                n += ifp_strcpy(to + n, "/" IFP_RUNTIME_SUBDIR, size - n);
        } else {
                n = ifp_strcpy(to, IFP_RUNTIME_FALLBACK, size);
                append_number(to + n, uid);
                n = ifp_strlen(to);
        }
        ret = IFP_SYS(newfstatat, AT_FDCWD, to, &st, AT_SYMLINK_NOFOLLOW);
        if (ifp_sys_failed(ret) && ret != -ENOENT)
                return (int)ret;
        if (!ret && (!S_ISDIR(st.st_mode) || st.st_uid != uid || (st.st_mode & 0077)))
                return -EPERM;
        ifp_strcpy(to + n, "/" IFP_SHIM_SOCKET, size - n);
        return 0;
}

/* A connected socket, or a negated errno. */
static int dial(const char *path)
{
        struct sockaddr_un sun = {.sun_family = AF_UNIX};
        long fd, ret;

        if (ifp_strlen(path) >= sizeof(sun.sun_path))
                return -ENAMETOOLONG;
        ifp_strcpy(sun.sun_path, path, sizeof(sun.sun_path));
        fd = IFP_SYS(socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (ifp_sys_failed(fd))
                return (int)fd;
        ret = IFP_SYS(connect, fd, &sun, sizeof(sun));
        if (ifp_sys_failed(ret)) {
                IFP_SYS(close, fd);
                return (int)ret;
        }
        return (int)fd;
}

static int peer_is_us(int fd)
{
        struct ucred cred = {0};
        uint32_t size = sizeof(cred);
        long ret = IFP_SYS(getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &cred, &size);

        if (ifp_sys_failed(ret))
                return (int)ret;
        return cred.uid == (unsigned)IFP_SYS(getuid) ? 0 : -EPERM;
}

/* One byte, and with it the kernel's view of us where the daemon has one. */
static int receive_answer(int fd)
{
        char answer;
        struct iovec iov = {&answer, 1};
        union {
                struct cmsghdr head;
                uint8_t bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
        long ret = IFP_SYS(recvmsg, fd, &msg, MSG_CMSG_CLOEXEC);

        if (ret != 1)
                return ret < 0 ? (int)ret : -ECONNREFUSED;
        if (msg.msg_controllen >= CMSG_LEN(sizeof(int)) && control.head.cmsg_level == SOL_SOCKET &&
            control.head.cmsg_type == SCM_RIGHTS)
                ifp_kernel_take(*(int *)(void *)CMSG_DATA(&control.head));
        return 0;
}

static int send_segment(int fd, int segment, uint64_t bytes)
{
        struct ifp_hello hello = {
                .magic = IFP_HELLO_MAGIC, .abi = IFP_ABI_VERSION, .segment_bytes = bytes};
        struct iovec iov = {&hello, sizeof(hello)};
        union {
                struct cmsghdr head;
                uint8_t bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
        struct pollfd p = {.fd = fd, .events = POLLIN};
        struct timespec limit = {IFP_HELLO_TIMEOUT_MS / 1000,
                                 IFP_HELLO_TIMEOUT_MS % 1000 * 1000000};
        long ret;

        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        *(int *)(void *)CMSG_DATA(&control.head) = segment;
        ret = IFP_SYS(sendmsg, fd, &msg, MSG_NOSIGNAL);
        if (ifp_sys_failed(ret))
                return (int)ret;
        ret = IFP_SYS(ppoll, &p, 1, &limit, NULL, 0);
        if (ifp_sys_failed(ret))
                return (int)ret;
        if (!ret)
                return -ETIMEDOUT;
        return receive_answer(fd);
}

/* Connects; where nobody answers and `start` is given, starts the daemon and waits for it. */
static int dial_or_start(const char *path, const char *start)
{
        struct timespec nap = {0, 2000000};
        int fd = dial(path), ret;

        if (fd >= 0 || !start || (fd != -ENOENT && fd != -ECONNREFUSED))
                return fd;
        ret = ifp_launch(start);
        if (ret < 0)
                return ret;
        for (int i = 0; i < 1000; i++) {
                fd = dial(path);
                if (fd >= 0)
                        return fd;
                IFP_SYS(nanosleep, &nap, NULL);
        }
        return fd == -ENOENT || fd == -ECONNREFUSED ? -ETIMEDOUT : fd;
}

void ifp_handshake(int segment, uint64_t bytes)
{
        char path[256], daemon[1024];
        const char *how = ifp_config.daemon, *start = NULL;
        int fd, ret;

        if (how && !ifp_strcmp(how, "off"))
                return;
        if (how && *how && *how != '/' && ifp_strcmp(how, "auto")) {
                ifp_say("INFPROF_DAEMON is neither auto nor off nor an absolute path: no daemon, "
                        "nothing is kept",
                        0);
                return;
        }
        ret = socket_path(path, sizeof(path));
        if (ret < 0) {
                ifp_say("the runtime directory is not ours alone (want mode 0700, our own, no "
                        "link): no daemon, nothing is kept",
                        ret);
                return;
        }
        if (how && *how == '/')
                start = how;
        else if (ifp_launch_find(daemon, sizeof(daemon)))
                start = daemon;
        fd = dial_or_start(path, start);
        if (fd < 0) {
                if (start)
                        ifp_say_of("the engine runs on, but nothing is kept unless a daemon adopts "
                                   "it: cannot start or reach infprofd",
                                   start, fd);
                else
                        ifp_say("the engine runs on, but nothing is kept: infprofd runs not and is "
                                "not found beside the shim (set INFPROF_DAEMON=/path)",
                                0);
                return;
        }
        ret = peer_is_us(fd);
        if (!ret)
                ret = send_segment(fd, segment, bytes);
        if (ret == -ECONNRESET || ret == -EPIPE) { /* it died meanwhile: another one, once */
                struct timespec nap = {0, 20000000};
                int other;

                IFP_SYS(nanosleep, &nap, NULL);
                other = dial_or_start(path, start);
                if (other >= 0) {
                        IFP_SYS(close, fd);
                        fd = other;
                        ret = peer_is_us(fd);
                        if (!ret)
                                ret = send_segment(fd, segment, bytes);
                }
        }
        if (ret)
                ifp_say("infprofd did not take this process: `infprof status` says why; the engine "
                        "runs on",
                        ret);
        IFP_SYS(close, fd);
}
