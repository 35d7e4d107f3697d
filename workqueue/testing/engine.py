"""engine: a test's calls -> reports, in place of programs."""

import threading
from collections.abc import Callable

from workqueue.engines.base import Report, Task
from workqueue.engines.local.lineup import LineUp
from workqueue.jobs.job import Job
from workqueue.progress import Progress, cancelled, failed, failed_exit, succeeded
from workqueue.storage.base import Origin


class ManualEngine:
    """An engine that runs nothing: a test says what happens to each job, and when.

    ::

        engine = ManualEngine()
        queue = WorkQueue("unused", storage_dir=tmp_path, engine=engine)
        job = queue.ensure_run(("a", "b"))
        engine.start(job)
        engine.progress(job, 0.5, "half")
        engine.succeed(job, b"the result")

    Callable from any thread; what a call reports has reached the job's observers when it returns.
    """

    def __init__(self) -> None:
        self._line = LineUp()
        self._moved: Callable[[], None] = lambda: None
        self._lock = threading.Lock()  # guards both below
        self._entries: list[_Entry] = []
        self._is_closed = False

    @property
    def max_running(self) -> None:
        """As many as a test likes."""
        return

    @property
    def tasks(self) -> list[Task]:
        """The tasks that have not ended, in the order in which they came."""
        with self._lock:
            return [entry.task for entry in self._entries]

    def start(self, job: Job) -> None:
        """The job runs from now on."""
        entry = self._entry(job)
        with self._lock:
            entry.is_running = True
        self._line.start(entry.place)
        self._moved()
        entry.report(Progress())

    def progress(self, job: Job, fraction: float, message: str | None = None) -> None:
        """The program says where it stands."""
        self._entry(job).report(Progress(fraction=fraction, message=message))

    def succeed(self, job: Job, output: bytes = b"built") -> None:
        """The program wrote `output`, in a directory as the file "built", and exited with 0; that is published."""
        entry = self._entry(job)
        task = entry.task
        with task.storage.workspace(task.key, task.suffix, task.form) as workspace:
            file = workspace.output / "built" if task.form == "directory" else workspace.output
            file.write_bytes(output)
            workspace.publish(Origin(task.name or None, task.version))
        self._end(entry, succeeded())

    def fail(self, job: Job, returncode: int = 1, stderr: str = "") -> None:
        """The program exited with a status other than 0."""
        self._end(self._entry(job), failed_exit(returncode, stderr))

    def stop(self, job: Job) -> None:
        """The program of a job that is being cancelled has stopped. One that waits needs no such call."""
        self._end(self._entry(job), cancelled())

    def submit(self, task: Task, report: Report) -> "_Entry":
        """See `workqueue.engines.Engine`."""
        entry = _Entry(self, task, report, self._line)
        with self._lock:
            self._entries.append(entry)
            is_closed = self._is_closed
        if is_closed:
            self._end(entry, failed("The work queue was closed."))
        return entry

    def call_when_moved(self, moved: Callable[[], None]) -> None:
        """See `workqueue.engines.Engine`."""
        self._moved = moved

    def close(self, drain: float | None = None, *, finish_pending: bool = False) -> None:  # noqa: ARG002 - nothing runs that could be waited for
        """End all jobs with an error."""
        with self._lock:
            self._is_closed = True
            entries = list(self._entries)
        for entry in entries:
            self._end(entry, failed("The work queue was closed."))

    def cancel(self, entry: "_Entry") -> None:
        """End a task that waits; one that runs is the test's to end, with `stop`."""
        with self._lock:
            is_running = entry.is_running
        if not is_running:
            self._end(entry, cancelled())

    def _entry(self, job: Job) -> "_Entry":
        with self._lock:
            for entry in self._entries:
                # By the function it reports to, since of two jobs of one key one may be being cancelled.
                if entry.report == job.report:
                    return entry
        raise LookupError(f"{job} is not in this engine: it has ended, or was never submitted")

    def _end(self, entry: "_Entry", outcome: Progress) -> None:
        with self._lock:
            if entry not in self._entries:
                return
            self._entries.remove(entry)
        self._line.leave(entry.place)
        self._moved()
        entry.report(outcome)


class _Entry:
    """One task in this engine; its ticket too."""

    def __init__(self, engine: ManualEngine, task: Task, report: Report, line: LineUp) -> None:
        self._engine = engine
        self.task = task
        self.report = report
        self.place = line.enter()
        self.is_running = False
        self._line = line

    def n_ahead(self) -> int:
        return self._line.n_ahead(self.place)

    def cancel(self, *, for_all: bool = True) -> None:  # noqa: ARG002 - there is one process
        self._engine.cancel(self)
