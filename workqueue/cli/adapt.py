"""Run a command that shows its progress in its own way, and print it as a queue's programs do.

COMMAND has stdin, and prints what it likes: what tells its progress, on stdout or on stderr, becomes lines such as
0.25<TAB>message on stdout, and all the rest goes to stderr. It gets the signals that are sent to this process, and the
exit status is its own; killed by a signal, this process ends by that signal. 126 and 127: it cannot be started.

  tqdm     bars of Python's tqdm; one below another refines that one's current item
  percent  42% or 42.5%, 3/12 or 3 of 12, in lines or bars: rsync, wget, git, ninja
  ffmpeg   its time=... against the longest Duration; -progress too, and -nostats or not

A program for a queue may be three lines of shell:

  #!/bin/sh
  for output; do :; done
  exec workqueue adapt ffmpeg -- ffmpeg -y -i "$1" -f mp4 "$output"

More examples:

  workqueue adapt tqdm -- python3 train.py model.bin
  workqueue adapt percent -- rsync -a --info=progress2 host:data/ data/
  workqueue adapt percent -- sh -c 'wget -O "$0" https://example.com/ 2>&1' page.html
"""

import argparse
import errno
import os
import sys
from typing import Final

from workqueue.cli.adapters import ADAPTERS, Adapter
from workqueue.cli.redraws import Redraws
from workqueue.errors import ProgramError
from workqueue.program.adapted import Adapted, end_like
from workqueue.progress import Progress
from workqueue.streams.conflate import Conflater

#: Seconds between two lines, as in `workqueue.builder`.
_GAP_SECONDS: Final = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("format", metavar="FORMAT", choices=ADAPTERS, help=f"what it prints: {', '.join(ADAPTERS)}")
    parser.add_argument(
        "command", metavar="COMMAND", nargs="+", help="the command, behind a double dash, and its arguments"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit status, or end by the signal that ended it."""
    sink = ProgressSink(ADAPTERS[options.format]())
    try:
        returncode = Adapted(options.command).run(sink)
    except ProgramError as err:
        print(f"workqueue: {err}", file=sys.stderr)
        return 127 if isinstance(err.__cause__, OSError) and err.__cause__.errno == errno.ENOENT else 126
    sink.close(has_failed=returncode != 0)
    return end_like(returncode)


class ProgressSink:
    """Takes what a command prints: progress goes to descriptor 1, paced, and the rest to descriptor 2.

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
        """Print what is due; return the seconds until something is."""
        for progress in self._conflater.take(now):
            self._print(progress)
        return self._conflater.timeout(now)

    def close(self, *, has_failed: bool) -> None:
        """Print all that was held back.

        Args:
            has_failed: tell the last line that was taken for progress as it was, too: it may say why.
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
        # Of what a terminal acts upon nothing is left; what a line must not hold goes, too.
        message = "".join(c if c.isprintable() else " " for c in progress.message or "").strip()
        _write(1, f"{round(progress.fraction, 4)}\t{message}\n".encode())


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
