"""A program run through a whole queue: whatever it does, its clients are told, and nothing and nobody else suffers."""

import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import write_program
from tests.program.ordeal import Ordeal, wait_for
from tests.program.test_process import is_gone
from workqueue import Progress, WorkQueue
from workqueue.program.command import command_of
from workqueue.program.run import run_program
from workqueue.program.tail import MAX_TAIL_BYTES
from workqueue.testing import ScriptedProgram, collect, exit_with, output, print_bytes, say, wait

MakeQueue = Callable[..., WorkQueue]


def build(queue: WorkQueue, *arguments: str) -> list[Progress]:
    """The events of a job that succeeds."""
    job = queue.ensure_run(arguments)
    assert job is not None
    events = collect(job)
    assert events[-1] == Progress(fraction=1.0, returncode=0)
    assert job.n_watchers == 0
    assert queue.ensure_run(arguments) is None
    return events


def python(code: str) -> str:
    """Shell that runs some Python."""
    return f"exec '{sys.executable}' -I -S - \"$@\" <<'END'\nimport os, sys\n{code}\nEND"


def test_the_arguments_are_the_fields_and_then_the_output_file(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    queue = make_queue(program.path)
    build(queue, "a b", "", "c'\"$(d)\n", "-é")
    [[*arguments, file]] = program.runs
    assert arguments == ["a b", "", "c'\"$(d)\n", "-é"]
    assert Path(file).parent.parent == queue.storage_dir / ".tmp"


def test_the_output_is_there_empty_private_and_the_groups_own(make_queue: MakeQueue, tmp_path: Path) -> None:
    text = """
    printf '0.5\\t%s %s %s %s\\n' "$(stat -c '%a %s' "$output")" "$(stat -c %a "$(dirname "$output")")" \\
        "$(cut -d ' ' -f 5 /proc/$$/stat)" "$(readlink /proc/$$/fd/0)"
    echo built > "$output"
    """
    events = build(make_queue(write_program(tmp_path / "program", text)), "a")
    mode, size, directory_mode, group, stdin = (events[-2].message or "").split()
    assert (mode, size, directory_mode) == ("600", "0", "700")
    assert int(group) != os.getpgrp()
    assert stdin == "/dev/null"


def test_a_programs_output_is_seen_while_it_runs(make_queue: MakeQueue, tmp_path: Path) -> None:
    """A Python program that flushes nothing is seen all the same, as PYTHONUNBUFFERED is set."""
    os.mkfifo(tmp_path / "gate")
    text = f"""
    exec '{sys.executable}' -S -c '
import sys
print("0.5\\thalf")
open(sys.argv[1]).read()
open(sys.argv[2], "w").write("built")
' "{tmp_path}/gate" "$output"
    """
    job = make_queue(write_program(tmp_path / "program", text)).ensure_run(("a",))
    assert job is not None
    assert wait_for(job, lambda progress: progress.fraction == 0.5).message == "half"
    (tmp_path / "gate").write_bytes(b"")
    assert job.wait(10).returncode == 0


def test_the_first_progress_comes_at_once_and_the_last_always(make_queue: MakeQueue, tmp_path: Path) -> None:
    """Of a burst of a thousand lines few become events, the last line among them."""
    lines = b"".join(b"%f\t%d\n" % (i / 1000, i) for i in range(1000))
    program = ScriptedProgram(
        tmp_path / "program", say(0.0, "first"), wait("seen"), print_bytes(lines), output(b"built")
    )
    job = make_queue(program.path).ensure_run(("a",))
    assert job is not None
    wait_for(job, lambda progress: progress.message == "first")
    program.release("seen")
    events = collect(job)
    assert events[0] == Progress()
    assert events[1].message == "first"
    assert events[-2] == Progress(fraction=0.999, message="999")
    assert len(events) < 100


@pytest.mark.parametrize(
    ("bad", "returncode", "stderr"),
    [
        ("exit 1", 1, ""),
        ("echo 0.5; echo reason >&2; exit 2", 2, "reason\n"),
        ("kill -9 $$", -9, ""),
        ("kill -TERM $$", -15, ""),
        ("echo broken > $output; exit 255", 255, ""),
        ("printf 'caf\\351' >&2; exit 1", 1, "caf\N{REPLACEMENT CHARACTER}"),
        ("sleep 1000 & sleep 1000 >&2 & exit 3", 3, ""),
        ("exec >&- 2>&-; exit 4", 4, ""),
        ("echo 0.5 >&-; exit 5", 5, "*"),
        ("ulimit -f 0; echo much > $output", -25, ""),
    ],
)
def test_a_program_that_fails(make_queue: MakeQueue, tmp_path: Path, bad: str, returncode: int, stderr: str) -> None:
    last = Ordeal(make_queue, tmp_path, bad).fail("a")[-1]
    assert last.error is not None
    if stderr == "*":
        last = last._replace(error=last.error[: last.error.index("stderr:\n") + len("stderr:\n")])
        stderr = ""
    assert last == Progress(
        fraction=1.0, returncode=returncode, error=f"Exited with code {returncode}\nstderr:\n{stderr}"
    )


def test_five_megabytes_of_stderr_are_cut_and_said_to_be(make_queue: MakeQueue, tmp_path: Path) -> None:
    code = "sys.stderr.write('x' * 5_000_000 + 'end')\nsys.exit(1)"
    last = Ordeal(make_queue, tmp_path, python(code)).fail("a")[-1]
    n_cut = 5_000_003 - MAX_TAIL_BYTES
    assert last.error is not None
    assert last.error.startswith(f"Exited with code 1\nstderr:\n[{n_cut} bytes before this were cut]\nxxx")
    assert last.error.endswith("xend")
    assert len(last.error) < MAX_TAIL_BYTES + 100


def test_a_million_lines_at_once(make_queue: MakeQueue, tmp_path: Path) -> None:
    """Its clients are told of few of them, and of the last."""
    code = "os.write(1, b'')\nsys.stdout.write('0.25\\tearly\\n' * 1_000_000 + '0.75\\tlast\\n')\nsys.exit(1)"
    events = Ordeal(make_queue, tmp_path, python(code)).fail("a")
    assert events[-2] == Progress(fraction=0.75, message="last")
    assert len(events) <= 65


def test_a_line_without_end_takes_no_memory(
    make_queue: MakeQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code = "for _ in range(20):\n    sys.stdout.write('0' * 1_000_000)\nprint('\\n0.5\\tgood')\nsys.exit(1)"
    ordeal = Ordeal(make_queue, tmp_path, python(code))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    events = ordeal.fail("a")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000
    assert events[-2] == Progress(fraction=0.5, message="good")
    warnings = [record.getMessage() for record in caplog.records if "stdout" in record.getMessage()]
    assert warnings == ["invalid program: stdout must look like '0.25\\tmessage'; got '" + "0" * 200 + "'"] * 2


def test_a_program_that_never_stops_printing_junk_is_seen_and_can_be_stopped(
    make_queue: MakeQueue, tmp_path: Path
) -> None:
    """Good progress before the junk stands; closing the queue ends the program."""
    queue = make_queue(write_program(tmp_path / "program", "echo 0.5; while :; do echo junk; done"))
    job = queue.ensure_run(("a",))
    assert job is not None
    assert wait_for(job, lambda progress: progress.fraction == 0.5).returncode is None
    assert job.current_progress == Progress(fraction=0.5)
    queue.close(drain=0.0)
    assert job.wait(0).error == "The work queue was closed while this job ran."


def test_bad_lines_are_logged_once_per_run_and_not_per_client(
    make_queue: MakeQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Three clients watch; the first bad line is shown, then how many there were; good progress is kept."""
    program = ScriptedProgram(
        tmp_path / "program",
        wait("watched"),
        print_bytes(b"junk\xff\n0.25\n"),
        wait("more"),
        say(0.5, "good"),
        print_bytes(b"nan\n1.1\n"),
        wait("end"),
        output(b"built"),
    )
    job = make_queue(program.path).ensure_run(("a",))
    assert job is not None
    clients: list[list[Progress]] = [[], [], []]
    for client in clients:
        job.progress.subscribe(client.append)
    program.release("watched")
    wait_for(job, lambda progress: progress.fraction == 0.25)
    program.release("more")
    program.wait_reached("end")
    wait_for(job, lambda progress: progress.fraction == 0.5)
    assert job.current_progress == Progress(fraction=0.5, message="good")
    program.release("end")
    job.wait(10)
    assert [client[-2:] for client in clients] == [
        [Progress(fraction=0.5, message="good"), Progress(fraction=1.0, returncode=0)]
    ] * 3
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        (
            "workqueue",
            logging.WARNING,
            "invalid program: stdout must look like '0.25\\tmessage'; got 'junk\N{REPLACEMENT CHARACTER}'",
        ),
        ("workqueue", logging.WARNING, "invalid program: 3 lines of its stdout did not look like progress"),
    ]


def test_one_bad_line_is_logged_without_a_count(
    make_queue: MakeQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = ScriptedProgram(tmp_path / "program", print_bytes(b"junk\n"), output(b"built"))
    assert len(build(make_queue(program.path), "a")) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "invalid program: stdout must look like '0.25\\tmessage'; got 'junk'"
    ]


def test_a_silent_program_that_builds(make_queue: MakeQueue, tmp_path: Path) -> None:
    queue = make_queue(write_program(tmp_path / "program", "exec >&- 2>&-; echo built > $output"))
    assert build(queue, "a") == [Progress(), Progress(fraction=1.0, returncode=0)]


def test_what_a_grandchild_is_doing_does_not_keep_a_result_from_its_clients(
    make_queue: MakeQueue, tmp_path: Path
) -> None:
    """The grandchild is dead when the job has ended."""
    text = 'sleep 1000 &\nprintf "0.5\\t$!\\n"\necho built > $output'
    events = build(make_queue(write_program(tmp_path / "program", text)), "a")
    assert is_gone(int(events[-2].message or ""))


def test_a_consumer_that_raises_ends_the_program(tmp_path: Path) -> None:
    """The same error comes out, and the program is dead."""
    program = write_program(tmp_path / "program", 'printf "0.5\\t$$\\n"; exec sleep 1000')
    pids: list[int] = []

    def consume(progress: Progress) -> None:
        pids.append(int(progress.message or ""))
        raise LookupError("consumer")

    with pytest.raises(LookupError, match="consumer"):
        run_program(command_of(program), ["a"], consume)
    assert is_gone(pids[0])


def test_the_process_is_handed_out_to_be_signalled(tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", "exec sleep 1000")
    end = run_program(command_of(program), ["a"], lambda _: None, lambda process: process.stop(10.0))
    assert end == (-signal.SIGTERM, "", None)


def test_many_programs_run_side_by_side(make_queue: MakeQueue, tmp_path: Path) -> None:
    """Each job's events are its own."""
    text = 'printf "0.5\\t$1\\n"; echo "$1" > $output'
    queue = make_queue(write_program(tmp_path / "program", text), max_running=8)
    names = [str(i) for i in range(24)]
    results: dict[str, list[Progress]] = {}
    threads = [threading.Thread(target=lambda name=name: results.update({name: build(queue, name)})) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {name: events[-2].message for name, events in results.items()} == {name: name for name in names}
    assert all(queue.destination_path_for_params((name,)).read_text() == f"{name}\n" for name in names)


def test_a_step_by_step_failure_tells_all_that_came_before_it(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", say(0.25, "a"), wait("seen"), say(0.5, "b"), exit_with(7))
    job = make_queue(program.path).ensure_run(("a",))
    assert job is not None
    wait_for(job, lambda progress: progress.message == "a")
    program.release("seen")
    assert [(event.message, event.returncode) for event in collect(job)] == [
        (None, None),
        ("a", None),
        ("b", None),
        (None, 7),
    ]
