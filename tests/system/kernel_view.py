# SPDX-License-Identifier: MIT
"""The kernel's view, up before a run begins: its programs are loaded when the first engine comes, beside it, and a
short run may be over by then.

`with watched(s):` holds a process that keeps them attached; the case is skipped, with the reason, where they cannot be.
"""

import contextlib
import glob
import sqlite3

from harness import skip, wait_until
from victims import victim


def run_files(s):
    return glob.glob(s.path("state/infprof/runs/*.infprof"))


def rows(path, sql, *arguments):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(sql, arguments)]


def view_is_up(s, env=None):
    """A process that keeps the programs attached; skips where they cannot be."""
    keeper = s.start([victim(s, "kernel-days"), "wait", "600"], env=env)

    def told():
        for path in run_files(s):
            with contextlib.suppress(sqlite3.Error):
                for row in rows(path, "SELECT view, why, events FROM kernel JOIN process USING (process) WHERE pid = ?",
                                keeper.pid):
                    if row["view"] != 2 or row["events"]:
                        return row
        return None
    row = wait_until(told, 30, "the view of the keeper")
    if row["view"] != 2:
        keeper.kill()
        keeper.wait()
        skip(row["why"])
    return keeper


@contextlib.contextmanager
def watched(s, env=None):
    keeper = view_is_up(s, env)
    try:
        yield keeper
    finally:
        keeper.kill()
        keeper.wait()
