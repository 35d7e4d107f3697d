"""`workqueue adapt`: the real command, over real programs, alone and below a real queue."""

import os
import select
import shlex
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.test_adapters import FFMPEG
from tests.conftest import ensure, write_program
from workqueue import WorkQueue
from workqueue.cli import main
from workqueue.cli.adapt import ProgressSink
from workqueue.cli.adapters import Percent
from workqueue.program.adapted import Adapted
from workqueue.streams import to_generator
from workqueue.testing import collect

ADAPT = [sys.executable, "-m", "workqueue", "adapt"]


def adapt(name: str, script: str, *arguments: object, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run a script of the shell, adapted."""
    command = [*ADAPT, name, "--", "/bin/sh", "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)  # type: ignore[call-overload, no-any-return]


def start(script: str) -> "subprocess.Popen[bytes]":
    """The same, in a group of its own; returns once the script has said "ready" on stderr."""
    process = subprocess.Popen(
        [*ADAPT, "percent", "--", "/bin/sh", "-c", script],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, process_group=0,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline() == b"ready\n"
    return process


def end(process: "subprocess.Popen[bytes]") -> tuple[int, str, str]:
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout.decode(), stderr.decode()


def test_progress_of_both_streams_goes_to_stdout_and_the_rest_to_stderr() -> None:
    done = adapt("percent", "echo one; echo two >&2; echo 50% half; printf '100%% all' >&2")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1.0\t100% all")
    assert sorted(done.stderr.splitlines()) == ["one", "two"]


def test_stdin_is_the_commands() -> None:
    assert adapt("percent", "read line; echo $line", input="25% read\n").stdout == "0.25\t25% read\n"


@pytest.mark.parametrize("status", [0, 1, 3, 75, 255])
def test_the_exit_status_is_the_commands(status: int) -> None:
    done = adapt("percent", f"echo 50%; echo why >&2; exit {status}")
    assert (done.returncode, done.stdout) == (status, "0.5\t50%\n")
    # What was taken for progress may be the reason.
    assert sorted(done.stderr.splitlines()) == (["50%", "why"] if status else ["why"])


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGSEGV])
def test_it_ends_by_the_signal_that_ended_the_command(signum: signal.Signals) -> None:
    assert adapt("tqdm", f"ulimit -c 0; kill -{signum.value} $$").returncode == -signum


def test_a_status_is_known_though_the_parent_ignores_the_end_of_children() -> None:
    command = shlex.join([*ADAPT, "percent", "--", "/bin/sh", "-c", "exit 3"])
    done = subprocess.run(["/bin/sh", "-c", f"trap '' CHLD; exec {command}"], check=False)
    assert done.returncode == 3


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_to_it_reaches_the_command_which_decides(signum: signal.Signals) -> None:
    script = (
        f"trap 'echo 75% saving; exit 4' {signum.name.removeprefix('SIG')}; echo ready >&2; while :; do read x; done"
    )
    with subprocess.Popen(["/bin/sh", "-c", "exec sleep 1000"], stdout=subprocess.PIPE) as sleeping:
        process = subprocess.Popen(
            [*ADAPT, "percent", "--", "/bin/sh", "-c", script],
            stdin=sleeping.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline() == b"ready\n"
        process.send_signal(signum)
        status, stdout, _ = end(process)
        sleeping.kill()
    assert (status, stdout) == (4, "0.75\t75% saving\n")


def test_a_signal_to_the_group_reaches_the_command_once() -> None:
    """As from a terminal, or from a queue; the second of two has a meaning of its own."""
    # Of signals that wait, Python handles the one with the lowest number first: SIGINT before SIGTERM.
    traps = "trap 'n=$((n+1)); echo got $n >&2' INT; trap 'echo $n/4; exit' TERM"
    process = start(f"{traps}; echo ready >&2; while :; do sleep 0.01; done")
    for n in (b"1", b"2"):
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.readline() == b"got %s\n" % n
    process.send_signal(signal.SIGTERM)
    assert end(process) == (0, "0.5\t2/4\n", "")


def test_a_signal_ends_a_command_that_does_nothing_about_it() -> None:
    process = start("echo ready >&2; exec sleep 1000")
    process.send_signal(signal.SIGTERM)
    assert end(process)[0] == -signal.SIGTERM


def test_the_command_is_in_its_group_and_dies_with_it() -> None:
    process = start("echo ready >&2; exec sleep 1000")
    os.killpg(process.pid, signal.SIGKILL)
    assert end(process)[0] == -signal.SIGKILL


def test_a_command_that_is_not_there(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["adapt", "tqdm", "--", str(tmp_path / "missing"), "-x"]) == 127
    assert (
        capfd.readouterr().err == f"workqueue: Cannot start the command {tmp_path}/missing: No such file or directory\n"
    )
    assert main(["adapt", "tqdm", "--", str(tmp_path)]) == 126
    assert main(["adapt", "tqdm", "--", "a\0b"]) == 126


def test_in_this_process_too(capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert main(["adapt", "percent", "--", "/bin/sh", "-c", 'echo "$1"', "sh", "3/12 -- files"]) == 0
    assert capfd.readouterr() == ("0.25\t3/12 -- files\n", "")
    assert signal.getsignal(signal.SIGTERM) is before


def test_signals_in_this_process_too(capfd: pytest.CaptureFixture[str]) -> None:
    """The command sends them to its parent, which is this process, and gets them back."""
    traps = "trap 'n=$((n+1)); echo $n/4 >&2; kill -TERM $PPID' INT; trap 'echo 75%; exit 3' TERM"
    script = f"{traps}; kill -INT $PPID; while :; do sleep 0.01; done"
    assert main(["adapt", "percent", "--", "/bin/sh", "-c", script]) == 3
    told = capfd.readouterr()
    assert (told.out.splitlines()[-1], told.err) == ("0.75\t75%", "75%\n")


def test_a_reader_who_leaves_stops_the_command(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Under `capfd`, which gives descriptor 1 back to this process."""
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, 1)
    os.close(writer)
    script = "trap 'echo >\"$0\"; exit' TERM; echo 50%; while :; do sleep 0.01; done"
    assert main(["adapt", "percent", "--", "/bin/sh", "-c", script, str(tmp_path / "stopped")]) == 1
    assert (tmp_path / "stopped").exists()


def test_a_signal_before_the_command_reaches_it(capfd: pytest.CaptureFixture[str]) -> None:
    """As one does that comes between the handler's installation and the start."""
    adapted = Adapted(["/bin/sh", "-c", "exec sleep 1000"])
    adapted._forward(signal.SIGTERM, None)
    assert adapted.run(ProgressSink(Percent())) == -signal.SIGTERM


def test_what_cannot_end_this_process_becomes_a_status() -> None:
    """A signal that is blocked, as a parent may have left it: sent, but not heard. In a process with one thread."""
    script = (
        "import signal, sys; from workqueue.program.adapted import end_like;"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2]); sys.exit(end_like(-signal.SIGUSR2))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == 128 + signal.SIGUSR2


@pytest.mark.parametrize("arguments", [[], ["tqdm"], ["tqdm", "--"], ["curl", "--", "true"]])
def test_wrong_use_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["adapt", *arguments])
    error = capsys.readouterr().err
    assert error.startswith("workqueue adapt: error: ")
    assert error.endswith("\nSee `workqueue adapt --help`.\n")


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["adapt", "--help"])
    assert "workqueue adapt tqdm -- python3 train.py model.bin" in capsys.readouterr().out


def test_there_are_few_lines_and_the_last_of_them() -> None:
    done = adapt("percent", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo $i/20000; done")
    lines = done.stdout.splitlines()
    assert lines[-1] == "1.0\t20000/20000"
    assert len(lines) < 200


@pytest.mark.parametrize(
    "script", ["head -c 3000000 /dev/zero", r"printf 'a\377\tb'", "printf 'nan%%\\n'", r"printf '\033]0;x\007'"]
)
def test_what_is_no_progress_is_let_through_as_it_is(script: str) -> None:
    done = subprocess.run([*ADAPT, "percent", "--", "/bin/sh", "-c", script], capture_output=True, check=True)
    assert done.stdout == b""
    assert done.stderr == subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True).stdout


def test_a_message_holds_nothing_that_a_line_must_not() -> None:
    assert adapt("percent", r"printf '50%%\tb\033[1mc\033[0m\vd\377e\n'").stdout == "0.5\t50% bc d\ufffde\n"


def test_nobody_waits_for_a_grandchild_that_holds_the_pipes() -> None:
    done = adapt("percent", "sleep 1000 & echo $! >&2; echo 50%")
    os.kill(int(done.stderr), signal.SIGKILL)
    assert (done.returncode, done.stdout) == (0, "0.5\t50%\n")


def test_when_nobody_reads_the_command_is_stopped() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    script = "trap 'echo stopped >&2; exit' TERM; echo 50%; while :; do sleep 0.01; done"
    done = subprocess.run(
        [*ADAPT, "percent", "--", "/bin/sh", "-c", script],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writer)
    assert done.returncode == 1


@pytest.fixture
def queue_of(tmp_path: Path, make_queue: Callable[..., WorkQueue]) -> Callable[[str, str], WorkQueue]:
    """Makes a queue whose program adapts another."""

    def queue_of(name: str, command: str) -> WorkQueue:
        return make_queue(write_program(tmp_path / "program", f"exec {shlex.join([*ADAPT, name])} -- {command}"))

    return queue_of


def test_a_queue_tells_what_a_bar_tells(queue_of: Callable[[str, str], WorkQueue], tmp_path: Path) -> None:
    pytest.importorskip("tqdm", reason="tqdm is not installed; it comes with the extra 'test'")
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent("""
            import sys
            from tqdm import tqdm
            for i in tqdm(range(2), desc="outer", mininterval=0):
                for j in tqdm(range(2), desc="inner", mininterval=0, leave=False):
                    pass
            open(sys.argv[1], "w").write("a model")
            print("trained", file=sys.stderr)
        """)
    )
    queue = queue_of("tqdm", f'{shlex.quote(sys.executable)} {shlex.quote(str(script))} "$output"')
    events = collect(ensure(queue, "a"))
    assert events[-1].returncode == 0
    assert events[-2].fraction == 1.0
    assert events[-2].message == "outer: 2/2"
    with queue.open_result(("a",)) as path:
        assert path.read_text() == "a model"


def test_a_queue_tells_what_ffmpeg_tells(queue_of: Callable[[str, str], WorkQueue], tmp_path: Path) -> None:
    (tmp_path / "printed").write_bytes(FFMPEG)
    imitation = write_program(tmp_path / "bin" / "ffmpeg", f'cat "{tmp_path}/printed" >&2; echo film >"$output"')
    events = collect(ensure(queue_of("ffmpeg", f'{shlex.quote(str(imitation))} -i "$1" "$output"'), "a.mov"))
    assert events[-1].returncode == 0
    assert events[-2][1:3] == (1.0, "00:01:40 of 00:01:40 at 1.25x")


def test_a_queue_tells_how_the_command_failed(queue_of: Callable[[str, str], WorkQueue]) -> None:
    last = collect(ensure(queue_of("percent", "/bin/sh -c 'echo 50%; echo no such host >&2; exit 3'"), "a"))[-1]
    assert last.returncode == 3
    assert "no such host\n" in (last.error or "")


def test_a_cancelled_job_leaves_no_command(queue_of: Callable[[str, str], WorkQueue], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "held")
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    job = ensure(queue_of("percent", f'/bin/sh -c \'exec 9>"$0"; echo 50%; exec sleep 1000\' "{tmp_path}/held"'), "a")
    for progress in to_generator(job.progress):
        if progress.fraction == 0.5:
            job.cancel()
    assert job.wait(60).returncode == -998
    poll = select.poll()
    poll.register(held)
    assert poll.poll(60_000) == [(held, select.POLLHUP)], "the command holds its end"
    os.close(held)
