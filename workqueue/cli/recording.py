"""recording: what a program under check did, line by line with its times, by running it as a job does."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from workqueue.errors import StorageError
from workqueue.program.lines import LineSplitter
from workqueue.program.process import Process
from workqueue.program.start import start
from workqueue.program.tail import Tail
from workqueue.storage.disk import DiskStorage


@dataclass
class Recording:
    """One run of a program; a sink for `Process.read_until_exit`."""

    lines: list[tuple[float, bytes]] = field(default_factory=list)
    """Each line of stdout and when it came, in seconds since the start."""

    returncode: int = 0
    duration: float = 0.0
    stderr_text: str = ""
    unfinished: bytes = b""
    output_error: str | None = None
    """Why the output cannot be published; None when it can, or when the program failed."""

    output_size: int = 0

    def __post_init__(self) -> None:
        self._splitter = LineSplitter()
        self._tail = Tail()
        self._started_at = time.monotonic()

    def stdout(self, data: bytes) -> None:
        """See `workqueue.program.reading.Sink`."""
        now = time.monotonic() - self._started_at
        self.lines += [(now, line) for line in self._splitter.feed(data)]

    def stderr(self, data: bytes) -> None:
        """See `workqueue.program.reading.Sink`."""
        self._tail.feed(data)

    def pace(self, now: float) -> None:
        """See `workqueue.program.reading.Sink`; nothing is paced here."""

    def end(self, returncode: int) -> None:
        """The program has exited."""
        self.returncode = returncode
        self.duration = time.monotonic() - self._started_at
        self.stderr_text = self._tail.text()
        self.unfinished = self._splitter.unfinished


def record(program: Path, arguments: list[str], scratch: Path) -> Recording:
    """Run a program once, in a storage of its own below `scratch`.

    Raises:
        ProgramError: it cannot start.
    """
    with DiskStorage(scratch).workspace("checked") as workspace:
        process = Process(start(program, [*arguments, str(workspace.output)]))
        recording = Recording()
        recording.end(process.read_until_exit(recording))
        if recording.returncode == 0:
            try:
                workspace.publish()
            except StorageError as err:
                recording.output_error = str(err)
            else:
                recording.output_size = (scratch / "checked").stat().st_size
    return recording
