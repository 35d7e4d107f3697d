"""A process that ends: by itself, and by a signal. Each test runs one, with real programs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workqueue.testing import ScriptedProgram, output, say, wait

_FALLS_OFF = r"""
import os, sys
from concurrent.futures import ThreadPoolExecutor
from workqueue import WorkQueue
queue = WorkQueue(sys.argv[1], ThreadPoolExecutor(1), sys.argv[2])
for i in range(3):
    job = queue.ensure_run((str(i),))
    job.progress.subscribe(lambda progress, i=i: os.write(1, f"{i} {progress.returncode}\n".encode()))
print("falls off", flush=True)
"""

_SERVES = r"""
import os, sys, signal
from workqueue import WorkQueue
queue = WorkQueue(sys.argv[1], storage_dir=sys.argv[2], max_running=1)
queue.handle_signals(drain=float(sys.argv[3]))
jobs = [queue.ensure_run((str(i),)) for i in range(3)]
for i, job in enumerate(jobs):
    job.progress.subscribe(lambda progress, i=i: os.write(1, f"{i} {progress.returncode}\n".encode()))
print("serves", flush=True)
try:
    while True:
        signal.pause()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.fixture
def program(tmp_path: Path) -> ScriptedProgram:
    """Says 0.5, waits at "gate", builds."""
    return ScriptedProgram(tmp_path / "program", say(0.5), wait("gate"), output(b"built"))


def start(script: str, program: ScriptedProgram, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, str(program.path), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error,ignore::DeprecationWarning"},
    )


def ends(text: str) -> dict[str, str]:
    """Job -> its returncode."""
    lines = (line.split(" ", 2) for line in text.splitlines() if line[:1].isdigit())
    return {words[0]: words[1].strip() for words in lines if words[1].strip() != "None"}


def test_an_interpreter_that_ends_waits_for_what_runs_and_not_for_what_waits(
    program: ScriptedProgram, tmp_path: Path
) -> None:
    with start(_FALLS_OFF, program, str(tmp_path / "storage")) as process:
        program.wait_reached("gate")
        assert process.stdout is not None
        seen = ""
        while len(ends(seen)) < 2:
            line = process.stdout.readline()
            assert line
            seen += line
        program.release("gate")
        seen += process.communicate(timeout=20)[0]
    assert process.returncode == 0
    assert ends(seen) == {"0": "0", "1": "-999", "2": "-999"}
    assert len(program.runs) == 1


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_first_and_then_does_what_it_does(
    program: ScriptedProgram, tmp_path: Path, signum: signal.Signals
) -> None:
    with start(_SERVES, program, str(tmp_path / "storage"), "60") as process:
        program.wait_reached("gate")
        assert process.stdout is not None
        seen = ""
        while "serves" not in seen:
            seen += process.stdout.readline()
        process.send_signal(signum)
        while len(ends(seen)) < 2:
            seen += process.stdout.readline()
        program.release("gate")  # within its drain time
        seen += process.communicate(timeout=20)[0]
    assert ends(seen) == {"0": "0", "1": "-999", "2": "-999"}
    if signum is signal.SIGTERM:
        assert process.returncode == -signal.SIGTERM
    else:
        assert (process.returncode, seen.splitlines()[-1]) == (0, "interrupted")


def test_a_second_signal_is_in_a_hurry(program: ScriptedProgram, tmp_path: Path) -> None:
    with start(_SERVES, program, str(tmp_path / "storage"), "3600") as process:
        program.wait_reached("gate")
        assert process.stdout is not None
        seen = ""
        while "serves" not in seen:
            seen += process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        while len(ends(seen)) < 2:
            seen += process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        seen += process.communicate(timeout=20)[0]
    assert process.returncode == -signal.SIGTERM
    assert ends(seen) == {"0": "-15", "1": "-999", "2": "-999"}
    assert list((tmp_path / "storage" / ".tmp").iterdir()) == []


_FORKS = r"""
import os, sys
from workqueue import WorkQueue
queue = WorkQueue(sys.argv[1], storage_dir=sys.argv[2])
job = queue.ensure_run(("a",))
pid = os.fork()
if pid == 0:
    sys.exit(7)  # as an interpreter ends, not with os._exit
print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
job.wait()
"""


def test_a_forked_child_ends_without_waiting_for_its_parents_jobs(program: ScriptedProgram, tmp_path: Path) -> None:
    with start(_FORKS, program, str(tmp_path / "storage")) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "child 7\n"
        program.release("gate")
        process.communicate(timeout=20)
    assert process.returncode == 0
