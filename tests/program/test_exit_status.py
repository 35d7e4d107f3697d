"""An exit status that somebody else has taken is a failure, in words that say who to look for; it is never guessed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import write_program
from tests.program.test_hostile import below
from tests.program.test_process import is_gone
from workqueue.program.exit_status import STATUS_LOST

#: A server that reaps children itself, and runs a job; it prints the ends, and what was published.
SERVER = """
import contextlib, json, os, signal, sys, threading, time
from pathlib import Path
from workqueue import WorkQueue

how, does, directory = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if how == "ignores":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
elif how == "reaps":
    def reap():
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                time.sleep(0.002)
    threading.Thread(target=reap, daemon=True).start()
elif how == "handles":
    def handle(*_):
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    signal.signal(signal.SIGCHLD, handle)
time_limit = 0.3 if does == "times out" else None
queue = WorkQueue(directory / "program", storage_dir=directory / "results", time_limit=time_limit)
ends = []
for i in range(5 if how != "ignores" else 2):
    job = queue.ensure_run((does, str(i)))
    if does == "is cancelled":
        while job.current_progress.fraction < 0.5:
            time.sleep(0.002)
        job.cancel()
    ends.append(job.wait(20))
print(json.dumps([ends, [path.name for path in (directory / "results").glob("?" * 40)]]))
queue.close()
"""

PROGRAM = """
printf half > "$output"
echo 0.5
case "$1" in
    fails) echo out of memory >&2; exit 3;;
    is\\ killed) kill -9 $$;;
    *) exec sleep 1000;;
esac
"""


@pytest.mark.parametrize("how", ["ignores", "reaps", "handles"])
@pytest.mark.parametrize(
    ("does", "returncode"), [("fails", 3), ("is killed", -9), ("is cancelled", -998), ("times out", -15)]
)
def test_a_server_that_reaps_children_publishes_nothing(how: str, does: str, returncode: int, tmp_path: Path) -> None:
    write_program(tmp_path / "program", PROGRAM)
    done = subprocess.run(
        [sys.executable, "-c", SERVER, how, does, str(tmp_path)],
        capture_output=True,
        check=True,
        text=True,
    )
    ends, published = json.loads(done.stdout)
    assert published == []
    lost = -998 if does == "is cancelled" else -999
    # A thread that reaps is not always faster; a SIGCHLD that is ignored is.
    assert {end[3] for end in ends} <= ({lost} if how == "ignores" else {lost, returncode})
    if does == "times out":
        assert all(end[4].startswith("It ran longer than its time limit of 0.3 seconds.") for end in ends)
    elif does != "is cancelled":
        assert all(end[4].startswith(STATUS_LOST) for end in ends if end[3] == -999)
    if how == "ignores":
        assert done.stderr.count("SIGCHLD is ignored in this process") == 1


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="asyncio.FastChildWatcher is deprecated since Python 3.12")
def test_a_loop_that_reaps_every_child(tmp_path: Path) -> None:
    write_program(tmp_path / "program", PROGRAM)
    server = """
import asyncio, json, sys
from pathlib import Path
from workqueue import WorkQueue
directory = Path(sys.argv[1])
queue = WorkQueue(directory / "program", storage_dir=directory / "results")
async def main():
    ends = []
    for i in range(10):
        other = await asyncio.create_subprocess_exec("true")
        ends.append(await asyncio.to_thread(queue.ensure_run(("fails", str(i))).wait, 20))
        await other.wait()
    print(json.dumps([ends, [path.name for path in (directory / "results").glob("?" * 40)]]))
watcher = asyncio.FastChildWatcher()
asyncio.set_child_watcher(watcher)
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
watcher.attach_loop(loop)
loop.run_until_complete(main())
queue.close()
"""
    done = subprocess.run([sys.executable, "-c", server, str(tmp_path)], capture_output=True, check=True)
    ends, published = json.loads(done.stdout)
    assert published == []
    assert {end[3] for end in ends} <= {3, -999}


@pytest.mark.parametrize("command", ["run", "check"])
def test_the_command_line_says_so(command: str, tmp_path: Path) -> None:
    write_program(tmp_path / "program", 'echo 1.0; echo built > "$output"')
    storage = ["--storage", str(tmp_path / "results")] if command == "run" else []
    done = below(
        "SIGCHLD ignored", sys.executable, "-m", "workqueue", command, str(tmp_path / "program"), "a", *storage
    )
    assert done.returncode == 1
    assert STATUS_LOST in done.stdout


def test_a_warning_comes_once(tmp_path: Path) -> None:
    write_program(tmp_path / "program", "exit 0")
    server = """
import signal, sys
from workqueue import WorkQueue
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for i in range(3):
    WorkQueue(sys.argv[1], storage_dir=sys.argv[2]).close()
"""
    done = subprocess.run(
        [sys.executable, "-c", server, str(tmp_path / "program"), str(tmp_path / "results")],
        stderr=subprocess.PIPE,
        check=True,
        text=True,
    )
    assert done.stderr.count("SIGCHLD is ignored") == 1


def test_what_a_program_leaves_is_killed_also_when_its_status_is_lost(tmp_path: Path) -> None:
    """The number of its group may be another's by then; the descriptor of its first process means its own."""
    write_program(tmp_path / "program", 'sleep 1000 & echo "$!" > "$1"; exit 3')
    server = """
import signal, sys
from pathlib import Path
from workqueue import WorkQueue
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with WorkQueue(sys.argv[1], storage_dir=sys.argv[2]) as queue:
    print(queue.ensure_run((sys.argv[3],)).wait(20).returncode)
"""
    arguments = [str(tmp_path / name) for name in ("program", "results", "number")]
    done = subprocess.run(
        [sys.executable, "-c", server, *arguments],
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == "-999\n"
    assert is_gone(int((tmp_path / "number").read_text()))


def test_the_first_process_of_a_container_keeps_no_zombies(tmp_path: Path) -> None:
    """What programs leave behind becomes its children when they end, and nobody else reaps them."""
    write_program(tmp_path / "program", 'sleep 1000 &\n(sleep 1000 &)\necho x > "$output"')
    server = """
import os, sys
from pathlib import Path
from workqueue import WorkQueue
with WorkQueue(sys.argv[1], storage_dir=sys.argv[2]) as queue:
    for i in range(5):
        queue.ensure_run((str(i),)).wait(20)
    states = [path.read_text().rpartition(")")[2].split()[0] for path in Path("/proc").glob("[0-9]*/stat")]
    print(os.getpid(), states.count("Z"), len(list(Path(sys.argv[2]).glob("?" * 40))))
"""
    isolated = ["unshare", "--pid", "--fork", "--mount-proc"]
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare on PATH; Debian has it in the package util-linux")
    if subprocess.run([*isolated, "true"], check=False, capture_output=True).returncode:
        pytest.skip("only root may begin a new PID namespace here")
    done = subprocess.run(
        [*isolated, sys.executable, "-c", server, str(tmp_path / "program"), str(tmp_path / "results")],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    assert done.stdout == "1 0 5\n"
