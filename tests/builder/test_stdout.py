"""Where the lines go, whatever a program and its libraries do to stdout; each in a process of its own."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builder.conftest import Printed, Run
from workqueue.builder import claim_stdout, progress, track
from workqueue.builder.stdout import Stdout

#: Where Python holds back what it prints.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

HEAD = "import os, sys\nfrom workqueue.builder import claim_stdout, progress, track\n"


@pytest.mark.parametrize(
    "harm",
    [
        "sys.stdout = None",
        "sys.stdout.close()",
        "sys.stdout = open(os.devnull, 'w')",
        "sys.stdout = sys.stderr",
        "os.close(1)",
        "os.dup2(os.open(os.devnull, os.O_WRONLY), 1)",
        "os.closerange(3, 256)",
    ],
)
def test_a_line_is_printed_whatever_becomes_of_stdout(run: Run, harm: str) -> None:
    done = run(f"{HEAD}{harm}\nprogress(0.5, 'half')\nos._exit(0)")
    assert (done.returncode, done.stdout) == (0, "0.5\thalf\n")


def test_a_file_that_got_the_number_of_our_descriptor_is_left_alone(run: Run, tmp_path: Path) -> None:
    done = run(
        f"{HEAD}os.closerange(3, 256)\nfiles = [open(f'{{sys.argv[1]}}{{i}}', 'w') for i in range(5)]\nprogress(0.5)",
        str(tmp_path / "output"),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0.5\n", "")
    assert [file.read_text() for file in tmp_path.glob("output*")] == [""] * 5


def test_lines_come_at_once(tmp_path: Path) -> None:
    """Before the program ends, and without PYTHONUNBUFFERED."""
    program = tmp_path / "build.py"
    program.write_text(f"{HEAD}progress(0.5)\nsys.stdin.read()")
    command = [sys.executable, program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=BUFFERED) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"0.5\n"
        process.communicate()


def test_claimed_stdout_is_for_progress_alone(run: Run) -> None:
    done = run(
        f"{HEAD}claim_stdout()\nprint('from Python')\nprogress(0.5)\nsys.stdout.flush()\n"
        "os.system('echo from a command')\nos.write(1, b'from C\\n')\nprogress(1)"
    )
    assert (done.returncode, done.stdout) == (0, "0.5\n1.0\n")
    assert done.stderr == "from Python\nfrom a command\nfrom C\n"


def test_what_was_printed_before_is_not_moved(run: Run) -> None:
    done = run(f"{HEAD}print('early')\nclaim_stdout()\nprint('late')")
    assert (done.stdout, done.stderr) == ("early\n", "late\n")


def test_without_a_stderr_it_goes_nowhere(run: Run) -> None:
    done = run(f"{HEAD}os.close(2)\nclaim_stdout()\nprint('x', flush=True)\nprogress(1)")
    assert (done.returncode, done.stdout) == (0, "1.0\n")


def test_a_program_without_stdout_builds_all_the_same(tmp_path: Path) -> None:
    program = tmp_path / "build.py"
    program.write_text(f"{HEAD}progress(0.5)\nopen(sys.argv[1], 'w').write('built')")
    subprocess.run(["/bin/sh", "-c", '"$0" "$1" "$2" >&-', sys.executable, program, tmp_path / "out"], check=True)
    assert (tmp_path / "out").read_text() == "built"


@pytest.mark.parametrize("text", ["progress(0.5)", "print('x')\nprogress(0.5)", "list(track('ab'))"])
def test_when_nobody_reads_it_ends_quietly_and_cleans_up(run: Run, text: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run(
        f"{HEAD}try:\n    exec({text!r})\nfinally:\n    print('cleaned', file=sys.stderr)\nprint('not reached')",
        stdout=writer,
        env=BUFFERED,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "cleaned\n")


def test_a_pipe_that_does_not_block_gets_every_byte(run: Run, tmp_path: Path) -> None:
    """Somebody who shares it has made it so, and it is full."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4095 + b"\n")
    with (tmp_path / "drained").open("wb") as drained:
        drain = subprocess.Popen(["cat"], stdin=reader, stdout=drained)
        os.close(reader)
        done = run(f"{HEAD}for i in range(300): progress(i / 300, 'y' * 1000)", stdout=writer)
        os.close(writer)
        assert drain.wait(60) == 0
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "drained").read_bytes().count(b"\t" + b"y" * 1000 + b"\n") == 300


def test_a_forked_child_prints_though_a_thread_was_printing(run: Run) -> None:
    done = run(
        f"{HEAD}from workqueue.builder.stdout import STDOUT\nimport threading\n"
        "held = threading.Event()\nover = threading.Event()\n"
        "def hold():\n    with STDOUT._lock:\n        held.set()\n        over.wait()\n"
        "threading.Thread(target=hold).start()\nheld.wait()\npid = os.fork()\n"
        "if not pid:\n    progress(0.5, 'child')\n    os._exit(0)\n"
        "status = os.waitpid(pid, 0)[1]\nover.set()\nsys.exit(status)"
    )
    assert (done.returncode, done.stdout) == (0, "0.5\tchild\n")


def test_a_signal_handler_may_say_where_things_stand(run: Run) -> None:
    done = run(
        f"{HEAD}import signal\nfrom workqueue.builder.stdout import STDOUT\n"
        "signal.signal(signal.SIGUSR1, lambda *_: progress(0.5, 'asked'))\n"
        "with STDOUT._lock:\n    os.kill(os.getpid(), signal.SIGUSR1)\n"
    )
    assert (done.returncode, done.stdout) == (0, "0.5\tasked\n")


def test_in_this_process_too(printed: Printed, capfd: pytest.CaptureFixture[str]) -> None:
    claim_stdout()
    os.write(1, b"stray\n")
    progress(0.5)
    assert printed.lines == ["0.5"]
    assert capfd.readouterr() == ("", "stray\n")


def test_a_reader_who_leaves_ends_it(printed: Printed, capfd: pytest.CaptureFixture[str]) -> None:
    """Under `capfd`, which gives descriptor 1 back to this process."""
    printed.stop_reading()
    with pytest.raises(SystemExit) as raised:
        list(track("ab"))
    assert raised.value.code == 128 + signal.SIGPIPE
    os.write(1, b"to nobody\n")
    assert capfd.readouterr() == ("", "")


def test_without_a_descriptor_lines_are_dropped() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    stdout = Stdout(writer)
    stdout.say(0.5, None)
    stdout.advance(0.5, "x")
