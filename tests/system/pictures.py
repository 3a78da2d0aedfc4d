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


def on_terminal(s, columns, *args, lines=24, **env):
    """What a terminal of so many columns and lines is sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
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


PIPED = 40  # lines, where nobody says how many there are


def fits_a_screen(s, *args, cut=None):
    """No more lines than the terminal has beside its prompt, or than are usual in a pipe; all with -n 0. What is left out is said
    in one line, if the whole is as long as that (cut)."""
    def sound(text, most, where):
        n = len(text.splitlines())
        check(n <= most, f"{n} lines, {where}, of {' '.join(args)}: {text}")
        check("more with -n 0" in text.splitlines()[-1] or "-n 0" not in text, text)

    whole = s.infprof(*args, "-n", "0", env={"TZ": "UTC"}).stdout
    check("-n 0" not in whole, whole)
    for lines in (24, 30, 50):
        sound(on_terminal(s, 80, *args, lines=lines), lines - 1, f"on {lines}")
        sound(on_terminal(s, 132, *args, lines=lines), lines - 1, f"on {lines}")
    piped = s.infprof(*args, env={"TZ": "UTC"}).stdout
    sound(piped, PIPED, "piped")
    if cut is not None:
        equal("more with -n 0" in piped, cut, f"{' '.join(args)} is cut")
    if len(whole.splitlines()) <= PIPED and "more with" not in piped:
        check(len(on_terminal(s, 80, *args, lines=300).splitlines()) >= len(piped.splitlines()), "with room, all is there")
