"""Programs below servers of all kinds: each a real process that is so, from its first line on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program.hostile import CONDITIONS
from workqueue.progress import NO_EXIT_STATUS

ROOT = Path(__file__).parent.parent.parent

#: The ordinary tests of how programs are started, read and limited.
ORDINARY = [f"tests/program/test_{name}.py" for name in ("start", "process", "run", "limits", "spawn")]

#: What needs more than such a process can have.
TOO_MUCH = {"64 descriptors": ["tests/program/test_run.py::test_many_programs_run_side_by_side"]}

#: What a server is that runs one job and tells how its program found itself, and how the job ended.
SERVER = """
import sys
from pathlib import Path
from workqueue import WorkQueue
from workqueue.streams import to_generator
directory = Path(sys.argv[1])
queue = WorkQueue(directory / "program.py", storage_dir=directory / "results")
with (directory / "events").open("w", encoding="utf-8") as events:
    for told in to_generator(queue.ensure_run(("a",)).progress, buffer=100):
        print(told.returncode, told.message, told.error, sep="\\t", file=events)
queue.close()
"""

#: What a program says of what it has: signals blocked and ignored, its session's leader, a terminal, its descriptors.
PROGRAM = """
import os, signal, sys
status = dict(line.split(":\\t") for line in open("/proc/self/status") if ":\\t" in line)
ours = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1  # what Python ignores itself
ours |= 1 << 31 | 1 << 32  # what the C library keeps to itself
try:
    os.open("/dev/tty", os.O_RDWR)
    terminal = "a terminal"
except OSError:
    terminal = "none"
print(
    0.5,
    f"blocked {int(status['SigBlk'], 16)}, ignored {int(status['SigIgn'], 16) & ~ours}, terminal {terminal},"
    f" session {os.getsid(0) == os.getpid()}, stdin {os.readlink('/proc/self/fd/0')}, nice {os.nice(0)}",
    sep="\\t",
)
open(sys.argv[-1], "w").write("built")
"""


def below(condition: str, *command: str, timeout: float = 300.0) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process that is so."""
    return subprocess.run(
        [sys.executable, "-m", "tests.program.hostile", condition, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        check=False,
        timeout=timeout,
        # What is being tested must not be measured twice, nor be told to fail for what is missing here.
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_"))},
            "WORKQUEUE_TEST_HOSTILE": condition,
        },
    )


#: Where no program's status is known, or pytest itself has nothing to write to; other tests are about these.
NOT_ORDINARY = {"SIGCHLD ignored", "no stdin, no stderr"}


@pytest.mark.parametrize("condition", [name for name in CONDITIONS if name not in NOT_ORDINARY])
def test_the_ordinary_tests_pass_below(condition: str, tmp_path: Path) -> None:
    done = below(
        condition,
        *(sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"),
        *(f"--basetemp={tmp_path / 'inner'}", *(f"--deselect={name}" for name in TOO_MUCH.get(condition, ()))),
        *ORDINARY,
    )
    assert done.returncode == 0, done.stdout


def ends_below(condition: str, directory: Path) -> list[list[str]]:
    """What was told of one job below a server that is so."""
    done = below(condition, sys.executable, "-c", SERVER, str(directory))
    assert done.returncode == 0, done.stdout
    lines = (directory / "events").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if "\t" in line]


def make_program(directory: Path) -> None:
    (directory / "program.py").write_text(PROGRAM)
    (directory / "program.py").chmod(0o644)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what the program has")
@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_program_has_nothing_of_its_server(condition: str, tmp_path: Path) -> None:
    make_program(tmp_path)
    *_, (_, said, _), (returncode, _, error) = ends_below(condition, tmp_path)
    nice = os.nice(0) + 5 * (condition == "nice")
    assert said == f"blocked 0, ignored 0, terminal none, session True, stdin /dev/null, nice {min(nice, 19)}"
    if condition == "SIGCHLD ignored":
        assert (returncode, error[:26]) == (str(NO_EXIT_STATUS), "Its exit status was lost, ")
        assert list((tmp_path / "results").glob("?" * 40)) == []
    else:
        assert (returncode, error) == ("0", "None")
