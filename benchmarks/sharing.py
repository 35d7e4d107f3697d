"""What do processes that share a storage pay, and how fast do they see each other?

Prints, from one run: what a job costs beyond its program; when a follower in another process has a line that a program
printed; what 50 idle followers cost; and how long after the SIGKILL of an owner its successor's program begins. Run it
with ``python benchmarks/sharing.py``; it takes about a minute.
"""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from workqueue import Progress, WorkQueue

N_JOBS = 200
N_LINES = 200
N_FOLLOWERS = 50
N_KILLS = 20
IDLE_SECONDS = 10.0

_TRIVIAL = 'echo built > "$output"'
_PRINTS = (
    f"i=0; while [ $i -lt {N_LINES} ]; do printf '0.5\\t%s\\n' $(date +%s.%N); sleep 0.06; i=$((i+1)); done; {_TRIVIAL}"
)
_STAYS = "echo 0.5; exec sleep 600"
_BEGINS = f'date +%s.%N >> "{{log}}"; {_STAYS}'

_FOLLOWER = """
import json, sys, time
from workqueue import WorkQueue
program, storage, n_jobs, seconds = json.loads(sys.argv[1])
queue = WorkQueue(program, storage_dir=storage, max_running=1)
late = []
jobs = [queue.ensure_run((str(i),)) for i in range(n_jobs)]
def tell(progress):
    if progress.message:
        late.append(time.time() - float(progress.message))
for job in jobs:
    job.progress.subscribe(tell)
print("ready", flush=True)
if seconds is None:
    for job in jobs:
        job.wait()
    print(json.dumps(late[1:]))
else:
    time.sleep(2)
    assert all(job.current_progress.fraction == 0.5 for job in jobs)
    began, used = time.monotonic(), time.process_time()
    time.sleep(seconds)
    print(json.dumps((time.process_time() - used) / (time.monotonic() - began)), flush=True)
    sys.stdin.read()
queue.close(drain=0)
"""


def program(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\nfor output; do :; done\n{text}\n")
    path.chmod(0o755)
    return path


@contextlib.contextmanager
def follower(path: Path, storage: Path, n_jobs: int, seconds: float | None) -> "Iterator[subprocess.Popen[str]]":
    told = json.dumps([str(path), str(storage), n_jobs, seconds])
    command = [sys.executable, "-c", _FOLLOWER, told]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def print_overhead(directory: Path) -> None:
    path, out = program(directory, "trivial", _TRIVIAL), directory / "out"
    bare, job = [], []
    with WorkQueue(path, storage_dir=directory / "overhead", max_running=1) as queue:
        for i in range(N_JOBS):
            began = time.perf_counter()
            subprocess.run([path, str(i), out], stdin=subprocess.DEVNULL, capture_output=True, check=True)
            bare.append(time.perf_counter() - began)
            began = time.perf_counter()
            made = queue.ensure_run((str(i),))
            assert made is not None
            assert made.wait(30) == Progress(fraction=1.0, returncode=0)
            job.append(time.perf_counter() - began)
    a, b = (statistics.median(seconds) * 1e3 for seconds in (bare, job))
    print(f"a trivial program, median of {N_JOBS}: bare {a:.2f} ms, as a job {b:.2f} ms, {b - a:.2f} ms more")


def print_latency(directory: Path) -> None:
    path, storage = program(directory, "prints", _PRINTS), directory / "latency"
    with follower(path, storage, 1, None) as owner, follower(path, storage, 1, None) as other:
        for name, process in (("owner", owner), ("follower", other)):
            assert process.stdout is not None
            late = sorted(json.loads(process.stdout.readline()))
            p99 = late[len(late) * 99 // 100]
            print(f"printed -> told in the {name}: p50 {statistics.median(late) * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms")


def print_idle(directory: Path) -> None:
    path, storage = program(directory, "stays", _STAYS), directory / "idle"
    queue = WorkQueue(path, storage_dir=storage, max_running=N_FOLLOWERS)
    try:
        for i in range(N_FOLLOWERS):
            queue.ensure_run((str(i),))
        time.sleep(1)
        with follower(path, storage, N_FOLLOWERS, IDLE_SECONDS) as process:
            assert process.stdout is not None
            share = json.loads(process.stdout.readline())
    finally:
        queue.close(drain=0)
    print(f"{N_FOLLOWERS} idle followers: {share * 100:.3f} % of a core")


def print_takeover(directory: Path) -> None:
    log = directory / "begun"
    path, storage = program(directory, "begins", _BEGINS.format(log=log)), directory / "takeover"
    seconds = []
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(follower(path, storage, 1, 600.0))]
        for n_kills in range(N_KILLS):
            wait_for_lines(log, n_kills + 1)
            processes.append(stack.enter_context(follower(path, storage, 1, 600.0)))
            time.sleep(0.2)
            killed = time.time()
            os.kill(processes.pop(0).pid, signal.SIGKILL)
            wait_for_lines(log, n_kills + 2)
            seconds.append(float(log.read_text().split()[-1]) - killed)
    p50, worst = statistics.median(seconds) * 1e3, max(seconds) * 1e3
    print(f"owner killed -> successor's program runs: p50 {p50:.0f} ms, max {worst:.0f} ms")


def wait_for_lines(log: Path, n_lines: int) -> None:
    while not log.exists() or log.read_text().count("\n") < n_lines:
        time.sleep(0.001)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        for measure in (print_overhead, print_latency, print_idle, print_takeover):
            measure(Path(name))


if __name__ == "__main__":
    main()
