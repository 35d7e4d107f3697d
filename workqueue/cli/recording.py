"""recording: a program is run once, as a job runs it -> what it did, each line with its time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from workqueue.cli.interruption import Interruption
from workqueue.errors import StorageError
from workqueue.program.command import Command
from workqueue.program.lines import LineSplitter, UniversalNewlines
from workqueue.program.process import TERMINATE_SECONDS, Process
from workqueue.program.protocol import LINES_LOOKED_AT, last_line, parse_line
from workqueue.program.start import start
from workqueue.program.tail import Tail
from workqueue.progress import Progress
from workqueue.storage.base import Form
from workqueue.storage.disk import DiskStorage

#: Seconds until a Ctrl-C is noticed, and between two calls of the watcher.
TICK_SECONDS: Final = 0.1

Watcher = Callable[[float, Progress | None], None]
"""Called with the seconds since the start, and the newest progress; None: there is none yet."""


@dataclass
class Recording:
    """One run of a program; a sink for `Process.read_until_exit`."""

    lines: list[tuple[float, bytes]] = field(default_factory=list)
    """Each line of stdout and when it came, in seconds since the start; the last one may lack its end."""

    returncode: int | None = 0
    """The exit status, negative when a signal ended it; None when it was lost."""

    duration: float = 0.0
    stderr_text: str = ""
    unfinished: bytes = b""
    """The last line, if it has no newline."""

    is_interrupted: bool = False
    """Whether a Ctrl-C ended it; nobody knows what it would have done after that."""

    output_error: str | None = None
    """Why the output cannot be published; None when it can, or when the program failed."""

    output_size: int = 0

    watch: Watcher = lambda _seconds, _progress: None

    def __post_init__(self) -> None:
        self._newlines = UniversalNewlines()
        self._splitter = LineSplitter()
        self._tail = Tail()
        self._started_at = time.monotonic()
        self._newest: Progress | None = None

    def stdout(self, data: bytes) -> None:
        """See `workqueue.program.reading.Sink`."""
        self._add(self._splitter.feed(self._newlines.feed(data)))

    def stderr(self, data: bytes) -> None:
        """See `workqueue.program.reading.Sink`."""
        self._tail.feed(data)

    def pace(self, now: float) -> float:
        """See `workqueue.program.reading.Sink`."""
        self.watch(now - self._started_at, self._newest)
        return TICK_SECONDS

    def end(self, returncode: int | None) -> None:
        """The program has exited, with this status if it is known."""
        line = last_line(self._newlines, self._splitter)
        if line and not self.is_interrupted:  # else it was cut off
            self.unfinished = line
            self._add([line])
        self.returncode = returncode
        self.duration = time.monotonic() - self._started_at
        self.stderr_text = self._tail.text()

    def _add(self, lines: list[bytes]) -> None:
        now = time.monotonic() - self._started_at
        self.lines += [(now, line) for line in lines]
        good = (progress for line in reversed(lines[-LINES_LOOKED_AT:]) if (progress := parse_line(line)) is not None)
        self._newest = next(good, self._newest)


def record(
    command: Command, arguments: list[str], scratch: Path, watch: Watcher, suffix: str = "", *, form: Form = "file"
) -> Recording:
    """Run a program once, in a storage of its own below `scratch`; on Ctrl-C stop it, and return what is known by then.

    Args:
        command: the program, from `command_of`.
        arguments: the program's, without its output file.
        scratch: an existing directory.
        watch: called several times a second while it runs.
        suffix: how the name of its output ends.
        form: whether the output is a file or a directory.

    Raises:
        ProgramError: it cannot start.
    """
    with DiskStorage(scratch).workspace("checked", suffix, form) as workspace:
        recording = _run(command, [*arguments, str(workspace.output)], watch)
        if recording.returncode == 0 and not recording.is_interrupted:
            try:
                workspace.publish()
            except StorageError as err:
                recording.output_error = str(err)
            else:
                info = DiskStorage(scratch).info("checked")
                recording.output_size = 0 if info is None else info.size
    return recording


def _run(command: Command, arguments: list[str], watch: Watcher) -> Recording:
    with Interruption() as interruption:
        process = Process(start(command, arguments))

        def watch_for_interruption(seconds: float, progress: Progress | None) -> None:
            if interruption.has_come:
                process.stop(TERMINATE_SECONDS)
            watch(seconds, progress)

        recording = Recording(watch=watch_for_interruption)
        returncode: int | None = None
        try:
            returncode = process.read_until_exit(recording)
        except KeyboardInterrupt:  # the second one: the program was killed on its way here
            interruption.has_come = True
        recording.is_interrupted = interruption.has_come
        recording.end(returncode)
    return recording
