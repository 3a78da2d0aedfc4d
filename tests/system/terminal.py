# SPDX-License-Identifier: MIT
"""A terminal that a test can type into and look at: a tmux server with one window."""

import contextlib
import os
import shutil
import subprocess

from harness import Failed, skip, wait_until


class Screen(str):
    """What was on the screen; `again()` is what is on it now."""


class Terminal:
    """A tmux server with one window, in it a shell."""

    def __init__(self, s, width, height, lang="C.UTF-8"):
        self.tmux = shutil.which("tmux")
        if not self.tmux:
            skip("there is no tmux here")
        self.s = s
        self.env = s.env(extra={"LANG": lang, "TERM": "xterm-256color", "TMUX": None, "ENV": None})
        self.socket = s.path("tmux.sock")
        with open(s.path("tmux.conf"), "w", encoding="utf-8") as f:
            f.write("set -g status off\nset -g default-terminal screen-256color\nset -sg escape-time 0\n")
        self("new-session", "-d", "-x", str(width), "-y", str(height), "sh")
        self.pid = int(self("display-message", "-p", "#{pid}"))
        wait_until(lambda: self.screen().strip() in ("$", "#"), 10, "a prompt")

    def __call__(self, *args):
        got = subprocess.run([self.tmux, "-u", "-S", self.socket, "-f", self.s.path("tmux.conf"), *args],
                             env=self.env, capture_output=True, text=True, timeout=20, check=False)
        if got.returncode != 0:
            raise Failed(f"tmux {' '.join(args)}: {got.stderr}")
        return got.stdout

    def screen(self):
        return self("capture-pane", "-p")

    def type(self, *keys):
        self("send-keys", *keys)

    def shows(self, *texts, gone=(), seconds=15):
        """The screen, once it shows all the texts, and none of those that must be gone."""
        def look():
            text = Screen(self.screen())
            text.again = self.screen
            return text if all(t in text for t in texts) and not any(t in text for t in gone) else None
        try:
            return wait_until(look, seconds, f"{texts} on the screen, and not {gone}")
        except Failed as failure:
            raise Failed(f"{failure}\n{self.screen()}") from None

    def infprof(self, *args):
        self.type(f"{self.s.cli} {' '.join(args)}; echo exit=$?", "Enter")

    def resize(self, width, height):
        self("resize-window", "-x", str(width), "-y", str(height))

    def close(self):
        self("kill-server")
        def gone():
            self.s.collect()
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, 0)
                return False
            return True
        wait_until(gone, 10, "tmux has gone")

    def infprof_pid(self):
        """The process that the shell runs."""
        shell = int(self("display-message", "-p", "#{pane_pid}"))
        with open(f"/proc/{shell}/task/{shell}/children", encoding="utf-8") as f:
            return int(f.read().split()[0])
