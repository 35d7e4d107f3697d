"""What a program prints: the lines of a real one, or those of this process on a clock that the test moves."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workqueue.builder import bars, loops, stdout
from workqueue.builder.spans import current

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs some lines of Python as a program."""

    def run(text: str, *arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
        program = tmp_path / "build.py"
        program.write_text(text)
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.run([sys.executable, program, *arguments], text=True, check=False, timeout=60, **options)  # type: ignore[call-overload, no-any-return]

    return run


class Printed:
    """The lines of this process; each look at the clock moves it by `step` seconds."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        self.stdout = stdout.Stdout(self._writer)
        self.now = 0.0
        self.step = 1.0

    def clock(self) -> float:
        self.now += self.step
        return self.now

    @property
    def lines(self) -> list[str]:
        """What was printed since the last look."""
        try:
            return os.read(self._reader, 1 << 16).decode().splitlines()
        except BlockingIOError:
            return []

    def stop_reading(self) -> None:
        os.close(self._reader)
        self._reader = os.open(os.devnull, os.O_RDONLY)

    def close(self) -> None:
        for fd in (self._reader, self._writer, self.stdout._fds[0]):
            os.close(fd)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Printed]:
    printed = Printed()
    monkeypatch.setattr(stdout, "monotonic", printed.clock)
    for module in (bars, loops):
        monkeypatch.setattr(module, "STDOUT", printed.stdout)
    whole = current()
    assert whole.around is None
    yield printed
    assert current() is whole, "something did not leave its span"
    whole.taken = 0.0
    printed.close()
