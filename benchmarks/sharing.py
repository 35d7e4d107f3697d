"""What do processes that share a storage pay, and how fast do they see each other?

When a line is seen by the process that runs the program and by another that follows; what idle followers cost; how long
after the SIGKILL of an owner its successor's program begins; and how often a program runs that many processes ask for
at the same moment. Run it with ``python -m benchmarks.sharing``; it takes about 45 s.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.answer import OURS, Answer, Plot, Target, run
from benchmarks.clock import median, percentile, spread
from benchmarks.consumers import write_program
from benchmarks.peers import NAMES, python_of

N_LINES = 200
GAP_SECONDS = 0.06
N_FOLLOWERS = 50
IDLE_SECONDS = 10.0
N_KILLS = 20
BEGIN_SECONDS = 30.0
N_PROCESSES = 4
N_REQUESTS = 24
N_BURSTS = 5

_STAYS = "echo 0.5; exec sleep 600"
_BEGINS = f'date +%s.%N >> "{{log}}"; {_STAYS}'
_COUNTS = 'echo runs >> "{log}"; sleep 0.3; echo built > "$output"'

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

# Runs them all, which the follower then follows.
_OWNER = """
import json, sys
from workqueue import WorkQueue
from workqueue.streams import to_generator
program, storage, n_jobs = json.loads(sys.argv[1])
queue = WorkQueue(program, storage_dir=storage, max_running=n_jobs)
jobs = [queue.ensure_run((str(i),)) for i in range(n_jobs)]
for job in jobs:
    next(progress for progress in to_generator(job.progress) if progress.fraction == 0.5)
print("ready", flush=True)
sys.stdin.read()
"""

# For both: the names of 1.0.1 are ours.
_BURST = """
import json, logging, sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from workqueue import OverviewViewParams, WorkQueue
logging.disable(logging.ERROR)  # losers are expected
program, storage, n_requests = json.loads(sys.argv[1])
queue = WorkQueue(Path(program), ThreadPoolExecutor(2), Path(storage))
barrier = threading.Barrier(n_requests)
def ask(_):
    barrier.wait()
    job = queue.ensure_run(OverviewViewParams("http://localhost", "1", "token"))
    if job is None:
        return True
    for progress in queue.report_job_progress_until_completed(job):
        pass
    return progress.returncode == 0
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(n_requests) as clients:
    print(json.dumps(sum(clients.map(ask, range(n_requests)))))
"""


def measure() -> Answer:
    ancestor = NAMES["ancestor"]
    with tempfile.TemporaryDirectory() as name:
        owner, follower = latencies(Path(name))
        idle = idle_share(Path(name))
        takeovers = takeover_seconds(Path(name))
        n_ours, told_ours = bursts(Path(name, OURS), sys.executable)
        n_theirs, told_theirs = bursts(Path(name, ancestor), python_of("ancestor"))
    asked = f"{N_PROCESSES} processes x {N_REQUESTS} equal requests"
    worst = max(takeovers) * 1e3
    return Answer(
        ["what", OURS, ancestor],
        [
            ["line to the process that runs it, p50, ms", percentile(owner, 50) * 1e3, None],
            ["line to another process, p50, ms", percentile(follower, 50) * 1e3, None],
            ["line to another process, p99, ms", percentile(follower, 99) * 1e3, None],
            [f"{N_FOLLOWERS} idle followers, CPU, % of a core", idle * 100, None],
            ["owner killed, successor's program runs, p50, ms", median(takeovers) * 1e3, None],
            ["the same, the worst", worst, None],
            [f"{asked}: programs run", n_ours, n_theirs],
            ["the same: told of success, %", told_ours, told_theirs],
        ],
        [
            Target("owner killed, successor's program runs, the worst, ms", worst, 100.0),
            Target(f"{asked}: programs run", n_ours, 1.0),
            Target("requests not told of success, %", 100.0 - told_ours, 0.0),
        ],
        [
            Plot(
                "What processes see of each other",
                "% of the lines, or of the kills",
                "ms at most",
                {
                    f"{OURS}: line, there": spread(late * 1e3 for late in owner),
                    f"{OURS}: line, elsewhere": spread(late * 1e3 for late in follower),
                    f"{OURS}: takeover": spread(late * 1e3 for late in takeovers),
                },
                "spread",
            )
        ],
        [
            "In the picture: a line to the process that runs its program, and to another; a killed owner's successor.",
            f"{N_LINES} lines {GAP_SECONDS * 1e3:.0f} ms apart. {N_KILLS} kills. The worst of {N_BURSTS} bursts.",
            f"{ancestor} shares nothing between processes: nobody follows, and nobody takes over.",
        ],
    )


def latencies(directory: Path) -> list[list[float]]:
    """Seconds from a line to the owner, and to a follower in another process."""
    path, storage = write_program(directory / "prints", [GAP_SECONDS] * N_LINES), directory / "latency"
    told = (str(path), str(storage), 1, None)
    with started(_FOLLOWER, *told) as owner, started(_FOLLOWER, *told) as other:
        Path(f"{path}.go").touch()
        return [json.loads(answer_of(process)) for process in (owner, other)]


def idle_share(directory: Path) -> float:
    """What part of a core a process takes that follows another's runs, of which none moves."""
    path, storage = program(directory, "stays", _STAYS), directory / "idle"
    told = (str(path), str(storage), N_FOLLOWERS, IDLE_SECONDS)
    with started(_OWNER, *told[:3]), started(_FOLLOWER, *told) as process:
        return float(answer_of(process))


def takeover_seconds(directory: Path) -> list[float]:
    """From the kill of each owner to its successor's program."""
    log = directory / "begun"
    path, storage = program(directory, "begins", _BEGINS.format(log=log)), directory / "takeover"
    told = (str(path), str(storage), 1, 600.0)
    seconds = []
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(started(_FOLLOWER, *told))]
        for n_kills in range(N_KILLS):
            wait_for_lines(log, n_kills + 1)
            processes.append(stack.enter_context(started(_FOLLOWER, *told)))
            time.sleep(0.2)
            killed = time.time()
            os.kill(processes.pop(0).pid, signal.SIGKILL)
            wait_for_lines(log, n_kills + 2)
            seconds.append(float(log.read_text().split()[-1]) - killed)
    return seconds


def bursts(directory: Path, python: str) -> tuple[float, float]:
    """How many programs ran for one key, and the percentage of who asked that was told of success; the worst ones."""
    directory.mkdir()
    n_runs, n_told = [], []
    for i in range(N_BURSTS):
        log = directory / f"log-{i}"
        path = program(directory, f"program-{i}", _COUNTS.format(log=log))
        told = (str(path), str(directory / f"storage-{i}"), N_REQUESTS)
        with contextlib.ExitStack() as stack:
            processes = [stack.enter_context(started(_BURST, *told, python=python)) for _ in range(N_PROCESSES)]
            for process in processes:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            n_told.append(sum(json.loads(answer_of(process)) for process in processes))
        n_runs.append(log.read_text().count("\n"))
    return float(max(n_runs)), 100.0 * min(n_told) / (N_PROCESSES * N_REQUESTS)


def program(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\nfor output; do :; done\n{text}\n")
    path.chmod(0o755)
    return path


@contextlib.contextmanager
def started(script: str, *told: object, python: str = sys.executable) -> "Iterator[subprocess.Popen[str]]":
    """Run a script, from when it says that it is ready to the end of the block; there it is killed."""
    command = [python, "-P", "-c", script, json.dumps(told)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert answer_of(process) == "ready\n"
            yield process
        finally:
            process.kill()


def answer_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def wait_for_lines(log: Path, n_lines: int) -> None:
    deadline = time.monotonic() + BEGIN_SECONDS
    while not log.exists() or log.read_text().count("\n") < n_lines:
        assert time.monotonic() < deadline, f"no program has begun in {BEGIN_SECONDS} s"
        time.sleep(0.001)


if __name__ == "__main__":
    run(measure)
