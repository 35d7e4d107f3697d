"""What a program may use: each limit is kept, and named when it is exceeded. With real programs."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue import Limits, WorkQueue
from workqueue.errors import ProgramError
from workqueue.program.command import command_of
from workqueue.program.environment import make_environment
from workqueue.program.limits import check_limits, exceeded, strictest
from workqueue.program.run import Exit, run_program
from workqueue.program.start import start

MB = 1024 * 1024


def run(tmp_path: Path, limits: Limits, shell: str) -> Exit:
    program = write_program(tmp_path / "program", shell)
    return run_program(command_of(program), [str(tmp_path / "out")], lambda _: None, limits=limits)


def python(code: str) -> str:
    return f"exec '{sys.executable}' -I -S -c '{code}' \"$output\""


def test_a_program_without_limits_is_itself(tmp_path: Path) -> None:
    assert run(tmp_path, Limits(), "exit 0") == Exit(0, "", None)


def test_a_program_keeps_its_arguments_and_its_environment(tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", 'echo "$# $1 $PYTHONPATH $PYTHONUNBUFFERED" >&2')
    limits, env = Limits(cpu=60, niceness=3), {"PYTHONPATH": "/none"}
    end = run_program(
        command_of(program), ["a b", "c"], lambda _: None, limits=limits, environment=make_environment(env)
    )
    assert end == Exit(0, "2 a b /none 1\n", None)


def test_all_of_them_are_set(tmp_path: Path) -> None:
    limits = Limits(memory=900 * MB, cpu=50, file_size=7 * MB, niceness=4)
    code = (
        "import os, resource as r, sys;"
        "print(r.getrlimit(r.RLIMIT_AS), r.getrlimit(r.RLIMIT_CPU), r.getrlimit(r.RLIMIT_FSIZE), os.nice(0),"
        " os.getpgid(0) == os.getpid(), file=sys.stderr)"
    )
    expected = f"{(900 * MB, 900 * MB)} (50, 51) {(7 * MB, 7 * MB)} {min(19, os.nice(0) + 4)} True\n"
    assert run(tmp_path, limits, python(code)) == Exit(0, expected, None)


def test_a_limit_may_be_as_large_as_numbers_are(tmp_path: Path) -> None:
    most = 2**63 - 2
    assert run(tmp_path, Limits(time=1e300, memory=most, cpu=most, file_size=most), "exit 0") == Exit(0, "", None)


def test_too_long(tmp_path: Path) -> None:
    end = run(tmp_path, Limits(time=0.2), "exec sleep 1000")
    assert end == Exit(-signal.SIGTERM, "", "It ran longer than its time limit of 0.2 seconds.")


def test_too_much_cpu(tmp_path: Path) -> None:
    end = run(tmp_path, Limits(cpu=1), "while :; do :; done")
    assert end == Exit(-signal.SIGXCPU, "", "It used more than its limit of 1 CPU seconds.")


def test_too_large_a_file(tmp_path: Path) -> None:
    end = run(tmp_path, Limits(file_size=MB), f"exec head -c {2 * MB} /dev/zero >$output")
    assert end.explanation == f"It wrote a file larger than its limit of {MB} bytes."
    assert (tmp_path / "out").stat().st_size <= MB


def test_too_large_a_file_for_a_program_that_ignores_the_signal(tmp_path: Path) -> None:
    code = 'import sys; open(sys.argv[1], "wb", 0).write(bytes(1 << 20)); open(sys.argv[1], "ab", 0).write(b"more")'
    end = run(tmp_path, Limits(file_size=MB), python(code))
    assert end.explanation == f"It may have failed because it wrote a file larger than its limit of {MB} bytes."


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit a program's memory")
def test_too_much_memory(tmp_path: Path) -> None:
    end = run(tmp_path, Limits(memory=200 * MB), python("bytes(1 << 30)"))
    assert end.returncode == 1
    assert end.explanation == f"It may have failed because it needed more than its limit of {200 * MB} bytes of memory."


def test_a_failure_within_its_limits_is_its_own(tmp_path: Path) -> None:
    limits = Limits(time=60.0, memory=900 * MB, cpu=60, file_size=100 * MB, niceness=1)
    assert run(tmp_path, limits, "echo no such set >&2; exit 3") == Exit(3, "no such set\n", None)


def test_a_limited_program_ignores_no_signal(tmp_path: Path) -> None:
    """A Python ignores two, and what it becomes would go on ignoring them."""
    shell = "grep SigIgn /proc/self/status >&2 || echo 'SigIgn:\t0' >&2"
    limited, free = (run(tmp_path, limits, shell) for limits in (Limits(niceness=1), Limits()))
    assert limited == free


def test_what_there_was_no_limit_for_is_not_blamed_on_one() -> None:
    for returncode in (-signal.SIGXCPU, -signal.SIGXFSZ, -signal.SIGSEGV, -signal.SIGKILL):
        assert exceeded(Limits(), returncode, "MemoryError: File too large", timed_out=False) is None


def test_a_limit_above_one_that_is_kept_already_is_that_one(tmp_path: Path) -> None:
    """Only the hard one cannot be passed; it cannot be lowered here for a test, and raised again."""
    code = "import resource as r, sys; print(r.getrlimit(r.RLIMIT_FSIZE), file=sys.stderr)"
    inner = Limits(file_size=MB)
    program = write_program(tmp_path / "inner", python(code))
    outer = write_program(
        tmp_path / "outer",
        f"ulimit -f 1024; exec '{sys.executable}' -c 'from pathlib import Path;"
        f" from workqueue.program.limits import Limits; from workqueue.program.run import run_program; import sys;"
        f' end = run_program(("{program}",), ["a"], print, limits=Limits(file_size={1 << 40}));'
        f" print(end.stderr, file=sys.stderr)'",
    )
    end = run_program(
        command_of(outer), ["a"], lambda _: None, environment=make_environment({"PYTHONPATH": ":".join(sys.path)})
    )
    lowered = int(end.stderr.strip("() \n").split(", ")[0])
    assert inner.file_size is not None
    assert 512 * 1024 <= lowered <= inner.file_size


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        (None, 0o755, "there is no such file"),
        ("#!/bin/sh\n", 0o644, "it is not executable"),
        ("echo no\n", 0o755, "it neither begins with '#!'"),
        ("#!/no/such/interpreter\n", 0o755, "its first line names the interpreter /no/such/interpreter"),
    ],
)
def test_a_program_that_cannot_start_says_why_as_it_does_without_limits(
    tmp_path: Path, text: str | None, mode: int, reason: str
) -> None:
    program = tmp_path / "program"
    if text is not None:
        program.write_text(text)
        program.chmod(mode)
    told = []
    for limits in (Limits(), Limits(niceness=1)):
        with pytest.raises(ProgramError) as caught:
            start(command_of(program), ["a"], limits=limits)
        told.append(str(caught.value))
    assert told[0] == told[1]
    assert reason in told[0]


@pytest.mark.parametrize(("name", "limits"), [("program", Limits(niceness=1)), ("build.py", Limits())])
def test_without_a_python_the_program_is_not_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limits: Limits
) -> None:
    """In a frozen application, which cannot run as Python itself, where there is no other."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    program = write_program(tmp_path / name, "exit 0")
    program.chmod(0o755 if name == "program" else 0o644)
    with pytest.raises(ProgramError) as caught:
        start(command_of(program), ["a"], limits=limits)
    assert str(caught.value) == (
        f"Cannot start the program {program}: there is no Python interpreter on PATH; install python3"
    )


@pytest.mark.parametrize(
    "limits",
    [
        Limits(time=0),
        Limits(time=float("inf")),
        Limits(memory=0),
        Limits(memory=1.5),  # type: ignore[arg-type]
        Limits(cpu=True),
        Limits(file_size=-1),
        Limits(memory=2**63 - 1),
        Limits(niceness=20),
        Limits(niceness=-1),
    ],
)
def test_what_is_no_limit_is_refused(limits: Limits) -> None:
    with pytest.raises(ValueError, match="limit"):
        check_limits(limits)


def test_a_job_names_the_limit_that_ended_it(tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", "echo dreaming >&2; exec sleep 1000")
    with WorkQueue(program, storage_dir=tmp_path / "storage", time_limit=0.2) as queue:
        job = queue.ensure_run(("a",))
        assert job is not None
        assert job.wait(10).error == "It ran longer than its time limit of 0.2 seconds.\nstderr:\ndreaming\n"


def test_two_time_limits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"one of time_limit and limits\.time"):
        WorkQueue("program", storage_dir=tmp_path, time_limit=1.0, limits=Limits(time=1.0))


def test_of_two_limits_the_stricter_one_counts() -> None:
    one = Limits(time=3.0, memory=900, cpu=None, file_size=7, niceness=4)
    other = Limits(time=5.0, memory=300, cpu=50, file_size=None, niceness=10)
    both = Limits(time=3.0, memory=300, cpu=50, file_size=7, niceness=10)
    assert strictest(one, other) == strictest(other, one) == both
    assert strictest(one, Limits()) == strictest(Limits(), one) == one
    assert strictest(Limits(niceness=0), Limits()) == Limits(niceness=0)
