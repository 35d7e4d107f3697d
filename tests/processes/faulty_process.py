"""A process with a queue, whose calls fail: takes lines of JSON, what to do; prints lines of JSON, what comes of it.

Whatever is raised at a caller is said, with whether it is an error that the library documents.
"""

import contextlib
import functools
import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.processes.faults import Injector
from workqueue import Job, Progress, WorkQueue, WorkQueueError
from workqueue.storage import DiskStorage


def say(what: str, *details: object) -> None:
    os.write(1, json.dumps([what, list(details)]).encode() + b"\n")


def attempt(what: str, call: Callable[[], object]) -> None:
    """Say what a call returns or raises."""
    try:
        result = call()
    except WorkQueueError as err:
        say(what, "refused", repr(err))
    except BaseException:  # noqa: BLE001 - it is the parent that judges
        say(what, "broke", traceback.format_exc())
    else:
        say(what, "returned", result)


class Told(logging.Handler):
    """Says what is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        say("log", record.levelname, self.format(record))


class Process:
    """What it is told to do, a method each."""

    def __init__(self, directory: str, program: str) -> None:
        self._directory = directory
        self._program = program
        self._queue: WorkQueue | None = None
        self._jobs: dict[str, Job] = {}
        self._injector = Injector()

    def begin(self) -> None:
        # Once before a call may fail: what is imported and started late, by that time is.
        with WorkQueue([self._program], storage=DiskStorage(f"{self._directory}/first")) as queue:
            job = queue.ensure_run((f"first-{os.getpid()}",))
            assert job is not None
            assert job.wait(20).returncode == 0
        self._injector.install()

    @property
    def queue(self) -> WorkQueue:
        assert self._queue is not None
        return self._queue

    def make(self, name: str) -> str:
        storage = DiskStorage(f"{self._directory}/{name}", ttl=3600, max_bytes=10**6)
        self._queue = WorkQueue([self._program], storage=storage, failure_ttl=60, max_running_on_host=2)
        return "made"

    def ask(self, key: str) -> str:
        job = self.queue.ensure_run((key,))
        if job is None:
            return "built"
        self._jobs[key] = job

        def tell(progress: Progress) -> None:
            say(f"progress {key}", *progress)

        job.progress.subscribe(tell)
        return "job"

    def cancel(self, key: str) -> bool:
        return key in self._jobs and self._jobs[key].cancel()

    def read(self, key: str) -> str:
        with self.queue.open_result((key,)) as path:
            return path.read_text()

    def n_jobs(self) -> int:
        return len(self.queue.jobs())

    def delete(self, key: str) -> bool:
        return self.queue.delete((key,))

    def close(self) -> None:
        if self._queue is not None:
            self._queue.close(drain=0.0)
        self._queue = None
        self._jobs.clear()

    def arm(self, kind: str, nth: int, number: int, is_once: bool) -> None:
        self._injector.arm(kind, nth, number, is_once=is_once)

    def disarm(self) -> object:
        return self._injector.disarm()

    def holdings(self) -> object:
        """Its descriptors, but for those of its listing, and its threads."""
        found = {}
        for fd in os.listdir("/dev/fd"):  # noqa: PTH208 - names are all that is wanted
            with contextlib.suppress(OSError):
                os.fstat(int(fd))
                found[fd] = "?"
                found[fd] = str(Path(f"/dev/fd/{fd}").readlink())
        return found, sorted(thread.name for thread in threading.enumerate())


def main() -> None:
    options = json.loads(sys.argv[1])
    process = Process(options["storage_dir"], options["program_path"])
    process.begin()
    logging.getLogger("workqueue").addHandler(Told())
    say("", "ready")
    for line in sys.stdin:
        action, *details = json.loads(line)
        method: Callable[..., Any] = getattr(process, action)
        attempt(action, functools.partial(method, *([] if details == [""] else details)))
    process.close()


main()
