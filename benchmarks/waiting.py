"""What do clients cost that wait while nothing moves?

One job runs that prints nothing. Every client has had its first event and waits for the next: in a thread each, or as
a task each of one event loop. Python's and the kernel's defaults hold for threads, the size of their stacks too, as
under gunicorn or waitress.

CPU is counted over one heartbeat's time, 10 s, in which each of our clients is told once more where things stand: a
shorter look would miss the heartbeats, or count those of clients that came together as if they never stopped. The
predecessor looks, and tells, four times a second. The hand-written broadcast has no heartbeat. Threads that only sleep,
and wake as often as our heartbeat is, are the least that it can cost. Memory is what the process grew by, a task or a
thread included, per client.
"""

import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.answer import OURS, Answer, Cell, Plot, Target, run
from benchmarks.broadcast import Broadcast
from benchmarks.clock import measured, memory_kb
from benchmarks.peers import NAMES, called, python_of
from workqueue import OverviewViewParams, WorkQueue

N_THREADS = (100, 1_000, 4_000)
N_TASKS = (100, 1_000, 10_000)

#: Each of its threads looks four times a second.
MOST_OF_ANCESTOR = 1_000

#: With how many threads ours are measured without a heartbeat, and those that only sleep.
N_COMPARED = 1_000

#: A default heartbeat's time, and so that of one for each client.
IDLE_SECONDS = 10.0

#: After the last client's first event, until all wait.
SETTLE_SECONDS = 1.0

_PROGRAM = """#!/bin/sh
for output; do :; done
: > "$0.runs"
read line < "$0.gate"
echo built > "$output"
"""


@contextmanager
def running_job() -> Iterator[tuple[WorkQueue, Any]]:
    """A queue, and its job, whose program has begun and prints nothing, until the block is left."""
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(1) as executor:
        program = Path(directory, "program")
        program.write_text(_PROGRAM)
        program.chmod(0o755)
        os.mkfifo(f"{program}.gate")
        queue = WorkQueue(program, executor=executor, storage_dir=Path(directory))
        job = queue.ensure_run(OverviewViewParams("http://localhost", "1", "token"))
        while not Path(f"{program}.runs").exists():
            time.sleep(0.01)
        try:
            yield queue, job
        finally:
            Path(f"{program}.gate").write_text("go on\n")


def wait_in_threads(n: int, seconds: float) -> dict[str, float]:
    """In a process of its own, ours or the predecessor's: what n threads cost."""
    with running_job() as (queue, job):
        return _cost_of_threads(lambda: queue.report_job_progress_until_completed(job), n, seconds)


def wait_without_heartbeat(n: int, seconds: float) -> dict[str, float]:
    """In a process of its own: what n threads cost that are told only what is new."""
    from workqueue.streams import to_generator  # noqa: PLC0415 - the predecessor, which reads this file, has none

    with running_job() as (_, job):
        return _cost_of_threads(lambda: to_generator(job.progress, heartbeat=None), n, seconds)


def sleep_in_threads(n: int, seconds: float) -> dict[str, float]:
    """In a process of its own: what n threads cost that sleep, and wake once in those seconds."""
    is_over = False

    def sleep() -> Iterator[None]:
        while not is_over:
            yield
            time.sleep(seconds)

    figures = _cost_of_threads(sleep, n, seconds)
    is_over = True
    return figures


def _cost_of_threads(read: Callable[[], Iterable[object]], n: int, seconds: float) -> dict[str, float]:
    n_told = [0] * n
    begun = threading.Semaphore(0)

    def client(i: int) -> None:
        for _ in read():
            n_told[i] += 1
            if n_told[i] == 1:
                begun.release()

    before = memory_kb()
    # Daemons: their job ends when the block around this is left, or they sleep.
    for i in range(n):
        threading.Thread(target=client, args=(i,), daemon=True).start()
    for _ in range(n):
        begun.acquire()
    time.sleep(SETTLE_SECONDS)
    grown, told_before = memory_kb() - before, sum(n_told)
    with measured() as spent:
        time.sleep(seconds)
    return {"cpu": spent.share, "kb": grown / n, "told": (sum(n_told) - told_before) / n}


def wait_in_tasks(n: int, seconds: float, is_ours: bool) -> dict[str, float]:
    """In a process of its own: what n tasks cost, of our clients or of the broadcast's."""
    with running_job() as (_, job):
        return asyncio.run(_wait_in_tasks(job if is_ours else None, n, seconds))


async def _wait_in_tasks(job: Any, n: int, seconds: float) -> dict[str, float]:
    from workqueue.streams import to_async_iter  # noqa: PLC0415 - the predecessor, which reads this file, has none

    broadcast = Broadcast("first")
    n_told = 0

    def read() -> AsyncIterator[object]:
        return broadcast.read() if job is None else to_async_iter(job.progress)

    async def client() -> None:
        nonlocal n_told
        async for _ in read():
            n_told += 1

    before = memory_kb()
    tasks = [asyncio.create_task(client()) for _ in range(n)]
    while n_told < n:  # noqa: ASYNC110 - an event for each client is what is measured
        await asyncio.sleep(0.01)
    await asyncio.sleep(SETTLE_SECONDS)
    grown, told_before = memory_kb() - before, n_told
    with measured() as spent:
        await asyncio.sleep(seconds)
    told = n_told - told_before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"cpu": spent.share, "kb": grown / n, "told": told / n}


def measure() -> Answer:
    """Ours and its peer of each size at once: they wait, and CPU is counted in each process by itself."""
    ancestor, broadcast = NAMES["ancestor"], "by hand, asyncio"
    python, theirs = sys.executable, python_of("ancestor")
    rows: list[list[Cell]] = []
    cpu: dict[str, list[tuple[float, float]]] = {}
    memory: dict[str, list[tuple[float, float]]] = {}
    with ThreadPoolExecutor(2) as pool:
        for n in N_THREADS:
            runs = {f"{OURS}, threads": pool.submit(called, python, wait_in_threads, n, IDLE_SECONDS)}
            if n <= MOST_OF_ANCESTOR:
                runs[f"{ancestor}, threads"] = pool.submit(called, theirs, wait_in_threads, n, IDLE_SECONDS)
            add(rows, cpu, memory, n, {who: run.result() for who, run in runs.items()})
        compared = {
            f"{OURS}, threads without a heartbeat": pool.submit(
                called, python, wait_without_heartbeat, N_COMPARED, IDLE_SECONDS
            ),
            "threads that sleep": pool.submit(called, python, sleep_in_threads, N_COMPARED, IDLE_SECONDS),
        }
        add(rows, cpu, memory, N_COMPARED, {who: run.result() for who, run in compared.items()})
        for n in N_TASKS:
            runs = {
                f"{OURS}, asyncio": pool.submit(called, python, wait_in_tasks, n, IDLE_SECONDS, True),
                broadcast: pool.submit(called, python, wait_in_tasks, n, IDLE_SECONDS, False),
            }
            add(rows, cpu, memory, n, {who: run.result() for who, run in runs.items()})
    return Answer(
        ["who, how many", "CPU, s/s", "memory each, KB", "told each"],
        rows,
        [
            Target("1,000 threads that wait on one running job, CPU s/s", dict(cpu[f"{OURS}, threads"])[1_000], 0.002),
            Target("memory of a waiting thread, KB", dict(memory[f"{OURS}, threads"])[1_000], 30.0),
            Target(
                "memory of a waiting asyncio client, its task too, KB", dict(memory[f"{OURS}, asyncio"])[10_000], 2.5
            ),
        ],
        [
            Plot("CPU of clients that wait", "clients", "CPU seconds a second", curves_of(cpu)),
            Plot("Memory of clients that wait", "clients", "KB each", curves_of(memory)),
        ],
        [
            f"CPU over {IDLE_SECONDS:.0f} s, in which our heartbeat tells each client once where things stand.",
            f"{ancestor} was not asked for more than {MOST_OF_ANCESTOR:,} threads.",
            f"Threads that sleep wake once in {IDLE_SECONDS:.0f} s: no heartbeat in a thread of its own can cost less.",
        ],
    )


def curves_of(points: dict[str, list[tuple[float, float]]]) -> dict[str, list[tuple[float, float]]]:
    """Those that were measured at more than one size."""
    return {who: curve for who, curve in points.items() if len(curve) > 1}


def add(
    rows: list[list[Cell]],
    cpu: dict[str, list[tuple[float, float]]],
    memory: dict[str, list[tuple[float, float]]],
    n: int,
    found: dict[str, dict[str, float]],
) -> None:
    """Note what was found with n clients."""
    for who, figures in found.items():
        rows.append([f"{who}, {n:,}", figures["cpu"], figures["kb"], figures["told"]])
        cpu.setdefault(who, []).append((n, figures["cpu"]))
        memory.setdefault(who, []).append((n, figures["kb"]))


if __name__ == "__main__":
    run(measure)
