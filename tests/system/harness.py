# SPDX-License-Identifier: MIT
"""What a system test stands on: the real programs, in a folder of the test's own.

A test file is a few functions and one last line:

    from harness import case, equal, main

    @case
    def every_call_is_counted(s):
        run = s.run([s.tinyengine, "--truth", s.path("truth.json")], kernels="libtinykernels.so:tk_*")
        truth = s.json("truth.json")
        doc = s.report(run)
        equal({op["name"]: op["calls"] for op in doc["ops"]},
              {name: k["calls"] for name, k in truth["kernels"].items()}, "calls")

    main()

and its name in tests/system/meson.build. Each case gets a Session `s`: its own HOME, XDG_RUNTIME_DIR
and XDG_STATE_HOME below a temporary folder (`s.path()`), hence its own daemon and its own runs.
`s.run` runs a command to its end, `s.start` returns while it goes on; both under the shim unless
preload=False. `s.infprof("runs", "--json")` is the command. `s.report(run)` waits until the run has
ended and returns the document, checked against its JSON Schema.

Whatever a case leaves running is ended by its pid; only a daemon may be left, and it must go when it
is asked to, else the case fails. The harness is a subreaper, so nothing that a test starts, however
often it forks, can get away. To skip, call `skip("why")`. Assert with equal, near and check on the
JSON, never on log text. One file by hand:

    INFPROF_BUILD_ROOT=$PWD/build python3 tests/system/test-tinyengine.py [CASE...]

INFPROF_TEST_KEEP=1 keeps the folders.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

SOURCE = os.environ.get("INFPROF_SOURCE_ROOT") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.path.abspath(os.environ.get("INFPROF_BUILD_ROOT") or os.path.join(SOURCE, "build"))

PR_SET_CHILD_SUBREAPER = 36


class Skip(Exception):
    pass


class Failed(Exception):
    pass


def skip(why):
    raise Skip(why)


def check(condition, what):
    if not condition:
        raise Failed(what)


def equal(got, wanted, what):
    """Equal, with the differing keys alone shown when both are dicts."""
    if got == wanted:
        return
    if isinstance(got, dict) and isinstance(wanted, dict):
        keys = [k for k in {**got, **wanted} if got.get(k) != wanted.get(k)]
        lines = [f"  {k}: got {got.get(k)!r}, wanted {wanted.get(k)!r}" for k in sorted(keys, key=str)]
        raise Failed("\n".join([f"{what} differ:"] + lines))
    raise Failed(f"{what}: got {got!r}, wanted {wanted!r}")


def near(got, wanted, fraction, what):
    if abs(got - wanted) > fraction * abs(wanted):
        raise Failed(f"{what}: got {got}, wanted {wanted} within {fraction:.1%}")


def between(low, got, high, what):
    if not low <= got <= high:
        raise Failed(f"{what}: got {got}, wanted {low} to {high}")


def one_line(text, what):
    """A message for a person is one line, and a line."""
    check(text.endswith("\n") and text.count("\n") == 1 and len(text) > 1,
          f"{what}: wanted one line, got {text!r}")


# Processes, by pid.

def parents():
    """Of every process: pid -> (parent's pid, state, name)."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                text = f.read()
            name = text[text.index("(") + 1:text.rindex(")")]
            state, parent = text[text.rindex(")") + 2:].split()[:2]
            found[int(entry)] = (int(parent), state, name)
    return found


def descendants(root):
    """Living processes below `root`: {pid: name}."""
    table = parents()
    below = {}
    grown = True
    while grown:
        grown = False
        for pid, (parent, state, name) in table.items():
            if pid not in below and (parent == root or parent in below):
                below[pid] = name
                grown = True
    return {pid: name for pid, name in below.items() if table[pid][1] not in "ZX"}


def reap(keep=()):
    """Collect what ended and was left to us, but for the children that a Popen object waits for."""
    for pid, (parent, state, _) in parents().items():
        if parent == os.getpid() and state == "Z" and pid not in keep:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def wait_until(condition, seconds, what):
    """Poll until the condition gives something true, and return that."""
    end = time.monotonic() + seconds
    pause = 0.005
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f"after {seconds} s still not: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


class Run:
    """A command, running or over."""

    def __init__(self, session, cmd, env, stdin, cwd):
        self.session = session
        self.cmd = [str(c) for c in cmd]
        n = len(session.commands)
        self.out_path = session.path(f"out.{n}")
        self.err_path = session.path(f"err.{n}")
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(self.cmd, env=env, stdin=stdin or subprocess.DEVNULL,
                                          stdout=out, stderr=err, cwd=cwd or session.folder)
        self.pid = self.popen.pid
        session.commands.append(self)

    @staticmethod
    def _text(path):
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            return f.read()

    @property
    def stdout(self):
        return self._text(self.out_path)

    @property
    def stderr(self):
        return self._text(self.err_path)

    @property
    def returncode(self):
        """Exit code, or minus the signal; None while it runs."""
        return self.popen.poll()

    def wait(self, timeout=60):
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.cmd[0]} did not end within {timeout} s") from None

    def kill(self, number=signal.SIGTERM):
        os.kill(self.pid, number)


class Session:
    """One case's world."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="infprof-test.")
        self.commands = []
        self.shim = self.built("preload/libinfprof.so")
        self.daemon = self.built("daemon/infprofd")
        self.cli = self.built("cli/infprof")
        self.tinyengine = self.built("examples/tinyengine")
        self.make_gguf = self.built("examples/make-gguf")
        self.llama_driver = self.built("examples/llama-driver")
        for name in ("home", "run", "state", "tmp"):
            os.mkdir(self.path(name), 0o700)

    # Where things are.

    @staticmethod
    def built(name):
        """A path in the build tree."""
        return os.path.join(BUILD, name)

    @staticmethod
    def source(name):
        """A path in the source tree."""
        return os.path.join(SOURCE, name)

    def path(self, name=""):
        """A path in this case's folder."""
        return os.path.join(self.folder, name)

    def json(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return json.load(f)

    def env(self, preload=False, kernels=None, extra=None):
        env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "HOME": self.path("home"),
            "XDG_RUNTIME_DIR": self.path("run"),
            "XDG_STATE_HOME": self.path("state"),
            "TMPDIR": self.path("tmp"),
            "INFPROF_DAEMON": self.daemon,
        }
        if preload:
            check(os.path.exists(self.shim), f"{self.shim} is not built")
            env["LD_PRELOAD"] = self.shim
        if kernels is not None:
            env["INFPROF_KERNELS"] = kernels
        for key, value in (extra or {}).items():
            if value is None:
                env.pop(key, None)
            else:
                env[key] = str(value)
        return env

    # Running things.

    def start(self, cmd, preload=True, kernels=None, env=None, stdin=None, cwd=None):
        """Start a command. In `env` a value of None removes the variable."""
        return Run(self, cmd, self.env(preload, kernels, env), stdin, cwd)

    def run(self, cmd, preload=True, kernels=None, env=None, timeout=60, code=0, **more):
        """Run a command to its end, which must be exit code `code` (None: any end will do)."""
        run = self.start(cmd, preload, kernels, env, **more)
        run.wait(timeout)
        if code is not None and run.returncode != code:
            raise Failed(f"{' '.join(run.cmd)}: ended with {run.returncode}, wanted {code}\n"
                         f"{run.stderr[-2000:]}")
        return run

    def infprof(self, *args, code=0, env=None, timeout=60):
        """The command, not under the shim."""
        return self.run([self.cli, *args], preload=False, env=env, timeout=timeout, code=code)

    def report(self, run=None, *args, timeout=20):
        """`infprof report --json` of a run that this session ran: by default the latest. Waits until
        the run is known to have ended. More arguments are passed on; name a RUN there if the latest
        is not the one that is meant."""
        def ended():
            got = self.infprof("report", "--json", *args, code=None)
            if got.returncode != 0:
                return None
            doc = json.loads(got.stdout)
            if run is not None and doc["run"]["pid"] != run.pid:
                return None
            return doc if doc["run"].get("exit") else None

        try:
            doc = wait_until(ended, timeout, "report of the ended run")
        except Failed as failure:
            last = self.commands[-1]
            text = last.stdout if last.stdout.startswith("{") else "{}"
            shown = json.dumps(json.loads(text).get("run"))
            raise Failed(f"{failure}: wanted pid {run and run.pid}, got {shown} {last.stderr[-500:]}") from None
        self.validate(doc, "doc/report.schema.json")
        return doc

    def validate(self, doc, schema):
        """Check a document against a JSON Schema of the source tree: doc/NAME.schema.json."""
        path = self.source(schema)
        if not os.path.exists(path):
            raise Failed(f"there is no {path}")
        import jsonschema  # Debian's python3-jsonschema
        with open(path, encoding="utf-8") as f:
            try:
                jsonschema.validate(doc, json.load(f))
            except jsonschema.ValidationError as e:
                where = "/".join(str(p) for p in e.absolute_path)
                raise Failed(f"document is not as {schema} says, at {where}: {e.message}") from None

    def daemon_start(self, *args, env=None):
        """Start infprofd by hand and wait for its socket."""
        run = self.start([self.daemon, *args], preload=False, env=env)

        def up():
            check(run.returncode is None, f"infprofd ended with {run.returncode}: {run.stderr}")
            folder = self.path("run/infprof")
            return os.path.isdir(folder) and any(
                os.path.exists(os.path.join(folder, f)) for f in os.listdir(folder))

        wait_until(up, 10, "socket of infprofd")
        return run

    def daemons(self):
        """Pids of the daemons that this session's programs started."""
        names = descendants(os.getpid())  # a child of one goes by its name for the moment until it has its own
        table = parents()
        return [pid for pid, name in names.items()
                if name == "infprofd" and names.get(table.get(pid, (0,))[0]) != "infprofd"]

    def strangers(self, but=("infprofd", "infprof-symbols", "infprof-load")):
        """Whoever runs, and is no daemon or a daemon's symboliser: {pid: name}."""
        return {p: n for p, n in descendants(os.getpid()).items() if n not in but}

    def daemon_stop(self, number=signal.SIGTERM, timeout=10):
        """End every daemon of this session and wait for it."""
        for pid in self.daemons():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

        def gone():
            self.collect()
            return not self.daemons()

        wait_until(gone, timeout, "daemon has gone")

    # The real engine.

    def model(self, preset="tiny", *args):
        """A GGUF with random weights."""
        path = self.path("-".join(["model", preset, *args]).replace("--", "") + ".gguf")
        if not os.path.exists(path):
            self.run([self.make_gguf, "--preset", preset, *args, "-o", path], preload=False)
        return path

    def llama(self, *args):
        """The command line of the driver, up to `args`. Skips where llama.cpp cannot be had."""
        return [self.llama_driver, "--lib", llama_libraries(), *args]

    # The end.

    def collect(self):
        for run in self.commands:
            run.popen.poll()
        reap({run.pid for run in self.commands})

    def close(self):
        """Ends everything. Returns what should not have been there."""
        complaints = []
        left = self.strangers()
        # what is just about to end may do so
        for _ in range(20):
            if not left:
                break
            time.sleep(0.05)
            self.collect()
            left = self.strangers()
        for pid, name in left.items():
            complaints.append(f"left running: {name} ({pid})")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            self.daemon_stop()
        except Failed:
            complaints.append("infprofd did not end within 10 s of SIGTERM")
            self.daemon_stop(signal.SIGKILL)
        self.collect()
        try:
            wait_until(lambda: not self.strangers(but=()), 10, "symboliser has gone")
        except Failed:
            complaints.append("the symboliser outlived its daemon")
        if not os.environ.get("INFPROF_TEST_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
        return complaints


_libraries = None  # (folder, reason why there is none), once asked for


def fetch_llama():
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "infprof")
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        got = subprocess.run(["sh", os.path.join(SOURCE, "scripts/fetch-llama.sh"), cache],
                             capture_output=True, text=True, timeout=150, check=False)
    if got.returncode != 0:
        return None, (got.stderr.strip().splitlines() or ["?"])[-1]
    return got.stdout.strip(), None


def llama_libraries():
    """The folder with the libraries of llama.cpp: INFPROF_LLAMA_LIB, or fetched from npm once a user."""
    global _libraries
    if _libraries is None:
        given = os.environ.get("INFPROF_LLAMA_LIB")
        _libraries = (given, None) if given else fetch_llama()
    if not _libraries[0]:
        skip(f"no llama.cpp here: {_libraries[1]}")
    return _libraries[0]


_cases = []


def case(function):
    """Marks a function as a case; its name, with blanks, is what it states."""
    _cases.append(function)
    return function


def run_case(function):
    """(verdict, details) of one case."""
    session = Session()
    verdict, details = "ok", ""
    try:
        function(session)
    except Skip as why:
        verdict, details = "skip", str(why)
    except Failed as failure:
        line = traceback.extract_tb(failure.__traceback__)
        here = next((f for f in reversed(line) if not f.filename.endswith("harness.py")), line[-1])
        verdict, details = "not ok", f"{os.path.basename(here.filename)}:{here.lineno}: {failure}"
    except Exception:  # a bug in the test is a failed test
        verdict, details = "not ok", traceback.format_exc()
    complaints = session.close()
    if complaints and verdict != "not ok":
        verdict, details = "not ok", "\n".join(complaints)
    return verdict, details


def main():
    """Run the cases (those named on the command line, or all) and print TAP."""
    wanted = [c for c in _cases if len(sys.argv) < 2 or c.__name__ in sys.argv[1:]]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts us in the background has both ignored,
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # and so would what we start
    failed = 0
    print(f"1..{len(wanted)}", flush=True)
    for number, function in enumerate(wanted, 1):
        verdict, details = run_case(function)
        name = function.__name__.replace("_", " ")
        if verdict == "skip":
            print(f"ok {number} - {name} # SKIP {details}", flush=True)
            continue
        print(f"{verdict} {number} - {name}", flush=True)
        if details:  # stderr is what meson shows of a failed test
            print(f"{name}:\n{details}", file=sys.stderr, flush=True)
        failed += verdict != "ok"
    sys.exit(1 if failed else 0)
