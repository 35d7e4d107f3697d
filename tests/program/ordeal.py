"""A bad program beside a good one: what must hold whatever the bad one does."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from tests.conftest import write_program
from workqueue import Job, Progress, State, WorkQueue
from workqueue.streams import to_generator
from workqueue.testing import collect

#: With the argument `good` the program is one that builds, and waits at its gate until it is told to go on.
GOOD = """\
if [ "$1" = good ]; then
    echo 0.125
    read line < "$0.gate"
    printf good > "$output"
    exit 0
fi
"""


class Ordeal:
    """A queue for a program that is good for the parameters ("good",) and bad for all others."""

    def __init__(self, make_queue: Callable[..., WorkQueue], directory: Path, bad: str) -> None:
        program = write_program(directory / "program", GOOD + bad)
        self._gate = program.with_name("program.gate")
        os.mkfifo(self._gate)
        self.queue = make_queue(program)

    def fail(self, *arguments: str) -> list[Progress]:
        """Run the bad job twice beside a good one; return what was told of it the first time.

        The second time is a new job that runs afresh, the good job takes no harm, and nothing of any is left behind.
        """
        with_good = self.queue.ensure_run(("good",))
        assert with_good is not None
        wait_for(with_good, lambda progress: progress.fraction == 0.125)
        job, events = self._run(arguments)
        assert with_good.state is State.RUNNING
        successor, again = self._run(arguments)
        assert successor is not job
        assert without_name(again[-1]) == without_name(events[-1])
        self._gate.write_bytes(b"\n")
        assert with_good.wait(10).returncode == 0
        assert with_good.n_watchers == 0
        assert self.queue.destination_path_for_params(("good",)).read_bytes() == b"good"
        return events

    def _run(self, arguments: tuple[str, ...]) -> tuple[Job, list[Progress]]:
        job = self.queue.ensure_run(arguments)
        assert job is not None
        events = collect(job)
        assert job.state is State.FAILED
        assert all(event.returncode is None for event in events[:-1])
        assert job.n_watchers == 0
        assert not self.queue.destination_path_for_params(arguments).is_file()
        assert not list(self.queue.storage_dir.glob(f".tmp/{job.key}.*"))
        return job, events


def without_name(progress: Progress) -> Progress:
    """The same without the random part of a private directory's name."""
    return progress._replace(error=re.sub(r"\.[0-9a-f]{16}/", "./", progress.error or ""))


def wait_for(job: Job, is_it: Callable[[Progress], bool]) -> Progress:
    """Return the first progress that is what the caller waits for."""
    for progress in to_generator(job.progress, heartbeat=None):
        if is_it(progress):
            return progress
    raise AssertionError(f"{job} ended without it")
