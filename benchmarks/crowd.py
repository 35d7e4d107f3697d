"""crowd: a line of jobs that stands still until it is told to move, and a client for each job that waits.

The predecessor reads this file too, so all that it lacks is imported where it is used.
"""

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.places import LOOK_SECONDS, Places
from workqueue import OverviewViewParams, WorkQueue

_PROGRAM = """#!/bin/sh
for output; do :; done
read line < "$0.gate"
echo built > "$output"
"""


class Gate:
    """A program that waits until it is let through, and then has built something.

    Args:
        directory: for the program.
    """

    def __init__(self, directory: Path) -> None:
        self.program = directory / "program"
        self.program.write_text(_PROGRAM)
        self.program.chmod(0o755)
        os.mkfifo(f"{self.program}.gate")
        # To read from as well: so no program finds that nobody writes, and this waits for none.
        self._fd = os.open(f"{self.program}.gate", os.O_RDWR)

    def let_through(self, n: int = 1) -> None:
        """Let the first n that come go on."""
        os.write(self._fd, b"\n" * n)

    def close(self) -> None:
        os.close(self._fd)


class Line:
    """A queue that runs one job at a time. One runs, and n wait, `jobs`."""

    def __init__(self, queue: WorkQueue, gate: Gate, n: int) -> None:
        self.queue = queue
        self.let_through = gate.let_through
        first, *self.jobs = [self.ensure_run(str(i)) for i in range(n + 1)]
        while not _has_begun(first):
            time.sleep(LOOK_SECONDS)

    def ensure_run(self, name: str) -> Any:
        """Ask for a job of this name."""
        return self.queue.ensure_run(OverviewViewParams("http://localhost", name, "token"))


def _has_begun(job: Any) -> bool:
    # The first is the predecessor's.
    return bool(job.was_started.is_set() if hasattr(job, "was_started") else job.state.value == "running")


@contextmanager
def line_of(n: int) -> Iterator[Line]:
    """A line, ours or the predecessor's. At the end it is thrown away."""
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(1) as executor:
        gate = Gate(Path(directory))
        queue = WorkQueue(gate.program, executor=executor, storage_dir=Path(directory, "storage"))
        try:
            yield Line(queue, gate, n)
        finally:
            if hasattr(queue, "close"):
                queue.close(drain=0)
            # In this order: or the next job begins, and waits before a gate that nobody opens.
            executor.shutdown(wait=False, cancel_futures=True)
            gate.let_through()
            executor.shutdown()
            gate.close()


def watch(line: Line, kind: str) -> Places:
    """Give each job that waits a client; return when all were told their places.

    Args:
        line: a new one.
        kind: "threads", each with a blocking generator; "tasks" of one event loop; or "observers".
    """
    places = Places(len(line.jobs))
    {"threads": _watch_in_threads, "tasks": _watch_in_tasks, "observers": _observe}[kind](line, places)
    places.wait(0)
    return places


def _watch_in_threads(line: Line, places: Places) -> None:
    all_there = threading.Event()

    def client(i: int, job: Any) -> None:
        all_there.wait()
        for progress in line.queue.report_job_progress_until_completed(job):
            places.tell(i, progress.n_ahead_in_queue)

    # They begin together: the predecessor's, once they look, leave hardly any time in which others could start.
    # Daemons: the predecessor's would wait for jobs that never run.
    for i, job in enumerate(line.jobs, 1):
        threading.Thread(target=client, args=(i, job), daemon=True).start()
    all_there.set()


def _watch_in_tasks(line: Line, places: Places) -> None:
    from workqueue.streams import to_async_iter  # noqa: PLC0415 - the predecessor has none

    async def client(i: int, job: Any) -> None:
        async for progress in to_async_iter(job.progress):
            places.tell(i, progress.n_ahead_in_queue)

    async def clients() -> None:
        await asyncio.gather(*(client(i, job) for i, job in enumerate(line.jobs, 1)))

    threading.Thread(target=lambda: asyncio.run(clients()), daemon=True).start()


def _observe(line: Line, places: Places) -> None:
    for i, job in enumerate(line.jobs, 1):
        job.progress.subscribe(lambda progress, i=i: places.tell(i, progress.n_ahead_in_queue))
