"""cluster_figures: NATS servers, one worker and one queue on this machine -> what asking them costs."""

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.clock import cpu_seconds, measured
from benchmarks.consumers import write_program
from benchmarks.redis_server import free_port
from benchmarks.task_queues import AT_ONCE
from tests.cluster.nats_servers import NatsServers
from tests.cluster.workers import WorkerProcess
from tests.servers.server import eventually
from workqueue import Job, WorkQueue
from workqueue.engines.base import Report, Task
from workqueue.engines.cluster import ClusterEngine
from workqueue.engines.cluster.engine import Ticket
from workqueue.progress import Progress


class Sizes(NamedTuple):
    """How much is measured."""

    n_begun: int = 300
    """One after the other."""

    n_lines: int = 60
    """Of each of four programs at once."""

    n_jobs: int = 600
    """All asked for at once."""

    n_pending: int = 2_000
    n_looks: int = 10_000
    n_without: int = 1_000
    idle_seconds: float = 10.0

    rest_seconds: float = 15.0
    """A lease: by then all that a process has to say now and then has been said."""


#: Between lines, and before the first, by when all watch.
GAP_SECONDS = 0.1
FIRST_SECONDS = 0.5

#: What is left of a burst is over, and all that wait were told their places.
SETTLE_SECONDS = 2.0

#: The default.
LEASE = 15.0

#: What a slow machine may take until all that wait are in the line.
_PATIENCE_SECONDS = 90.0

# The interpreter's start would be most of what a short job takes.
_PROGRAM = """#!/bin/sh
for output; do :; done
case $1 in
    lines) exec '{python}' -IS "$0.lines" "$output" ;;
    stays) exec sleep 600 ;;
esac
echo built > "$output"
"""


class _Noting(ClusterEngine):
    """Keeps the latest ticket, which can be asked for its place."""

    latest: Ticket

    def submit(self, task: Task, report: Report) -> Ticket:
        self.latest = super().submit(task, report)
        return self.latest


@dataclass(frozen=True)
class Scene:
    """A queue of this process, and a worker in another."""

    queue: WorkQueue
    engine: _Noting
    worker: WorkerProcess

    def ask(self, kind: str, name: str) -> Job:
        job = self.queue.ensure_run((kind, name))
        assert job is not None, f"{name} is there already"
        return job


@contextlib.contextmanager
def scene(n_nodes: int, n_lines: int) -> Iterator[Scene]:
    """Servers, a worker and a queue, of which each knows the others."""
    with tempfile.TemporaryDirectory() as name, NatsServers(Path(name, "nats"), n_nodes) as nats:
        program, storage = programs(Path(name), n_lines), Path(name, "results")
        options = ("--max-running", str(AT_ONCE), "--replicas", str(n_nodes))
        engine = _Noting(nats.url, replicas=n_nodes, lease=LEASE)
        queue = WorkQueue(program, storage_dir=storage, engine=engine)
        with WorkerProcess(program, nats.url, storage, *options, lease=LEASE) as worker:
            try:
                here = Scene(queue, engine, worker)
                _succeeded(here.ask("now", "warm"))
                eventually(lambda: (shared := engine.shared) is not None and shared.workers == 1)
                yield here
            finally:
                queue.close(0.0)
                # By itself, so that nothing of it is left that still writes where all is removed.
                worker.terminate()
                worker.wait()


def programs(directory: Path, n_lines: int) -> Path:
    """A program that builds "now", stays for ever, or prints the time of day now and then."""
    program = directory / "program"
    program.write_text(_PROGRAM.replace("{python}", sys.executable))
    program.chmod(0o755)
    lines = write_program(directory / "program.lines", [FIRST_SECONDS, *[GAP_SECONDS] * (n_lines - 1)])
    Path(f"{lines}.go").touch()
    return program


def figures(n_nodes: int, *given: float) -> dict[str, Any]:
    """In a process of its own: as `task_queues.figures_of` has them, and what only ours can do."""
    sizes = Sizes(*given)  # type: ignore[arg-type]  # as JSON carries them
    found: dict[str, Any] = {}
    with scene(n_nodes, sizes.n_lines) as here:
        found["begun"] = [begun(here, f"b{i}") for i in range(sizes.n_begun)]
        found["late"] = lines(here)
        found["asked"], found["rate"] = burst(here, sizes.n_jobs)
        found["idle"] = idle_share(here.worker, sizes.idle_seconds)
        found["rest"], found["place"] = line_at_rest(here, sizes)
    return found


def begun(here: Scene, name: str) -> float:
    """Seconds from asking until this process is told that it runs."""
    job = here.ask("now", name)
    _succeeded(job)
    return job.snapshot().wait_seconds


def lines(here: Scene) -> list[float]:
    """Seconds from each line of four programs to their watchers."""
    seen: dict[str, float] = {}

    def see(progress: Progress) -> None:
        if progress.message is not None:
            seen.setdefault(progress.message, time.time())

    jobs = [here.ask("lines", f"l{i}") for i in range(AT_ONCE)]
    for job in jobs:
        job.progress.subscribe(see)
    for job in jobs:
        _succeeded(job)
    return [at - float(said) for said, at in seen.items()]


def burst(here: Scene, n: int) -> tuple[list[float], float]:
    """Seconds that each of many requests takes, and how many are done a second."""
    began = time.perf_counter()
    asked, jobs = ask_many(here, "now", n)
    for job in jobs:
        _succeeded(job)
    return asked, n / (time.perf_counter() - began)


def ask_many(here: Scene, kind: str, n: int) -> tuple[list[float], list[Job]]:
    asked, jobs = [], []
    for i in range(n):
        before = time.perf_counter()
        jobs.append(here.ask(kind, f"{kind}-{i}"))
        asked.append(time.perf_counter() - before)
    return asked, jobs


def idle_share(worker: WorkerProcess, seconds: float) -> float:
    """What part of a core a worker takes with nothing to do, its warden included."""
    time.sleep(SETTLE_SECONDS)
    began, used = time.monotonic(), cpu_seconds(worker.process.pid)
    time.sleep(seconds)
    return (cpu_seconds(worker.process.pid) - used) / (time.monotonic() - began)


def line_at_rest(here: Scene, sizes: Sizes) -> tuple[float, float]:
    """Runs that wait, each watched: what part of a core this process takes, and seconds for the last one's place."""
    _, jobs = ask_many(here, "stays", AT_ONCE + sizes.n_pending)
    for job in jobs:
        job.progress.subscribe(lambda _: None)
    ticket, last = here.engine.latest, AT_ONCE + sizes.n_pending - 1
    # All are in the line before this process has heard of each that it is.
    eventually(
        lambda: (
            (shared := here.engine.shared) is not None
            and shared[2:] == (AT_ONCE, sizes.n_pending)
            and ticket.n_ahead() == last
        ),
        _PATIENCE_SECONDS,
    )
    with measured() as looks:
        for _ in range(sizes.n_looks):
            ticket.n_ahead()
    time.sleep(SETTLE_SECONDS)
    with measured() as rest:
        time.sleep(sizes.rest_seconds)
    return rest.share, looks.seconds / sizes.n_looks


def without_server(n: int) -> list[float]:
    """In a process of its own: seconds that a client waits that asks, the first included."""
    with tempfile.TemporaryDirectory() as name:
        engine = _Noting(f"nats://127.0.0.1:{free_port()}")
        queue = WorkQueue(programs(Path(name), 1), storage_dir=Path(name, "results"), engine=engine)
        try:
            asked = []
            for i in range(n):
                before = time.perf_counter()
                queue.ensure_run(("now", str(i)))
                asked.append(time.perf_counter() - before)
        finally:
            queue.close(0.0)
        return asked


def _succeeded(job: Job) -> None:
    end = job.wait(_PATIENCE_SECONDS)
    assert end.returncode == 0, end
