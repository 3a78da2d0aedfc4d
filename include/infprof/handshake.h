/* SPDX-License-Identifier: MIT */
/*
 * How a segment reaches the daemon. The shim connects to the socket
 * IFP_SHIM_SOCKET (SOCK_SEQPACKET) in the runtime directory, sends one struct ifp_hello
 * with the segment's descriptor as SCM_RIGHTS, waits for one byte of answer
 * (any: it is taken over; the end of the connection: it is refused) at most
 * IFP_HELLO_TIMEOUT_MS, and closes. The daemon checks the peer's credentials and takes the
 * pid from them, never from the message.
 *
 * With the answer may come one descriptor as SCM_RIGHTS: an array of the kernel's view of the
 * process, of header.n_lanes elements of struct ifp_kernel_lane (kernel.h), which can be mapped to
 * be read and not otherwise. All of it is zero until the kernel's programs are there, which may be
 * later, or never. An answer without a descriptor says that there is no such view.
 *
 * The runtime directory is $XDG_RUNTIME_DIR/infprof, else /tmp/infprof-UID:
 * mode 0700, owned by the user, not a link.
 */
#pragma once

#include <stdint.h>

#define IFP_RUNTIME_SUBDIR   "infprof"
#define IFP_RUNTIME_FALLBACK "/tmp/infprof-" /* and the uid */
#define IFP_SHIM_SOCKET      "shim.sock"
#define IFP_API_SOCKET       "api.sock"
#define IFP_LOCK_FILE        "daemon.lock" /* held with flock by the daemon; its pid is in it */
#define IFP_HELLO_MAGIC      0x4f4c4c4548504649ull /* "IFPHELLO" */
#define IFP_HELLO_TIMEOUT_MS 2000

struct ifp_hello {
        uint64_t magic;
        uint32_t abi;
        uint32_t reserved;
        uint64_t segment_bytes;
};
_Static_assert(sizeof(struct ifp_hello) == 24, "ABI");
