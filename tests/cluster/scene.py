"""A cluster as a test sees it: workers, an engine of this process, and a storage that both have."""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import nats

from tests.cluster.reports import Reports, task_of
from tests.cluster.workers import WorkerProcess
from tests.servers.server import eventually
from workqueue.engines.cluster import ClusterEngine
from workqueue.storage import DiskStorage

#: Short, since many a test waits for it to end. Where a worker of a loaded machine is late by so much, a run begins
#: once more than it had to; tests that count the runs are of the longer lease of the fixtures.
SHORT_LEASE = 2.0


class Scene:
    """One cluster; as a context manager all of it ends at the end.

    Args:
        directory: below which all is.
        url: of the servers.
        program: what workers run.
        name: of the cluster.
        lease: of all.
        options: more of each engine.
    """

    def __init__(
        self, directory: Path, url: str, program: Path, name: str, lease: float = SHORT_LEASE, **options: object
    ) -> None:
        self.lease = lease
        self._options = options
        self.storage = DiskStorage(directory / "storage")
        self._url = url
        self._program = program
        self._name = name
        self._stack = ExitStack()
        self.engine = self.make_engine()
        self.engine._presence.begin()  # else it would connect with its first task, and know of no worker before

    def make_engine(self, url: str = "", **options: object) -> ClusterEngine:
        """One more engine, as another process would have one."""
        told = {"name": self._name, "lease": self.lease, **self._options, **options}
        engine = ClusterEngine(url or self._url, **told)  # type: ignore[arg-type]
        self._stack.callback(engine.close, 0.0)
        return engine

    def worker(
        self, *options: str, max_running: int = 1, url: str = "", wait: bool = True, **more: Any
    ) -> WorkerProcess:
        """Start a worker, and wait until it is known.

        Args:
            options: of its command line.
            max_running: how many runs it takes.
            url: of the servers, if it has another way to them.
            wait: until this process's engine, which is submitted something for that, knows of it.
            more: see `WorkerProcess`.
        """
        told = ("--cluster", self._name, "--max-running", str(max_running), *options)
        before = self.capacity if wait else 0
        worker = WorkerProcess(self._program, url or self._url, self.storage.directory, *told, lease=self.lease, **more)
        self._stack.enter_context(worker)
        if wait:
            eventually(lambda: self.capacity >= before + max_running)
        return worker

    @property
    def capacity(self) -> int:
        """How many runs all workers take, as far as is known here; 0 while nothing is."""
        return self.engine.max_running or 0

    def knows(self, worker: WorkerProcess) -> bool:
        """Whether this very worker was heard of here: its name holds the number of its process."""
        return any(f"-{worker.process.pid}-" in name for name in self.engine._desk.member.workers)

    def submit(self, number: int = 1, engine: ClusterEngine | None = None, **options: object) -> Reports:
        """Ask for a run."""
        reports = Reports()
        reports.ticket = (engine or self.engine).submit(
            task_of(self._program, self.storage, number, **options), reports
        )
        return reports

    @staticmethod
    def now() -> float:
        """On the clock of `Reports`."""
        return time.monotonic()

    def result(self, number: int = 1) -> str:
        """What was built."""
        with self.storage.open(f"{number:040x}") as path:
            return path.read_text()

    def settle(self) -> None:
        """Let a lease go by: from then on everybody that is there judges of the others."""
        end = time.monotonic() + self.lease
        eventually(lambda: time.monotonic() > end)

    def delete_stream(self) -> None:
        """What an administrator can do, at any moment."""

        async def delete() -> None:
            client = await nats.connect(self._url.split(","))
            await client.jetstream().delete_stream(f"wq-{self._name}")
            await client.close()

        asyncio.run(delete())

    def stored(self) -> dict[str, int]:
        """How many records the stream has of each subject, as the server counts them."""

        async def ask() -> dict[str, int]:
            client = await nats.connect(self._url.split(","))
            info = await client.jetstream().stream_info(f"wq-{self._name}", subjects_filter=">")
            await client.close()
            return info.state.subjects or {}

        return asyncio.run(ask())

    def is_idle(self) -> bool:
        """Whether no run is left in what this process knows of the cluster."""
        view = self.engine._desk.member.view
        return not view.runs and not view.n_waiting and not view.n_running and not view.by_key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()
        # Workers were killed; their wardens end the programs, and whoever comes next removes what is left.
        eventually(self._is_swept)

    def _is_swept(self) -> bool:
        self.storage.sweep()
        runs = self.storage.directory / ".tmp"
        return not runs.exists() or not list(runs.iterdir())


MakeScene = Callable[..., Scene]
