"""nursery: a process that has imported what the tests need, and forks a child for each run of pytest.

Most runs end with the first test, so that without it they would be imports: pytest, its plugins, and what tests use
take two seconds. The code that is changed, and the tests, are imported by the child alone.

It reads a line of JSON for each run, and answers with one. Where it may, it is the first process of a namespace of its
own: what the changed code leaves behind, or kills, is in there too, and gone before the next run.
"""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple, Self

import pytest

#: What tests import that is neither ours nor the tests'; but no plugin of pytest's, which it wants to import itself.
_IMPORTED_FIRST = ("asyncio", "coverage", "hypothesis", "obstore", "reactivex", "unittest.mock")

#: Named one by one: those that other packages bring would be imported for nothing.
PLUGINS = ("-p", "pytest_mock", "-p", "_hypothesis_pytestplugin")


class Run(NamedTuple):
    """How one run of pytest ended."""

    #: pytest's exit status; None: it took too long.
    status: int | None
    #: The seconds that each test took, by its name; those that failed have not a number, but None.
    tests: dict[str, float | None]

    @property
    def failed(self) -> list[str]:
        """The tests that failed."""
        return [name for name, seconds in self.tests.items() if seconds is None]


class Nursery:
    """Runs pytest in `directory`, with the package that is there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        own_pids = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
        try:
            subprocess.run([*own_pids, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            own_pids = []  # not Linux, or not root
        self._process = subprocess.Popen(
            [*own_pids, sys.executable, "-m", "tests.mutants.nursery"],
            cwd=self._directory,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *args: object) -> None:
        if self._process is not None:
            self._process.communicate()

    def _environment(self) -> dict[str, str]:
        # Bytecode saves a second a run.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, "PYTHONPATH": str(self._directory), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

    def run(self, arguments: Sequence[str], seconds: float, log: Path) -> Run:
        """Run pytest.

        Args:
            arguments: pytest's.
            seconds: how long it may take.
            log: where its output goes.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([list(arguments), seconds, str(log)]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process that runs pytest has ended with status {self._process.wait()}; see {log}")
        return Run(*json.loads(answer))


class _Recorder:
    """A plugin of pytest: how long each test took, written down as soon as it has ended."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._seconds: dict[str, float | None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        so_far = self._seconds.get(report.nodeid, 0.0)
        seconds = None if report.failed or so_far is None else so_far + report.duration
        self._seconds[report.nodeid] = seconds
        if report.failed or report.when == "teardown":
            print(json.dumps([report.nodeid, seconds]), file=self._file, flush=True)


def main() -> None:
    """Serve until standard input ends."""
    for name in _IMPORTED_FIRST:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    for line in iter(sys.stdin.readline, ""):
        arguments, seconds, log = json.loads(line)
        record = Path(f"{log}.tests")
        record.unlink(missing_ok=True)
        status = _run(arguments, seconds, Path(log), record)
        tests = dict(map(json.loads, record.read_text().splitlines())) if record.exists() else {}
        print(json.dumps([status, tests]), file=answers, flush=True)


def _run(arguments: list[str], seconds: float, log: Path, record: Path) -> int | None:
    child = os.fork()
    if child == 0:
        _be_pytest(arguments, log, record)
    deadline = time.monotonic() + seconds
    status = None
    while status is None and time.monotonic() < deadline:
        # What a test's programs left is handed to the first process of the namespace, which is this one.
        with contextlib.suppress(ChildProcessError):
            pid, code = os.waitpid(-1, os.WNOHANG)
            if pid == child:
                status = os.waitstatus_to_exitcode(code)
            elif pid == 0:
                time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        if os.getpid() == 1:
            os.kill(-1, signal.SIGKILL)
        else:
            os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while os.getpid() == 1 or status is None:
            pid, _ = os.waitpid(-1, 0)
            if pid == child and os.getpid() != 1:
                break
    return status


def _be_pytest(arguments: list[str], log: Path, record: Path) -> None:
    status = 3  # pytest's, for an error of its own
    try:
        os.setsid()
        for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)):
            fd = os.open(log if number else os.devnull, flags, 0o600)
            os.dup2(fd, number)
            os.close(fd)
        os.dup2(1, 2)
        with record.open("w") as file:
            status = int(pytest.main([*PLUGINS, *arguments], plugins=[_Recorder(file)]))
    except BaseException:  # noqa: BLE001 - the child of a fork goes no further than this
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
