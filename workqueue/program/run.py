"""5 run: a program and its arguments -> Progress while it runs, then how it ended.

Conflated and paced in the reading thread: the first progress at once, then at most one per GAP_SECONDS, the last one
before the end always. Called from the thread that an engine gives to one job; `on_progress` is called on it.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from typing import Final, NamedTuple

from workqueue.program.command import Command
from workqueue.program.exit_status import STATUS_LOST
from workqueue.program.hints import right_form
from workqueue.program.limits import Limits, exceeded
from workqueue.program.lines import MAX_LINE_BYTES
from workqueue.program.process import Process
from workqueue.program.protocol import OutputParser
from workqueue.program.start import start
from workqueue.program.tail import Tail
from workqueue.program.warden import Guard
from workqueue.progress import NO_EXIT_STATUS, Progress
from workqueue.redaction import without_secrets
from workqueue.streams.conflate import Conflater

#: Twenty pictures a second look alive; measured with 10,000 readers, this leaves a loop three quarters of its time.
GAP_SECONDS: Final = 0.05

#: How many characters of a bad line the log shows.
_SHOWN: Final = 200

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]
"""Takes log lines; an adapter adds fields that say what they are about."""

logger = logging.getLogger("workqueue")

_NO_LIMITS: Final = Limits()


class Exit(NamedTuple):
    """How a program ended."""

    returncode: int
    """Its exit status; negative when a signal ended it, NO_EXIT_STATUS when it was lost."""

    stderr: str
    """The end of what it wrote to stderr."""

    explanation: str | None = None
    """What made it fail, in words, where its status alone does not say so: a limit, or that the status was lost."""


def run_program(
    command: Command,
    arguments: Sequence[str],
    on_progress: Callable[[Progress], None],
    on_start: Callable[[Process], None] = lambda _: None,
    *,
    limits: Limits = _NO_LIMITS,
    environment: Mapping[bytes, bytes] | None = None,
    log: Log = logger,
    secrets: Collection[str] = (),
    guard: Guard | None = None,
) -> Exit:
    """Run a program to its end.

    Args:
        command: from `command_of`.
        arguments: what follows the command on its command line.
        on_progress: told where the program stands, paced.
        on_start: given the process as soon as there is one, to stop it from another thread.
        limits: what it may use.
        environment: all of it; None: as `start` has it.
        log: takes warnings about what it prints.
        secrets: what must not be in a log, nor in what is kept of stderr. Progress has them still.
        guard: sees to it that the program dies with this process.

    Raises:
        ProgramError: it cannot start.
    """
    with nullcontext(()) if guard is None else guard.inherited() as inherited:
        child = start(command, arguments, limits=limits, environment=environment, inherited=inherited)
    process = Process(child, guard)
    on_start(process)
    sink = _ProgressSink(on_progress, log, secrets)
    returncode = process.read_until_exit(sink, limits.time)
    sink.close()
    stderr = sink.stderr_tail.text()
    if returncode == 0:
        return Exit(0, stderr)
    reason = exceeded(limits, returncode, stderr, timed_out=process.timed_out)
    if returncode is None:
        return Exit(NO_EXIT_STATUS, stderr, reason or STATUS_LOST)
    return Exit(returncode, stderr, reason)


class _ProgressSink:
    """Parses and paces stdout, keeps the end of stderr, and logs a program's bad lines once."""

    def __init__(self, on_progress: Callable[[Progress], None], log: Log, secrets: Collection[str]) -> None:
        self._on_progress = on_progress
        self._log = log
        self._secrets = secrets
        self._parser = OutputParser(self._count_bad_line)
        self._conflater: Conflater[Progress] = Conflater(GAP_SECONDS)
        self._n_bad_lines = 0
        self.stderr_tail = Tail(secrets=secrets)
        self.stderr = self.stderr_tail.feed

    def stdout(self, data: bytes) -> None:
        progress = self._parser.feed(data)
        if progress is not None:
            self._conflater.put(progress)

    def pace(self, now: float) -> float | None:
        for progress in self._conflater.take(now):
            self._on_progress(progress)
        return self._conflater.timeout(now)

    def close(self) -> None:
        progress = self._parser.finish()
        if progress is not None:
            self._conflater.put(progress)
        for progress in self._conflater.flush():
            self._on_progress(progress)
        if self._n_bad_lines > 1:
            self._log.warning("invalid program: %d lines of its stdout did not look like progress", self._n_bad_lines)

    def _count_bad_line(self, line: bytes) -> None:
        self._n_bad_lines += 1
        if self._n_bad_lines == 1:
            text = without_secrets(
                line.decode("utf-8", errors="replace"), self._secrets, is_cut_after=len(line) > MAX_LINE_BYTES
            )
            self._log.warning("invalid program: stdout must look like '0.25\\tmessage'; got %r", text[:_SHOWN])
            hint = right_form(line)
            if hint is not None:
                self._log.warning("invalid program: %s", hint.text)
