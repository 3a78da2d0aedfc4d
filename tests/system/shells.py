# SPDX-License-Identifier: MIT
"""Interactive shells at a pseudo-terminal, to press Tab in."""

import fcntl
import os
import pty
import re
import select
import shutil
import subprocess
import termios
import time

from harness import Failed, SOURCE, skip

# Shows what a command line came to, and lets the completion ask the real program.
SPY = """infprof() { if [ "$1" = complete ]; then command infprof "$@"; else printf '<%s>' "$@"; echo '<end>'; fi; }\n"""


class Shell:
    def __init__(self, s, argv, env, setup):
        if not shutil.which(argv[0]):
            skip(f"there is no {argv[0]} here")
        master, slave = pty.openpty()
        os.set_blocking(master, False)

        def lead():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.fd = master
        self.got = ""
        self.popen = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, cwd=s.path(), preexec_fn=lead,
                                      env=s.env(extra={"PATH": os.path.dirname(s.cli) + ":" + os.environ["PATH"],
                                                       "TERM": "dumb", "COLUMNS": "400", "LINES": "100", **env}))
        os.close(slave)
        self.type(setup + SPY + "echo rea''dy\n")
        self.until("ready\r?\n")

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, pattern, seconds=20):
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.got)):
            if time.monotonic() > end:
                raise Failed(f"no {pattern!r} came in {seconds} s, but: {self.got[-1500:]!r}")
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.got += os.read(self.fd, 65536).decode("utf-8", "replace")
                except OSError as e:
                    raise Failed(f"the shell has gone: {self.got[-1500:]!r}") from e
        self.got = self.got[found.end():]
        return found

    def args(self, line):
        """What infprof gets when that line is typed."""
        self.type(line + "\n")
        text = self.until(r"(?s)\n<(.*?)><end>\r?\n").group(1)
        return text.split("><")

    def close(self):
        self.popen.kill()
        self.popen.wait()
        os.close(self.fd)


class Bash(Shell):
    ALL = "\x1b*"  # inserts all that there is

    def __init__(self, s, package, script=f"{SOURCE}/data/completion/infprof.bash", env=None):
        helper = "/usr/share/bash-completion/bash_completion"
        if package and not os.path.exists(helper):
            skip("there is no bash-completion here")
        super().__init__(s, ["bash", "--norc", "--noprofile", "-i"], {"INPUTRC": "/dev/null", "PS1": "> ", **(env or {})},
                         "bind 'set enable-bracketed-paste off'\n" + (f". {helper}\n" if package else "") +
                         (f". '{script}'\n" if script else ""))


class Zsh(Shell):
    ALL = "\x18a"

    def __init__(self, s):
        super().__init__(s, ["zsh", "-f", "-i"], {"PS1": "> ", "ZDOTDIR": s.path()},
                         f"unsetopt zle_bracketed_paste prompt_sp; fpath=('{SOURCE}/data/completion' $fpath)\n"
                         "autoload -Uz compinit && compinit -u -D\n"
                         "zle -C all complete-word _generic; bindkey '^Xa' all\n"
                         "zstyle ':completion:all:*' completer _all_matches _complete\n"
                         "zstyle ':completion:all:*' insert yes\n")
