"""Does anything grow? Many short jobs, clients that come and go, cancels; descriptors, threads and memory after each.

Every job is a real program. Each is watched by an observer; by turns it also has a thread that leaves after the first
event, asyncio clients of which one leaves, and is cancelled while it waits or runs. A sample is taken when nothing
runs. Run it with ``python benchmarks/soak.py [--jobs 10000]``; it exits with status 1 when something grew.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from workqueue import Job, WorkQueue
from workqueue.streams import to_async_iter, to_generator

#: What the allocator may add to a process that is in a steady state.
MEMORY_SLACK_KB = 4096

N_BATCHES = 10


class Sample(NamedTuple):
    jobs: int
    descriptors: int
    threads: int
    memory_kb: int
    objects: int
    seconds: float


def sample(n_jobs: int, began: float) -> Sample:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Sample(
        n_jobs,
        sum(1 for _ in Path("/proc/self/fd").iterdir()),
        threading.active_count(),
        pages * os.sysconf("SC_PAGESIZE") // 1024,
        len(gc.get_objects()),
        time.monotonic() - began,
    )


def leave_early(job: Job) -> None:
    for _ in to_generator(job.progress):
        break


async def read(job: Job, *, leaves: bool) -> None:
    async for _ in to_async_iter(job.progress):
        if leaves:
            break


async def read_some(jobs: list[Job]) -> None:
    await asyncio.gather(*(read(job, leaves=leaves) for job in jobs for leaves in (False, True)))


def run_batch(queue: WorkQueue, first: int, n: int) -> None:
    jobs = []
    threads = []
    for i in range(first, first + n):
        job = queue.ensure_run((str(i),))
        assert job is not None
        job.progress.subscribe(lambda _: None)
        jobs.append(job)
        if i % 7 == 0:
            threads.append(threading.Thread(target=leave_early, args=(job,)))
            threads[-1].start()
        if i % 5 == 0:
            job.cancel()
        elif i % 11 == 0 and i > first + 20:
            jobs[-20].cancel()
    asyncio.run(read_some(jobs[::13]))
    for job in jobs:
        assert job.wait(60).returncode in (0, -998), job.current_progress
    for thread in threads:
        thread.join(60)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run many short jobs, and look whether anything grows.")
    parser.add_argument("--jobs", type=int, default=10_000)
    n_jobs = parser.parse_args().jobs
    samples = []
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory, "program")
        program.write_text('#!/bin/sh\nfor output; do :; done\necho 0.5\necho built >"$output"\n')
        program.chmod(0o755)
        print(f"{'jobs':>8} {'fds':>5} {'threads':>8} {'memory kB':>10} {'objects':>9} {'seconds':>8}")
        began = time.monotonic()
        with WorkQueue(program, storage_dir=Path(directory, "storage"), max_running=os.cpu_count() or 2) as queue:
            size = max(1, n_jobs // N_BATCHES)
            for batch in range(N_BATCHES):
                run_batch(queue, batch * size, size)
                wait_until_quiet()
                samples.append(sample((batch + 1) * size, began))
                jobs, descriptors, threads, memory, objects, seconds = samples[-1]
                print(f"{jobs:>8} {descriptors:>5} {threads:>8} {memory:>10} {objects:>9} {seconds:>8.1f}", flush=True)
            print(queue.statistics())
    return report(samples)


def wait_until_quiet() -> None:
    """The herald ends a moment after the last job that waited."""
    deadline = time.monotonic() + 5
    while any(thread.name == "workqueue-herald" for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)


def report(samples: list[Sample]) -> int:
    # The first batches fill caches and arenas.
    steady, last = samples[2], samples[-1]
    grown = [
        name
        for name, slack in (("descriptors", 0), ("threads", 0), ("memory_kb", MEMORY_SLACK_KB), ("objects", 500))
        if getattr(last, name) > getattr(steady, name) + slack
    ]
    print("flat" if not grown else f"grown: {', '.join(grown)}")
    return 1 if grown else 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
