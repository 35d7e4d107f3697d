"""A process of the walk: takes lines of JSON, what to do; prints lines of JSON, what came of it and what clients hear.

What has the queue is a fork of a process that has none. When it is killed there is another at once, which has not to
import everything anew: a walk kills a hundred.
"""

import contextlib
import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from tests.processes.gated_program import PROCESS, TIMEOUT, run_of
from workqueue import Job, Progress, QueueClosed, ResultNotFound, WorkQueue, parts
from workqueue.engines.host.engine import HostEngine
from workqueue.engines.local import engine as local_engine

# A program that is told to stop waits for the test, which decides how it ends.
local_engine.TERMINATE_SECONDS = 600.0  # type: ignore[misc]


def say(name: str, what: object) -> None:
    os.write(1, json.dumps([name, what]).encode() + b"\n")


class Complaints(logging.Handler):
    """Tells what the library's log has that it should never have."""

    def emit(self, record: logging.LogRecord) -> None:
        say("complaints", self.format(record))


class Process:
    """The queue, its clients, and the results that are open."""

    def __init__(self, told: dict[str, str]) -> None:
        self._told = told
        self._executor: ThreadPoolExecutor | None = None
        self._queue: WorkQueue | None = None
        self._jobs: dict[str, Job] = {}
        self._open: dict[str, tuple[contextlib.ExitStack, IO[bytes], bytes, str]] = {}

    @property
    def queue(self) -> WorkQueue:
        assert self._queue is not None
        return self._queue

    def start(self, storage: str) -> None:
        self._executor = ThreadPoolExecutor(1)
        self._queue = WorkQueue(
            self._told["program_path"],
            storage_dir=storage,
            # Not max_running: the model knows of a line for each process.
            executor=self._executor,
            env={PROCESS: self._told["process"]},
        )

    def ask(self, client: str, key: str, refresh: bool) -> str:
        try:
            job = self.queue.ensure_run((key,), refresh=refresh)
        except QueueClosed:
            return "closed"
        if job is None:
            return "built"
        self._jobs[client] = job

        def tell(progress: Progress) -> None:
            say(client, list(progress))

        job.progress.subscribe(tell, on_completed=lambda: say(client, "completed"))
        return "watches"

    def cancel(self, client: str) -> bool:
        return self._jobs[client].cancel()

    def delete(self, key: str) -> bool:
        return self.queue.delete((key,))

    def open(self, name: str, key: str) -> int | str | None:
        """Open a result and read the beginning of it; `shut` reads on."""
        stack = contextlib.ExitStack()
        try:
            path = stack.enter_context(self.queue.open_result((key,)))
        except ResultNotFound:
            return "no result"
        file = stack.enter_context(path.open("rb", buffering=0))
        self._open[name] = (stack, file, file.read(64), key)
        return run_of(key, path.read_bytes())

    def shut(self, name: str) -> int | None:
        stack, file, begin, key = self._open.pop(name)
        with stack:
            return run_of(key, begin + file.read())

    def look(self, keys: list[str]) -> dict[str, object]:
        """What is built, and the jobs, once all is read that other processes have said so far."""
        self._catch_up()
        return {
            "built": {key: self._built(key) for key in keys},
            "jobs": sorted(
                [job.params[0], job.state.value, job.progress.n_ahead_in_queue] for job in self.queue.jobs()
            ),
        }

    def close(self, drain: float) -> list[str]:
        """Close the queue; return the threads that do not end.

        A close waits a second for those that may be an observer's, which on a loaded machine they may need to get on.
        """
        self.queue.close(drain)
        if self._executor is not None:
            self._executor.shutdown()
        self._jobs.clear()
        threads = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
        for thread in threads:
            thread.join(TIMEOUT / 4)
        return sorted(thread.name for thread in threads if thread.is_alive())

    def _built(self, key: str) -> int | str | None:
        try:
            with self.queue.open_result((key,)) as path:
                return run_of(key, path.read_bytes())
        except ResultNotFound:
            return "no result"

    def _catch_up(self) -> None:
        """Return when the following thread has looked at everything; what it looks at after that is later news."""
        engine = self.queue._engine
        assert isinstance(engine, HostEngine)
        if not engine._is_open:
            return
        n_turns = 0
        has_looked = threading.Event()

        def look() -> None:
            nonlocal n_turns
            n_turns += 1
            if n_turns == 2:  # the first turn, of which this is in the midst, is over when it comes again
                has_looked.set()
            engine.follower.look_again()

        place = (engine.journals.directory, "nothing")
        engine.follower.follow(*place, look, always=True)
        assert has_looked.wait(TIMEOUT)
        engine.follower.unfollow(*place, look)


def main() -> None:
    assert parts  # imported for those that are forked
    while (pid := os.fork()) != 0:
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(os.waitstatus_to_exitcode(status))
    serve()


def serve() -> None:
    process = Process(json.loads(sys.argv[1]))
    logging.getLogger("workqueue").addHandler(Complaints(logging.ERROR))
    actions: dict[str, Callable[..., object]] = {
        action.__name__: action
        for action in (
            process.start,
            process.ask,
            process.cancel,
            process.delete,
            process.open,
            process.shut,
            process.look,
            process.close,
        )
    }
    say("", os.getpid())
    for line in sys.stdin:
        action, [name, *arguments] = json.loads(line)
        say(name, actions[action](*arguments))


if __name__ == "__main__":
    main()
