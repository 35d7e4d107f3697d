"""For every test: nothing is left behind; for many: a queue, and programs made of a few lines of shell."""

import contextlib
import gc
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest
from hypothesis import settings

from workqueue import Job, WorkQueue
from workqueue.testing import ManualEngine, ScriptedProgram, output, say, wait

# What they assert is told in full, too. Here, since tests of several directories import them.
pytest.register_assert_rewrite("tests.servers.checks", "tests.servers.server")

# Real object stores and NATS servers, which tests of several directories use.
pytest_plugins = ["tests.cluster.fixtures", "tests.objects.fixtures"]

#: How long threads, descriptors and processes may take to go once a test has ended. None of them needs it.
PATIENCE_SECONDS = 5.0

# The same examples in every run, and no verdict on how fast a shared machine is.
settings.register_profile("workqueue", derandomize=True, database=None, deadline=None)
settings.load_profile("workqueue")


class Holdings(NamedTuple):
    """What this process holds of the system, and what a test's storages hold of the disk."""

    threads: frozenset[threading.Thread]
    descriptors: int
    children: frozenset[int]
    runs: frozenset[Path]

    @classmethod
    def now(cls, directory: Path | None) -> "Holdings":
        return cls(
            frozenset(threading.enumerate()),
            sum(1 for _ in Path("/dev/fd").iterdir()),
            frozenset(child_pids()),
            frozenset() if directory is None else frozenset(directory.glob("**/.tmp/*")),
        )

    def beyond(self, before: "Holdings") -> list[object]:
        """What is here and was not there before."""
        n_new = self.descriptors - before.descriptors
        return [
            *(self.threads - before.threads),
            *([f"{n_new} descriptors more"] if n_new > 0 else []),
            *(f"child process {pid}" for pid in self.children - before.children),
            *(self.runs - before.runs),
        ]


def child_pids() -> set[int]:
    """This process's children, those that ended and were not reaped too; none where there is no /proc."""
    pids: set[int] = set()
    for file in Path("/proc/self/task").glob("*/children"):
        # A thread may end between the look and the read; its children are another thread's by then.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pids.update(map(int, file.read_text().split()))
    return pids


def pytest_configure() -> None:
    """Hear the signals that whoever started the tests ignores: nohup does, and a shell for what is in the background.

    Programs that the tests start would ignore them too. Below a server that is hostile on purpose nothing is set back.
    """
    if os.environ.get("WORKQUEUE_TEST_HOSTILE"):
        return
    for signum, handler in {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGQUIT: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
        signal.SIGTERM: signal.SIG_DFL,
    }.items():
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, handler)


def pytest_collection_finish() -> None:
    """Take coverage's lock away: beside a busy writer, twenty readers were seen to stand at it for two minutes.

    It guards a dictionary of files against being emptied in mid-run, which only happens at the end here.
    """
    measuring = None
    with contextlib.suppress(ImportError):
        measuring = importlib.import_module("coverage").Coverage.current()
    if measuring is not None and measuring._collector is not None:
        measuring._collector.data_lock = _NoLock()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name in one line each what was not tested, and what to install for it."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()))
    for reason, n_tests in sorted(reasons.items()):
        terminalreporter.write_line(f"{n_tests} skipped: {reason.removeprefix('Skipped: ')}")


class _NoLock(contextlib.nullcontext[None]):
    def acquire(self) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Do nothing."""


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    directory = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    before = Holdings.now(directory)
    yield
    request.node.funcargs.clear()  # else what other fixtures returned would still be held
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := Holdings.now(directory).beyond(before)) and time.monotonic() < deadline:
        gc.collect()
        for thread in (item for item in left if isinstance(item, threading.Thread)):
            thread.join(max(0.0, deadline - time.monotonic()))
        time.sleep(0.005)
    assert left == []


@pytest.fixture
def make_queue(tmp_path: Path) -> Iterator[Callable[..., WorkQueue]]:
    """Makes WorkQueues that keep their results below the test's directory, and are closed after the test."""
    queues: list[WorkQueue] = []

    def make(program_path: str | os.PathLike[str], **options: object) -> WorkQueue:
        queue = WorkQueue(program_path, **{"storage_dir": tmp_path / "storage", **options})  # type: ignore[arg-type]
        queues.append(queue)
        return queue

    yield make
    for queue in queues:
        queue.close(drain=0.0)


class InOwnMounts(Protocol):
    """Runs a command that may mount what it likes: nobody else sees it, and it goes with the command."""

    def __call__(self, *command: object) -> str:
        """Run it; return what it printed."""
        ...


@pytest.fixture
def in_own_mounts() -> InOwnMounts:
    """For root on Linux, where it may make a mount namespace."""
    # --map-root-user, as an ordinary user would need it, lets nobody mount over what is another file system's.
    unshare = ["unshare", "--mount", "--"]
    try:
        subprocess.run([*unshare, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting needs Linux, root, and util-linux's unshare")

    def run(*command: object) -> str:
        path = os.pathsep.join(filter(None, sys.path))
        done = subprocess.run(
            [*unshare, *map(str, command)],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def write_program(path: Path, text: str) -> Path:
    """Make a program of some lines of shell, with the name of its output file in $output; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nfor output; do :; done\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def program(tmp_path: Path) -> ScriptedProgram:
    """Says 0.5, waits at "gate", builds."""
    return ScriptedProgram(tmp_path / "program", say(0.5), wait("gate"), output(b"built"))


@pytest.fixture
def engine() -> ManualEngine:
    """An engine that runs nothing until it is told to."""
    return ManualEngine()


@pytest.fixture
def queue(make_queue: Callable[..., WorkQueue], engine: ManualEngine) -> WorkQueue:
    """A queue over `engine`."""
    return make_queue("program", engine=engine)


def ensure(queue: WorkQueue, *arguments: str) -> Job:
    """A job that is new or under way."""
    job = queue.ensure_run(arguments)
    assert job is not None
    return job


class IdleKeeper:
    """A job's keeper that keeps nothing; a test overrides what it wants to see."""

    def queued(self, job: Job) -> None:
        """Do nothing."""

    def watched(self, job: Job) -> None:
        """Do nothing."""

    def started(self, job: Job) -> None:
        """Do nothing."""

    def progressed(self, job: Job) -> None:
        """Do nothing."""

    def cancelled(self, job: Job) -> None:
        """Do nothing."""

    def ended(self, job: Job) -> None:
        """Do nothing."""
