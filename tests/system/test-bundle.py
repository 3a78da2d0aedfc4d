# SPDX-License-Identifier: MIT
"""infprof report --bundle, and bundles where a RUN is asked for: whole ones, and such as an enemy would send."""

import contextlib
import ctypes
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tarfile
import time
import zlib

from harness import case, check, equal, main, one_line, skip, wait_until

RUN = "20261120-194500-4711"
NAMES = ["manifest.json", "report.txt", "surroundings.json", "report.json", "run.infprof"]


def made(s, *kind, name=RUN):
    os.makedirs(s.path("state/infprof/runs"), exist_ok=True)
    path = s.path(f"state/infprof/runs/{name}.infprof")
    s.run([s.built("tests/unit/make-run"), *kind, path], preload=False)
    return path


def bundle(s, *args, name="b.tar.zst", code=0, **more):
    run = s.infprof("report", "--bundle", s.path(name), *args, code=code, **more)
    equal(run.stdout, "", "stdout")
    return s.path(name)


def refused(s, code, *args, **more):
    run = s.infprof(*args, code=code, **more)
    one_line(run.stderr, " ".join(args))
    equal(run.stdout, "", "stdout")
    check(len(run.stderr) < 5000 and "/proc/self" not in run.stderr, run.stderr)
    return run.stderr


def zstd(data, *args):
    if not shutil.which("zstd"):
        skip("there is no zstd here")
    return subprocess.run(["zstd", "-qc", *args], input=data, capture_output=True, check=True).stdout


def contents(path):
    with open(path, "rb") as f:
        data = zstd(f.read(), "-d")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers()}


def archive(*members):
    """(name, bytes) or a TarInfo, as a tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            tar.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def put(s, name, data):
    with open(s.path(name), "wb") as f:
        f.write(data)
    return s.path(name)


def of_type(name, kind, to=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def with_texts(s, n, *kind):
    """A run of which the engine told n prompts, and one mark between two of them."""
    path = made(s, *kind)
    with contextlib.closing(sqlite3.connect(path)) as db:
        for i in range(n):
            db.execute("INSERT INTO instant VALUES (0, ?, ?, 1, 1, ?)", (i, i * 1000, f"ask {i}: geheim4711 of a user"))
        db.execute("INSERT INTO instant VALUES (0, ?, 5, 1, 0, 'a mark')", (n,))
        db.commit()
    return path


# Made and read.

@case
def a_bundle_is_all_that_a_report_of_a_bug_needs(s):
    made(s)
    path = bundle(s)
    files = contents(path)
    equal([n.split("/", 1)[1] for n in files], NAMES, "members, the list first, the run file last")
    equal({n.split("/")[0] for n in files}, {f"infprof-{RUN}"}, "one folder")
    manifest = json.loads(files[f"infprof-{RUN}/manifest.json"])
    s.validate(manifest, "doc/bundle.schema.json")
    for file in manifest["files"]:
        data = files[f"infprof-{RUN}/{file['name']}"]
        equal((file["bytes"], file["crc32"]), (len(data), zlib.crc32(data)), file["name"])
    equal({f["name"] for f in manifest["files"]} | {"manifest.json"}, set(NAMES), "listed")
    report = json.loads(files[f"infprof-{RUN}/report.json"])
    s.validate(report, "doc/report.schema.json")
    equal(json.loads(files[f"infprof-{RUN}/surroundings.json"]), report["surroundings"], "surroundings")
    check("MUL_MAT" in files[f"infprof-{RUN}/report.txt"].decode(), "report.txt")
    equal(manifest["run"]["id"], RUN, "run")
    check(manifest["infprof"]["build_id"], "build-id of the command")
    equal(manifest["machine"], None, "no machine is known of this one")
    equal(os.stat(path).st_mode & 0o777, 0o644, "mode")


@case
def texts_are_left_out_unless_they_are_asked_for(s):
    run = with_texts(s, 2000)
    with open(run, "rb") as f:
        check(b"geheim4711" in f.read(), "it is in the run file")
    told = s.infprof("report", "--bundle", s.path("b.tar.zst")).stderr
    check("2000 texts of the engine (infprof_text) are left out; --texts puts them" in told, told)
    check(all(len(line) <= 80 for line in told.splitlines()[1:]), told)
    files = contents(s.path("b.tar.zst"))
    for name, data in files.items():
        check(b"geheim4711" not in data and b"ask 7" not in data, f"a text is in {name}")
    manifest = json.loads(files[f"infprof-{RUN}/manifest.json"])
    s.validate(manifest, "doc/bundle.schema.json")
    equal(manifest["texts_left_out"], 2000, "the manifest says how many")
    report, whole = (json.loads(s.infprof("report", "--json", r).stdout) for r in (s.path("b.tar.zst"), run))
    s.validate(report, "doc/report.schema.json")
    for doc in (report, whole):
        for i in doc["instants"]:
            i.update(text="***" if i["kind"] == "text" else i["text"])
    equal(report, whole, "all else is as it was")
    check("a mark" in [i["text"] for i in report["instants"]], "marks stay")
    with open(put(s, "x.infprof", files[f"infprof-{RUN}/run.infprof"]), "rb"), \
            contextlib.closing(sqlite3.connect(f"file:{s.path('x.infprof')}?mode=ro&immutable=1", uri=True)) as db:
        equal(db.execute("PRAGMA integrity_check").fetchone()[0], "ok", "the run file is whole")
        equal(db.execute("PRAGMA journal_mode").fetchone()[0], "delete", "and plain")
    with open(run, "rb") as f:
        check(b"geheim4711" in f.read(), "the run itself keeps them")
    told = s.infprof("report", "--bundle", s.path("t.tar.zst"), "--texts").stderr
    check("2000 texts of the engine, perhaps prompts of users, are in it" in told, told)
    kept = contents(s.path("t.tar.zst"))
    check(b"geheim4711" in kept[f"infprof-{RUN}/run.infprof"], "asked for")
    equal(json.loads(kept[f"infprof-{RUN}/manifest.json"])["texts_left_out"], 0, "none is left out")
    bundle(s, s.path("t.tar.zst"), name="u.tar.zst")  # of a bundle that has them
    check(all(b"geheim4711" not in d for d in contents(s.path("u.tar.zst")).values()), "a bundle of a bundle")
    refused(s, 2, "report", "--texts")


@case
def of_a_run_without_texts_nothing_is_said(s):
    made(s)
    told = s.infprof("report", "--bundle", s.path("b.tar.zst")).stderr
    check("texts" not in told, told)


@case
def the_machine_goes_with_it(s):
    made(s, "--roof", "whole")
    files = contents(bundle(s))
    machine = next(json.loads(d) for n, d in files.items() if n.endswith("/machine.json"))
    equal(machine["schema"], "infprof.machine/1", "machine.json")


@case
def tar_and_sqlite3_read_it(s):
    path = made(s)
    out = bundle(s)
    zstd(b"")
    listed = s.run(["tar", "--zstd", "-tf", out], preload=False).stdout
    check(f"infprof-{RUN}/run.infprof" in listed, listed)
    s.run(["tar", "--zstd", "-xf", out], preload=False)
    taken = s.path(f"infprof-{RUN}/run.infprof")
    equal(json.loads(s.infprof("report", "--json", taken).stdout),
          json.loads(s.infprof("report", "--json", path).stdout), "the same run")


@case
def every_verb_reads_it_as_the_run(s):
    made(s, "--work", "whole")
    os.rename(bundle(s), s.path("no-name-at-all"))  # what it is, is told by its bytes
    for verb in ("report", "explain", "ledger", "layers", "tokens", "threads", "waits", "spawns", "roofline", "memory"):
        equal(s.infprof(verb, "--json", "no-name-at-all").stdout, s.infprof(verb, "--json").stdout, verb)
    s.infprof("check", "no-name-at-all", "lost == 0")
    equal(os.listdir(s.path("tmp")), [], "nothing is left in TMPDIR")
    diff = s.infprof("diff", "--json", "no-name-at-all", RUN, code=None).stdout
    s.validate(json.loads(diff), "doc/diff.schema.json")
    check("/proc/self" not in diff and "no-name-at-all" in diff, "the bundle's name")
    bundle(s, "no-name-at-all", name="again.tar.zst")
    equal(contents(s.path("again.tar.zst")).keys(), contents(s.path("no-name-at-all")).keys(), "a bundle of a bundle")


@case
def one_that_was_packed_again_is_read(s):
    made(s)
    wanted = s.infprof("report").stdout
    with open(bundle(s), "rb") as f:
        plain = zstd(f.read(), "-d")
    with open(put(s, "plain.tar", plain), "rb") as f:
        gz = subprocess.run(["gzip", "-c"], stdin=f, capture_output=True, check=True).stdout
    equal(s.infprof("report", "plain.tar").stdout, wanted, "not packed")
    equal(s.infprof("report", put(s, "b.tar.gz", gz)).stdout, wanted, "gzip")


@case
def to_stdout(s):
    made(s)
    run = s.start([s.cli, "report", "--bundle", "-"], preload=False)
    run.wait()
    with open(run.out_path, "rb") as f:
        data = f.read()
    equal((run.returncode, run.stderr), (0, ""), "exit code and stderr")
    equal(s.infprof("report", put(s, "x", data)).stdout, s.infprof("report").stdout, "what came out")


# Where it goes.

@case
def what_is_there_stays_unless_forced(s):
    made(s)
    put(s, "b.tar.zst", b"precious")
    check("--force" in refused(s, 1, "report", "--bundle", s.path("b.tar.zst")), "said")
    with open(s.path("b.tar.zst"), "rb") as f:
        equal(f.read(), b"precious", "kept")
    os.chmod(s.path("b.tar.zst"), 0o600)
    os.symlink("b.tar.zst", s.path("link"))
    bundle(s, "--force", name="link")
    check(os.path.islink(s.path("link")) and contents(s.path("b.tar.zst")), "written behind the link")
    equal(os.stat(s.path("b.tar.zst")).st_mode & 0o777, 0o600, "its mode stays")


@contextlib.contextmanager
def small_disk(s, kib):
    folder = s.path("small")
    os.mkdir(folder)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, f"size={kib}k".encode()) != 0:
        skip("cannot mount a small tmpfs")
    try:
        yield folder
    finally:
        libc.umount2(folder.encode(), 2)


@case
def no_room(s):
    made(s)
    check("No space left" in refused(s, 1, "report", "--bundle", "/dev/full", "--force"), "full device")
    check("regular" in refused(s, 1, "report", "--bundle", "/dev/full"), "not unless forced")
    check("No such file" in refused(s, 1, "report", "--bundle", s.path("nowhere/b.tar.zst")), "no such folder")
    with small_disk(s, 8) as folder:
        check("No space left" in refused(s, 1, "report", "--bundle", f"{folder}/b.tar.zst"), "full disk")
        equal(os.listdir(folder), [], "no half of one")
        put(s, "small/b.tar.zst", b"old")
        refused(s, 1, "report", "--force", "--bundle", f"{folder}/b.tar.zst")
        with open(f"{folder}/b.tar.zst", "rb") as f:
            equal(f.read(), b"old", "what was there")
        good = bundle(s)
        check("TMPDIR" in refused(s, 1, "report", good, env={"TMPDIR": folder}), "no room to unpack")
        equal(os.listdir(folder), ["b.tar.zst"], "nothing of it stays")
        check("TMPDIR" in refused(s, 1, "report", good, env={"TMPDIR": "/nowhere"}), "nowhere to unpack")


@case
def usage(s):
    made(s)
    refused(s, 2, "report", "--bundle", "x", "--json")
    refused(s, 2, "report", "--bundle", "")
    refused(s, 2, "report", "--bundle")
    refused(s, 2, "report", "--force")
    refused(s, 3, "report", "--bundle", s.path("x"), "nonesuch")
    check(not os.path.exists(s.path("x")), "nothing is made")


# What an enemy sends.

@case
def what_is_cut_is_said(s):
    made(s)
    with open(bundle(s), "rb") as f:
        good = f.read()
    plain = zstd(good, "-d")
    for name, data in (("half", good[:len(good) // 2]), ("ragged", good[:-3]), ("head", good[:20]),
                       ("flipped", good[:5000] + bytes([good[5000] ^ 0x55]) + good[5001:]),
                       ("tar", plain[:len(plain) // 2])):
        message = refused(s, 3, "report", put(s, name, data))
        check("damaged" in message and name in message, message)
    refused(s, 3, "report", put(s, "tiny", good[:3]))


@case
def what_is_no_bundle_is_said(s):
    with open(made(s), "rb") as f:
        run = f.read()
    for name, members, word in (
            ("no-run", [("infprof-x/report.txt", b"hello")], "no run file"),
            ("empty", [], ""),
            ("text", [("infprof-x/run.infprof", b"not a database at all")], "run file that is none"),
            ("nothing", [("infprof-x/run.infprof", b"")], "no run file"),
            ("two", [("a/run.infprof", run), ("b/run.infprof", run)], "two run files"),
            ("deep", [("a/b/run.infprof", run)], "no run file"),
            ("up", [("../../tmp/x", b"x"), ("a/run.infprof", run)], "leads out"),
            ("absolute", [("/etc/passwd", b"x"), ("a/run.infprof", run)], "leads out"),
            ("dots", [("a/../../run.infprof", run)], "leads out"),
            ("link", [of_type("a/run.infprof", tarfile.SYMTYPE, "/etc/passwd")], "a link"),
            ("hard", [("a/x", run), of_type("a/run.infprof", tarfile.LNKTYPE, "a/x")], "a link"),
            ("fifo", [of_type("a/run.infprof", tarfile.FIFOTYPE)], "device or pipe"),
            ("device", [of_type("a/null", tarfile.CHRTYPE)], "device or pipe"),
            ("many", [(f"a/{i}", b"") for i in range(100)], "too many files"),
            ("listed", [("a/manifest.json", b'{"schema": "infprof.bundle/1", "files": '
                                            b'[{"name": "run.infprof", "bytes": 5, "crc32": 1}]}'),
                        ("a/run.infprof", run)], "manifest"),
            ("bad-list", [("a/manifest.json", b"{"), ("a/run.infprof", run)], "manifest"),
            ("newer", [("a/manifest.json", b'{"schema": "infprof.bundle/9"}'), ("a/run.infprof", run)], "infprof.bundle/9"),
            ("long-list", [("a/manifest.json", b" " * (2 << 20)), ("a/run.infprof", run)], "manifest"),
            ("evil\x1bname", [("a/\x1b[2J/../..", b"")], "leads out")):
        path = put(s, name, archive(*members) if name.startswith("evil") else zstd(archive(*members)))
        message = refused(s, 3, "report", path)
        check(word in message and "\x1b" not in message, f"{name}: {message}")
    # a run file that is damaged is said by the bundle's name
    message = refused(s, 3, "report", put(s, "cut-run", zstd(archive(("a/run.infprof", run[:len(run) // 2])))))
    check("cut-run" in message and "truncated or damaged" in message, message)
    # one that was being written as it was copied is read all the same
    copy = run[:18] + b"\x02\x02" + run[20:]
    equal(s.infprof("report", put(s, "live", archive(("./run.infprof", copy)))).stdout, s.infprof("report").stdout, "wal")
    equal(os.listdir(s.path("tmp")), [], "nothing is left in TMPDIR")


@case
def a_small_archive_does_not_become_a_large_file(s):
    info = tarfile.TarInfo("a/run.infprof")
    info.size = 4 << 30
    header = info.tobuf(tarfile.GNU_FORMAT)
    zeroes = zstd(bytes(1 << 20)) * 40  # frames may follow each other
    began = time.monotonic()
    check("a run file that is none" in refused(s, 3, "report", put(s, "zero", zstd(header) + zeroes)), "said")
    begin = zstd(b"SQLite format 3\0" + bytes((1 << 20) - 16))
    run = s.infprof("report", put(s, "bomb", zstd(header) + begin + zstd(bytes(1 << 20)) * 4000), code=3)
    check("more than a GiB" in run.stderr, run.stderr)
    other = tarfile.TarInfo("a/other")
    other.size = 8 << 30
    run = s.infprof("report", put(s, "other", zstd(other.tobuf(tarfile.GNU_FORMAT)) + zstd(bytes(1 << 20)) * 4000), code=3)
    check("more than a GiB" in run.stderr, run.stderr)
    check(time.monotonic() - began < 60, "in time")
    equal(os.listdir(s.path("tmp")), [], "nothing is left in TMPDIR")


@case
def ended_by_a_signal_it_leaves_nothing(s):
    with open(made(s), "rb") as f:
        run = f.read()
    info = tarfile.TarInfo("a/run.infprof")
    info.size = 900 << 20
    # takes a while to unpack
    path = put(s, "large", zstd(info.tobuf(tarfile.GNU_FORMAT) + run[:1 << 18].ljust(1 << 20, b"x")) +
               zstd(os.urandom(1 << 20)) * 899)
    reading = s.start([s.cli, "report", path], preload=False)

    def unpacks():
        check(reading.returncode is None, f"it was faster than we: {reading.stderr}")
        folder = f"/proc/{reading.pid}/fd"
        with contextlib.suppress(OSError):
            return any("(deleted)" in os.readlink(f"{folder}/{n}") for n in os.listdir(folder))
        return False

    wait_until(unpacks, 20, "it unpacks")
    reading.kill(signal.SIGKILL)
    reading.wait()
    equal(os.listdir(s.path("tmp")), [], "nothing is left in TMPDIR")
    os.unlink(path)


main()
