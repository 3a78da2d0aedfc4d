/* SPDX-License-Identifier: MIT */
/*
 * The handshake. A shim connects, sends one message with its segment, and
 * waits for a byte. It holds its engine up meanwhile, so an answer comes at
 * once or never; a peer that says nothing is dropped after a while and keeps nobody
 * else waiting. Who it is, the kernel says; what it says, is checked.
 *
 * All of it hangs on one epoll descriptor, which is the one the server watches.
 */
#include "daemon/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <infprof/handshake.h>
#include <infprof/version.h>

#include "common/cleanup.h"
#include "daemon/server.h"
#include "daemon/text.h"

#define MAX_PENDING 64u

enum {
        INTAKE_E_SILENT = 100, /* beside SEGMENT_E_* */
};

struct pending {
        int fd;
        struct ucred peer;
        uint64_t until_ns;
};

struct intake {
        struct server *server;
        int listener, epoll;
        struct pending pending[MAX_PENDING];
        uint32_t n_pending;
};

static int explain(int error, char **ret_why, const char *what, const char *path)
{
        *ret_why = text_format("%s %s: %s", what, path, strerror(error));
        return -error;
}

int intake_listen(const char *dir, const char *name, int type, char **ret_why)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        _cleanup_(closep) int fd = -1;

        if ((size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", dir, name) >=
            sizeof(a.sun_path))
                return explain(ENAMETOOLONG, ret_why, "cannot listen in", dir);
        fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return explain(errno, ret_why, "cannot make", a.sun_path);
        /* The lock is ours, so whatever is there was left behind. */
        if (unlink(a.sun_path) < 0 && errno != ENOENT)
                return explain(errno, ret_why, "cannot replace", a.sun_path);
        if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(a.sun_path, 0600) < 0 ||
            listen(fd, 128) < 0)
                return explain(errno, ret_why, "cannot listen at", a.sun_path);
        return steal_fd(fd);
}

static int listen_again(struct intake *in, char **ret_why)
{
        struct epoll_event e = {.events = EPOLLIN};
        int fd = intake_listen(in->server->runtime_dir, IFP_SHIM_SOCKET, SOCK_SEQPACKET, ret_why);

        if (fd < 0)
                return fd;
        e.data.fd = fd;
        if (epoll_ctl(in->epoll, EPOLL_CTL_ADD, fd, &e) < 0) {
                close(fd);
                return -errno;
        }
        if (in->listener >= 0)
                close(in->listener);
        in->listener = fd;
        return 0;
}

int intake_open(struct intake **ret, struct server *s, char **ret_why)
{
        struct intake *in = calloc(1, sizeof(*in));
        int r;

        if (!in)
                return -ENOMEM;
        in->server = s;
        in->listener = -1;
        in->epoll = epoll_create1(EPOLL_CLOEXEC);
        r = in->epoll < 0 ? -errno : listen_again(in, ret_why);
        if (r < 0) {
                intake_close(in);
                return r;
        }
        *ret = in;
        return 0;
}

static void forget(struct intake *in, uint32_t i)
{
        close(in->pending[i].fd);
        in->pending[i] = in->pending[--in->n_pending];
}

static void remove_name(const struct intake *in)
{
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", in->server->runtime_dir, IFP_SHIM_SOCKET);
        unlink(path);
}

struct intake *intake_close(struct intake *in)
{
        if (!in)
                return NULL;
        while (in->n_pending)
                forget(in, 0);
        if (in->listener >= 0) {
                remove_name(in);
                close(in->listener);
        }
        if (in->epoll >= 0)
                close(in->epoll);
        free(in);
        return NULL;
}

int intake_fd(const struct intake *in)
{
        return in->epoll;
}

/* The message and its descriptor; false: it is not what a shim sends. */
static bool receive(int fd, struct ifp_hello *ret_hello, int *ret_segment)
{
        union {
                char bytes[CMSG_SPACE(4 * sizeof(int))];
                struct cmsghdr align;
        } control;
        struct iovec iov = {.iov_base = ret_hello, .iov_len = sizeof(*ret_hello)};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof(control.bytes)};
        int segment = -1, n_fds = 0;
        ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

        if (n < 0)
                return false;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
                size_t count;

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < count; i++) {
                        int got;

                        memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(got));
                        if (n_fds++ == 0)
                                segment = got;
                        else
                                close(got);
                }
        }
        if (n != sizeof(*ret_hello) || n_fds != 1 || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
                if (segment >= 0)
                        close(segment);
                return false;
        }
        *ret_segment = segment;
        return true;
}

static int take_segment(struct intake *in, const struct pending *from, const char **ret_why)
{
        _cleanup_(closep) int fd = -1;
        struct segment segment;
        struct ifp_hello hello;
        int r;

        if (recv(from->fd, &hello, sizeof(hello), MSG_PEEK | MSG_DONTWAIT) == 0)
                return INTAKE_E_SILENT;
        if (!receive(from->fd, &hello, &fd) || hello.magic != IFP_HELLO_MAGIC) {
                *ret_why = "what it sent is not the greeting of a shim";
                return SEGMENT_E_BAD;
        }
        r = segment_open(&segment, fd, ret_why);
        if (r)
                return r;
        fd = -1;
        if (hello.segment_bytes != segment.bytes) {
                *ret_why = "the greeting gives another size than the segment";
                r = SEGMENT_E_BAD;
        } else {
                r = server_attach(in->server, &segment, from->peer.pid, false, ret_why);
        }
        if (r)
                segment_close(&segment);
        return r;
}

/* It is taken over; and here is the kernel's view of it, to be read, where there is one. */
static void answer(struct intake *in, const struct pending *to)
{
        const struct process *p = server_find_pid(in->server, to->peer.pid);
        int array = p ? kernel_array(p) : -1;
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = {0};
        char yes = '!';
        struct iovec iov = {.iov_base = &yes, .iov_len = 1};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

        if (array >= 0) {
                m.msg_control = control.bytes;
                m.msg_controllen = sizeof(control.bytes);
                control.align.cmsg_level = SOL_SOCKET;
                control.align.cmsg_type = SCM_RIGHTS;
                control.align.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.align), &array, sizeof(int));
        }
        (void)!sendmsg(to->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void greet(struct intake *in, uint32_t i)
{
        struct pending from = in->pending[i];
        const char *why = "";
        int r = take_segment(in, &from, &why);

        if (r == INTAKE_E_SILENT)
                ; /* came and went: somebody looked whether we are here */
        else if (r)
                server_refuse(in->server, from.peer.pid, r < 0 ? strerror(-r) : why);
        else /* if it does not wait any more, the segment is here all the same */
                answer(in, &from);
        forget(in, i);
}

static void accept_one(struct intake *in, int fd)
{
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        struct ucred peer;
        socklen_t n = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || peer.pid <= 0) {
                close(fd);
                return;
        }
        if (peer.uid != geteuid()) {
                server_refuse(in->server, peer.pid, "it belongs to another user");
                close(fd);
                return;
        }
        if (in->n_pending == MAX_PENDING)
                forget(in, 0);
        if (epoll_ctl(in->epoll, EPOLL_CTL_ADD, fd, &e) < 0) {
                close(fd);
                return;
        }
        in->pending[in->n_pending++] = (struct pending){
                .fd = fd,
                .peer = peer,
                .until_ns = clock_mono_ns() + IFP_HELLO_TIMEOUT_MS * 1000000ull,
        };
}

void intake_serve(struct intake *in)
{
        struct epoll_event events[16];
        int n;

        while ((n = epoll_wait(in->epoll, events, 16, 0)) > 0) {
                for (int i = 0; i < n; i++) {
                        int fd;

                        if (events[i].data.fd != in->listener) {
                                for (uint32_t k = 0; k < in->n_pending; k++)
                                        if (in->pending[k].fd == events[i].data.fd) {
                                                greet(in, k);
                                                break;
                                        }
                                continue;
                        }
                        fd = accept4(in->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                        if (fd >= 0)
                                accept_one(in, fd);
                        else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                                return; /* out of descriptors: later */
                }
        }
}

uint64_t intake_deadline(const struct intake *in)
{
        uint64_t at = UINT64_MAX;

        for (uint32_t i = 0; i < in->n_pending; i++)
                if (in->pending[i].until_ns < at)
                        at = in->pending[i].until_ns;
        return at;
}

void intake_expire(struct intake *in, uint64_t now_ns)
{
        for (uint32_t i = in->n_pending; i-- > 0;)
                if (in->pending[i].until_ns <= now_ns) {
                        server_refuse(in->server, in->pending[i].peer.pid,
                                      "it connected and did not send its segment");
                        forget(in, i);
                }
}

bool intake_retreat(struct intake *in)
{
        uint32_t live = in->server->n_live, refused = in->server->n_refused;
        char *why = NULL;

        remove_name(in);
        intake_serve(in);
        if (!in->n_pending && in->server->n_live == live && in->server->n_refused == refused)
                return false;
        if (listen_again(in, &why) < 0)
                fprintf(stderr, "infprofd: %s\n", why ? why : "cannot listen again");
        free(why);
        in->server->active_ns = clock_mono_ns();
        return true;
}
