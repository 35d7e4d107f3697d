"""Run a command that shows progress in its own way, and print lines of progress for a queue.

COMMAND is run as it is, with the same stdin. What it prints of its progress, on stdout or stderr, becomes lines such as
0.25<TAB>message on stdout. All else that it prints goes to stderr. Signals that this process gets are passed on. The
exit status is the status of COMMAND; if a signal ends COMMAND, the same signal ends this process.

FORMAT is one of

  tqdm     bars of Python's tqdm; one below another refines its current item
  percent  42%, 42.5%, 3/12 or 3 of 12, in lines or bars: rsync, wget, git
  ffmpeg   its time=... and Duration, with or without -progress, -nostats

Three lines of shell make a program for a queue:

  #!/bin/sh
  for output; do :; done
  exec workqueue adapt ffmpeg -- ffmpeg -y -i "$1" -f mp4 "$output"

Examples:
  workqueue adapt tqdm -- python3 train.py model.bin
  workqueue adapt percent -- rsync -a --info=progress2 host:data/ data/
  workqueue adapt percent -- sh -c 'wget -O "$0" "$1" 2>&1' page.html URL
"""

import argparse
import errno
import os
import sys
from typing import Final

from workqueue.cli.adapters import ADAPTERS, Adapter
from workqueue.cli.exit_statuses import CANNOT_EXECUTE, NOT_FOUND
from workqueue.cli.redraws import Redraws
from workqueue.errors import ProgramError
from workqueue.program.adapted import Adapted, end_like
from workqueue.progress import Progress
from workqueue.streams.conflate import Conflater

#: Seconds between two lines, as in `workqueue.builder`.
_GAP_SECONDS: Final = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.usage = "%(prog)s [-h] FORMAT -- COMMAND [ARG ...]"
    parser.add_argument(
        "format", metavar="FORMAT", choices=tuple(ADAPTERS), help=f"how it shows progress: {', '.join(ADAPTERS)}"
    )
    parser.add_argument(
        "command", metavar="COMMAND", nargs="+", help="the command and its arguments, after a double dash"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit status, or end by the signal that ended it."""
    sink = ProgressSink(ADAPTERS[options.format]())
    try:
        returncode = Adapted(options.command).run(sink)
    except ProgramError as err:
        print(f"workqueue: {err}", file=sys.stderr)
        is_missing = isinstance(err.__cause__, OSError) and err.__cause__.errno == errno.ENOENT
        return NOT_FOUND if is_missing else CANNOT_EXECUTE
    sink.close(has_failed=returncode != 0)
    return end_like(returncode)


class ProgressSink:
    """Takes what a command prints. Progress goes to descriptor 1, paced; the rest goes to descriptor 2.

    Args:
        adapter: reads both streams.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._stdout = Redraws(adapter)
        self._stderr = Redraws(adapter)
        self._conflater: Conflater[Progress] = Conflater(_GAP_SECONDS)
        self._last_line = b""
        self._printed: Progress | None = None

    def stdout(self, data: bytes) -> None:
        """Take the next bytes of stdout."""
        self._put(self._stdout, *self._stdout.feed(data))

    def stderr(self, data: bytes) -> None:
        """Take the next bytes of stderr."""
        self._put(self._stderr, *self._stderr.feed(data))

    def pace(self, now: float) -> float | None:
        """Print what is due; return the seconds until more is due."""
        for progress in self._conflater.take(now):
            self._print(progress)
        return self._conflater.timeout(now)

    def close(self, *, has_failed: bool) -> None:
        """Print all that was held back.

        Args:
            has_failed: print the last line that was taken for progress once more, as it was: it may say why.
        """
        for stream in (self._stdout, self._stderr):
            self._put(stream, *stream.close())
        for progress in self._conflater.flush():
            self._print(progress)
        if has_failed and self._last_line:
            _write(2, self._last_line + b"\n")

    def _put(self, stream: Redraws, progress: Progress | None, rest: bytes) -> None:
        if progress is not None:
            self._conflater.put(progress)
            self._last_line = stream.last_line
        _write(2, rest)

    def _print(self, progress: Progress) -> None:
        # A bar is read once when it has been drawn, and once when its line ends.
        if progress == self._printed:
            return
        self._printed = progress
        # Nothing is left that a terminal acts upon, or that a line must not hold.
        message = "".join(c if c.isprintable() else " " for c in progress.message or "").strip()
        _write(1, f"{round(progress.fraction, 4)}\t{message}\n".encode())


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
