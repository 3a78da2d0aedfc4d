/* SPDX-License-Identifier: MIT */
/*
 * The one datagram of sd_notify(3). NOTIFY_SOCKET alone does not mean us: an engine
 * that is a service itself hands it down to the daemon that its shim starts, and its
 * manager would take our word for the engine's. SYSTEMD_EXEC_PID tells.
 */
#include "daemon/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"

void notify(const char *state)
{
        const char *path = getenv("NOTIFY_SOCKET"), *pid = getenv("SYSTEMD_EXEC_PID");
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        _cleanup_(closep) int fd = -1;
        size_t n = path ? strlen(path) : 0;

        if (!pid || atol(pid) != getpid() || n < 2 || n >= sizeof(to.sun_path))
                return;
        memcpy(to.sun_path, path, n);
        if (path[0] == '@') /* abstract */
                to.sun_path[0] = '\0';
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd >= 0)
                (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}
