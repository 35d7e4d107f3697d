"""A scripted program does what its steps say, and waits where it is told to."""

from collections.abc import Callable
from pathlib import Path

import pytest

from workqueue import WorkQueue
from workqueue.program.run import run_program
from workqueue.testing import (
    ScriptedProgram,
    collect,
    exit_with,
    output,
    print_bytes,
    print_error,
    say,
    wait,
)

MakeQueue = Callable[..., WorkQueue]


def test_the_steps_are_taken_in_order_until_the_exit(tmp_path: Path) -> None:
    program = ScriptedProgram(
        tmp_path / "a directory with blanks",
        say(0.5, "é"),
        print_bytes(b"0.75\t\xff\n"),
        print_error("bad: é\n"),
        output(b"\x00\xff"),
        output(b"\x01\xfe"),
        exit_with(3),
        print_error("never"),
    )
    told: list[tuple[float, str | None]] = []
    file = tmp_path / "output"
    end = run_program(
        (str(program.path),), ["a", str(file)], lambda progress: told.append((progress.fraction, progress.message))
    )
    assert end == (3, "bad: é\n", None)
    assert told[-1] == (0.75, "\N{REPLACEMENT CHARACTER}")
    assert file.read_bytes() == b"\x01\xfe"


def test_a_program_whose_steps_run_out_exits_with_0(tmp_path: Path) -> None:
    assert run_program((str(ScriptedProgram(tmp_path / "program").path),), ["out"], lambda _: None) == (0, "", None)


def test_the_runs_are_known_by_their_arguments(tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program")
    assert program.runs == []
    for arguments in (["a", "é\n", "out"], ["b", "out"]):
        run_program((str(program.path),), arguments, lambda _: None)
    assert program.runs == [["a", "é\n", "out"], ["b", "out"]]


def test_a_run_waits_until_it_is_released(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", wait("a"), say(0.5), wait("b"), output(b"x"))
    job = make_queue(program.path).ensure_run(("a",))
    assert job is not None
    program.wait_reached("a")
    with pytest.raises(TimeoutError, match=r"no run came to wait\('b'\) within 0.01 seconds; runs so far: 1"):
        program.wait_reached("b", timeout=0.01)
    program.release("a")
    program.wait_reached("b")
    program.release("b")
    assert collect(job)[-1].returncode == 0


def test_a_release_may_come_first_and_for_many(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", wait("a"), wait("a"), output(b"x"))
    program.release("a", times=4)
    queue = make_queue(program.path)
    jobs = [queue.ensure_run((name,)) for name in "xy"]
    assert [job.wait(10).returncode for job in jobs if job is not None] == [0, 0]
    for _ in range(4):
        program.wait_reached("a")
    with pytest.raises(TimeoutError):
        program.wait_reached("a", timeout=0.0)


def test_a_wait_that_no_step_makes_is_an_error(tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", wait("a"))
    with pytest.raises(LookupError, match=r"no step of this program makes the pipe b\.reached"):
        program.wait_reached("b")
    with pytest.raises(LookupError, match=r"no step of this program makes the pipe b\.release"):
        program.release("b")


def test_a_run_that_waits_goes_on_when_the_program_is_closed(make_queue: MakeQueue, tmp_path: Path) -> None:
    with ScriptedProgram(tmp_path / "program", wait("a"), output(b"x")) as program:
        job = make_queue(program.path).ensure_run(("a",))
        assert job is not None
        program.wait_reached("a")
    program.close()
    assert job.wait(10).returncode == 0


def test_a_run_that_comes_to_a_wait_after_the_program_was_closed_passes_it(
    make_queue: MakeQueue, tmp_path: Path
) -> None:
    with ScriptedProgram(tmp_path / "program", wait("a"), output(b"x")) as program:
        queue = make_queue(program.path)
    job = queue.ensure_run(("a",))
    assert job is not None
    assert job.wait(10).returncode == 0
