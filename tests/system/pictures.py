# SPDX-License-Identifier: MIT
"""What people see: what a terminal is sent, held against the pictures in screens/. INFPROF_TEST_PAINT=1 paints
them anew: look at the difference before it is committed."""

import fcntl
import os
import pty
import struct
import subprocess
import termios

from harness import check, equal


def picture(s, name, got):
    path = s.source(f"tests/system/screens/{name}.txt")
    if os.environ.get("INFPROF_TEST_PAINT"):
        with open(path, "w", encoding="utf-8") as f:
            f.write(got)
    with open(path, encoding="utf-8") as f:
        check(got == f.read(), f"{name} is not as in {path}:\n{got}")


def on_terminal(s, columns, *args, **env):
    """What a terminal of so many columns is sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen([s.cli, *args], stdout=theirs, stdin=subprocess.DEVNULL,
                          env=s.env(extra={"TZ": "UTC", "LC_ALL": "C.UTF-8", **env})) as popen:
        os.close(theirs)
        got = b""
        try:
            while chunk := os.read(ours, 65536):
                got += chunk
        except OSError:
            pass  # the other side is closed
        os.close(ours)
        equal(popen.wait(), 0, "exit code")
    return got.decode().replace("\r\n", "\n")
