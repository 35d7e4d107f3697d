"""What does it cost to publish a directory, to open it, and to remove it, in time and memory?

One of 10,000 files of 4 KB in 100 directories, and one of a single file of 1 GB: published by `DiskStorage`, by way of
`ObjectStorage` to SeaweedFS on this machine and back to another host, and copied by ``cp -r`` and packed by ``tar``,
without and with a ``sync`` behind it. Ours looks at each file, makes it read-only and flushes it; on disk nothing is
copied.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.answer import OURS, Answer, Cell, Target, run
from benchmarks.objects import BEGINNING, find_seaweedfs
from benchmarks.peers import told
from tests.objects.seaweedfs import SeaweedFS

N_FILES = 10_000
N_DIRECTORIES = 100
SMALL_BYTES = 4096
LARGE_BYTES = 2**30

#: What either may hold in memory besides: on disk next to nothing, on the way to a bucket four parts of 8 MB and what
#: the runtime takes.
MEMORY_LIMIT_MB = 100.0

#: To open a directory is to open, to lock and to look at its link, however large it is.
OPEN_LIMIT_MS = 1.0

_COLUMNS = ("what", "publish or copy, s", "open, ms", "remove, s", "CPU, s", "memory more, MB")

_MISSING = "Not measured in a bucket: there is no SeaweedFS for this machine; `WORKQUEUE_TEST_WEED` may say where."

_COMMON = (
    BEGINNING
    + """
import subprocess
def fill(top):
    if options["n_files"] == 1:
        block = os.urandom(2**20)
        with open(top / "file", "wb") as file:
            for _ in range(options["bytes"] // len(block)):
                file.write(block)
        return
    a_directory = options["n_files"] // options["n_directories"]
    for i in range(options["n_directories"]):
        (top / str(i)).mkdir()
        for j in range(a_directory):
            (top / str(i) / str(j)).write_bytes(os.urandom(options["bytes"]))
def timed(act):
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
KEY = "0" * 40
"""
)

_OURS = (
    _COMMON
    + """
from workqueue.storage import DiskStorage
if "url" in options:
    from workqueue.storage.objects import ObjectStorage
    def storage(host):
        return ObjectStorage(options["url"], here / host, endpoint=options["endpoint"], config=options["credentials"])
else:
    def storage(host):
        return DiskStorage(here / "results")
one, other = storage("one"), storage("other")
def opened():
    with other.open(KEY) as path:
        path.stat()
with one.workspace(KEY, form="directory") as workspace:
    fill(workspace.output)
    idle, cpu = peak_mb(), time.process_time()
    published = timed(workspace.publish)
first = timed(opened)
again = min(timed(opened) for _ in range(20))
removed = timed(lambda: other.delete(KEY))
cost = published if "url" not in options else published + first
print(json.dumps([cost, again * 1000, removed, time.process_time() - cpu, peak_mb() - idle]))
"""
)

_THEIRS = (
    _COMMON
    + """
top = here / "top"
top.mkdir()
fill(top)
def copied():
    subprocess.run([word.format(top=top, here=here) for word in options["command"]], check=True)
    if options["sync"]:
        os.sync()
took = timed(copied)
cpu = sum(os.times()[2:4])
removed = timed(lambda: subprocess.run(["rm", "-r", here / "copy"], check=True))
print(json.dumps([took, None, removed, cpu, None]))
"""
)

_CP = ["cp", "-r", "{top}", "{here}/copy"]
_TAR = ["tar", "-cf", "{here}/copy", "-C", "{top}", "."]


def measure() -> Answer:
    """Each in a process of its own, on the same disk."""
    rows: list[list[Cell]] = []
    growth, opening = 0.0, 0.0
    notes = []
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        server = None
        try:
            os.environ[SeaweedFS.variable] = find_seaweedfs()
        except subprocess.CalledProcessError:
            notes.append(_MISSING)
        else:
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))  # at its end it repeats what it has printed
            server = stack.enter_context(SeaweedFS(Path(scratch, "server")))
        for n_files, n_bytes, what in ((N_FILES, SMALL_BYTES, "10,000 files"), (1, LARGE_BYTES, "1 GB")):
            told_all = {"n_files": n_files, "n_directories": N_DIRECTORIES, "bytes": n_bytes}
            ways: list[tuple[str, str, dict[str, Any]]] = [(f"{OURS}: disk", _OURS, {})]
            if server is not None:
                bucket = {"url": server.url(f"trees-{n_files}"), "endpoint": server.endpoint}
                ways.append((f"{OURS}: bucket", _OURS, {**bucket, "credentials": dict(server.credentials)}))
            for name, command in (("cp -r", _CP), ("tar", _TAR)):
                ways.append((name, _THEIRS, {"command": command, "sync": False}))
                ways.append((f"{name}, sync", _THEIRS, {"command": command, "sync": True}))
            for who, script, more in ways:
                with tempfile.TemporaryDirectory(dir=scratch) as directory:
                    figures = told(sys.executable, script, json.dumps({**told_all, **more, "directory": directory}))
                rows.append([f"{what}, {who}", *figures])
                if who.startswith(OURS):
                    opening, growth = max(opening, figures[1]), max(growth, figures[4])
    return Answer(
        _COLUMNS,
        rows,
        [
            Target("to open a directory that is there, however large, ms", opening, OPEN_LIMIT_MS),
            Target("memory that a directory takes to publish and to fetch, MB", growth, MEMORY_LIMIT_MB),
        ],
        notes=[*notes, "In a bucket, the first figure is for the upload, the download and the unpacking."],
    )


if __name__ == "__main__":
    run(measure)
