"""Processes that share a storage, and SIGKILL at random: for owners, for wardens, for programs.

Each round all processes are asked for the same keys, while some of them, of their wardens and of the programs are
killed; the killed processes are replaced, and ask again. A round is over when every process that lives has had an end
for every key, and every result is what its program should have built.
"""

import contextlib
import hashlib
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.processes.worker import Worker
from workqueue.naming import Naming
from workqueue.storage import DiskStorage
from workqueue.storage.base import Form

#: Takes a lock of its own, which two that overlap cannot both have; its result is long and has a checksum.
_PROGRAM = """#!/bin/sh
exec '{python}' -I -S '{script}' "$@"
"""
_SCRIPT = """
import fcntl, hashlib, os, sys, time
here, key, output = os.path.dirname(os.path.abspath(__file__)), sys.argv[1], sys.argv[-1]
canary = os.open(os.path.join(here, "canary-" + key), os.O_RDWR | os.O_CREAT)
os.set_inheritable(canary, True)
try:
    fcntl.flock(canary, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    with open(os.path.join(here, "overlaps"), "a") as file:
        file.write(key + "\\n")
with open(os.path.join(here, "pids"), "a") as file:
    file.write(f"{os.getpid()}\\n")
for i in range(4):
    print(i / 4, flush=True)
    with open(os.path.join(output, str(i)) if os.path.isdir(output) else output, "ab") as file:
        file.write(hashlib.sha256(f"{key} {i}".encode()).digest() * 1024)
    time.sleep(0.01)
"""

N_PROCESSES = 4
N_KEYS = 3

#: How long after asking something may be killed.
KILL_WITHIN_SECONDS = 0.2


def expected(key: str) -> bytes:
    """What the program builds for this key."""
    return b"".join(hashlib.sha256(f"{key} {i}".encode()).digest() * 1024 for i in range(4))


def _content(path: Path) -> bytes:
    files = [path / str(i) for i in range(4)] if path.is_dir() else [path]
    return b"".join(file.read_bytes() for file in files)


class Ordeal:
    """A storage, a program, and processes; as a context manager all are closed at the end.

    Args:
        directory: an empty one.
        seed: of the choice of whom to kill, and when.
        form: what a result is; a directory has a file for each part.
    """

    def __init__(self, directory: Path, seed: int, form: Form = "file") -> None:
        self._form: Form = form
        self._directory = directory
        self._random = random.Random(seed)
        self._stack = ExitStack()
        self._workers: list[Worker] = []
        self._program = directory / "program"
        script = directory / "program.py"
        script.write_text(_SCRIPT)
        self._program.write_text(_PROGRAM.format(python=sys.executable, script=script))
        self._program.chmod(0o755)
        #: Whom it has killed, and what it has seen.
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> "Ordeal":
        self._workers = [self._start() for _ in range(N_PROCESSES)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def round(self, number: int) -> None:
        """Ask, kill, and see that everybody has had an end and every result is whole."""
        keys = [f"{number}-{i}" for i in range(N_KEYS)]
        for worker in self._workers:
            for key in keys:
                worker.tell("ask", key)
        for moment in sorted(self._random.uniform(0, KILL_WITHIN_SECONDS) for _ in range(3)):
            time.sleep(moment / 3)  # an injection at random, not an order of things
            self._kill_one(keys)
        for worker in self._workers:
            for key in keys:
                self._await(worker, key)
        for path in self._results(keys):
            self.counts["results"] += 1
            if _content(path) not in map(expected, keys):
                self.counts["broken results"] += 1

    def finish(self) -> None:
        """Close all, and count what is left of dead processes."""
        self._stack.close()
        storage = self._directory / "storage"
        left = [*(storage / ".tmp").iterdir(), *(path for path in (storage / ".jobs").iterdir() if path.suffix == "")]
        if self._form == "directory":
            # A process may have been killed while it made one, and no queue was made since.
            DiskStorage(storage).sweep()
            left += [path for path in (storage / ".trees").iterdir() if path.name not in self._linked(storage)]
        self.counts["leftovers"] += sum(1 for path in left if not path.name.startswith("."))
        pids = [int(pid) for pid in (self._directory / "pids").read_text().split()]
        self.counts["programs"] = len(pids)
        self.counts["orphans"] += sum(1 for pid in pids if self._is_ours(pid))
        with contextlib.suppress(FileNotFoundError):
            self.counts["overlaps"] += len((self._directory / "overlaps").read_text().splitlines())

    def _start(self) -> Worker:
        worker = self._stack.enter_context(
            Worker(self._program, self._directory / "storage", max_running=2, result=self._form)
        )
        worker.hear("", lambda what: what == "ready")
        return worker

    def _kill_one(self, keys: list[str]) -> None:
        victim = self._random.choice(["owner", "warden", "program"])
        i = self._random.randrange(N_PROCESSES)
        worker = self._workers[i]
        self.counts[f"{victim}s killed"] += 1
        if victim == "owner":
            worker.kill()
            self._workers[i] = self._start()
            for key in keys:
                self._workers[i].tell("ask", key)
            return
        children = {pid: "warden_process" in command for pid, command in worker.children().items()}
        pids = [pid for pid, is_warden in children.items() if is_warden is (victim == "warden")]
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._random.choice(pids), signal.SIGKILL)

    def _await(self, worker: Worker, key: str) -> None:
        """Until it is built for this process; a program that was killed is a failure, and asked for again."""
        n_said = 0
        while worker.hear_end(key, after=n_said) != 0:
            self.counts["ends that failed"] += 1
            n_said = next(
                i
                for i, what in enumerate(worker.said(key), 1)
                if i > n_said and isinstance(what, list) and what[3] is not None
            )
            worker.tell("ask", key)
        self.counts["ends"] += 1

    def _results(self, keys: list[str]) -> list[Path]:
        naming = Naming(self._program.name, form=self._form)
        return [self._directory / "storage" / naming.key((key,)) for key in keys]

    def _linked(self, storage: Path) -> set[str]:
        return {path.readlink().name for path in storage.iterdir() if path.is_symlink()}

    def _is_ours(self, pid: int) -> bool:
        try:
            return str(self._directory).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
