"""A child that is forked in C, as uWSGI does by default: none of Python's hooks runs in it, and its queue works.

Each test has a server of its own, whose script begins with `_BEFORE`: a queue, and two ways to fork.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import write_program
from tests.processes.conftest import MakeWorker
from tests.processes.worker import ROOT, TIMEOUT
from tests.servers.server import eventually

HOW = pytest.mark.parametrize("how", ["C", "os.fork"])

_BEFORE = """
import ctypes, os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from workqueue import WorkQueue
from workqueue.engines.host import follower as following
from workqueue.engines.host.line import waker as waking
from workqueue.system import descriptors, forks

def fork():
    return os.fork() if sys.argv[1] == "os.fork" else ctypes.PyDLL(None).fork()

def child(function, *arguments):
    # Forks; the child does that, prints what it returns, and is gone.
    sys.stdout.flush()
    if pid := fork():
        return pid
    try:
        os.write(1, f'{function(*arguments)}\\n'.encode())  # whole, beside what others write
    finally:
        os._exit(0)

def reap(*pids):
    for pid in pids:
        os.waitpid(pid, 0)

def build(key):
    job = queue.ensure_run((key,))
    return job and job.wait(20).returncode

def until(path):
    while not os.path.exists(path):
        time.sleep(0.005)
"""

_USED = """
queue = WorkQueue("builder", storage_dir="storage")
print(build("warm-up"))
"""


def run(tmp_path: Path, how: str, script: str) -> list[str]:
    """What a server prints, in lines."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", _BEFORE + script, how],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))},
        stdout=subprocess.PIPE,
        timeout=3 * TIMEOUT,
        check=True,
        text=True,
    )
    return done.stdout.splitlines()


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """A program that notes its first argument and builds."""
    return write_program(tmp_path / "builder", f'echo "$1" >> \'{tmp_path}/runs\'\necho built > "$output"')


@pytest.fixture
def gated(tmp_path: Path) -> Path:
    """A program that waits until there is a file that is called as its first argument, with ``gate-`` before."""
    return write_program(
        tmp_path / "builder",
        f"echo \"$1\" >> '{tmp_path}/runs'\n: > '{tmp_path}'/run-\"$1\"\necho 0.5\n"
        f'while [ ! -e \'{tmp_path}\'/gate-"$1" ]; do sleep 0.01; done\necho built > "$output"',
    )


def runs(tmp_path: Path) -> list[str]:
    return (tmp_path / "runs").read_text().split()


@HOW
def test_a_queue_that_was_used_before_serves_each_child(how: str, quick: Path, tmp_path: Path) -> None:
    script = _USED + "reap(child(build, 'a'), child(build, 'b'))\nprint(build('c'))\nqueue.close()"
    first, *others = run(tmp_path, how, script)
    assert first == "0"
    assert others == ["0"] * 3
    assert sorted(runs(tmp_path)) == ["a", "b", "c", "warm-up"]


@HOW
def test_children_of_children_have_queues_of_their_own(how: str, quick: Path, tmp_path: Path) -> None:
    """Whichever of them has used it, and however each was forked."""
    script = _USED + (
        "def family(n_more):\n"
        "    if n_more % 2:\n"
        "        assert build(str(n_more)) == 0\n"
        "    if n_more:\n"
        "        sys.argv[1] = 'os.fork' if sys.argv[1] == 'C' else 'C'\n"
        "        reap(child(family, n_more - 1))\n"
        "    return build(f'later-{n_more}')\n"
        "reap(child(family, 4))\nqueue.close()"
    )
    assert run(tmp_path, how, script) == ["0"] * 6
    assert len(runs(tmp_path)) == 8


@HOW
@pytest.mark.parametrize("before", ["", "print(build('warm-up'))\n"], ids=["made", "used"])
def test_a_cancel_in_one_child_reaches_the_other(how: str, before: str, gated: Path, tmp_path: Path) -> None:
    """Also of a queue that was only made before the fork: the children are not one process, by any name."""
    script = (
        "queue = WorkQueue('builder', storage_dir='storage')\nopen('gate-warm-up', 'w').close()\n"
        + before
        + "runner = child(build, 'a')\n"
        "until('run-a')\n"
        "def cancel():\n    job = queue.ensure_run(('a',))\n    assert job.cancel()\n"
        "    return job.wait(20).returncode\n"
        "reap(child(cancel), runner)\nqueue.close()"
    )
    assert [line for line in run(tmp_path, how, script) if line != "0"] == ["-998", "-998"]


@HOW
@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("queue.jobs()", "[]"),
        ("queue.statistics().succeeded", "0"),
        ("queue.delete(('warm-up',))", "True"),
        ("queue.open_result(('warm-up',)).__enter__().read_text()", "built\n"),
        ("queue.executor.submit(int, '7').result(20)", "7"),
        ("queue.close()", "None"),
        ("queue.close(drain=0.0)", "None"),
        ("os.close(descriptors.open_own(lambda: os.dup(0)))", "None"),
    ],
)
def test_any_call_may_be_a_childs_first(how: str, call: str, answer: str, quick: Path, tmp_path: Path) -> None:
    """While threads of the parent hold each lock that there is: nobody will ever free them in the child."""
    script = _USED + (
        "held, go_on = threading.Event(), threading.Event()\n"
        "engine = queue._engine\n"
        "locks = [queue._registry._lock, engine._changed, engine._local._changed, engine._local._line._lock,\n"
        "         engine._local._warden._lock, queue._tally._lock, queue._books._herald._changed,\n"
        "         following.follower._lock, waking.waker._lock, *([descriptors._lock] if sys.argv[1] == 'C' else [])]\n"
        "def hold():\n"
        "    for lock in locks:\n        lock.acquire()\n"
        "    held.set()\n    go_on.wait()\n"
        "    for lock in locks:\n        lock.release()\n"
        "thread = threading.Thread(target=hold)\nthread.start()\nheld.wait()\n"
        f"pid = child(lambda: repr({call}))\n"
        "deadline = time.monotonic() + 20\n"
        "while not os.waitpid(pid, os.WNOHANG)[0]:\n"
        "    if time.monotonic() > deadline:\n        os.kill(pid, 9)\n"
        "    time.sleep(0.005)\n"
        "go_on.set()\nthread.join()\nqueue.close()"
    )
    assert run(tmp_path, how, script) == ["0", answer if answer != "built\n" else "'built\\n'"]


def test_two_threads_of_a_child_that_come_at_once_find_one_queue(quick: Path, tmp_path: Path) -> None:
    """What was made anew is made once, and before either goes on."""
    script = _USED + (
        "sys.setswitchinterval(1e-6)\n"
        "renewals = []\n"
        "renew = queue._renew_in_child\n"
        "queue._renew_in_child = lambda: (time.sleep(0.05), renew(), renewals.append(1))\n"
        "def both():\n"
        "    barrier = threading.Barrier(4)\n"
        "    with ThreadPoolExecutor(4) as pool:\n"
        "        def ask():\n"
        "            barrier.wait()\n"
        "            return build('a')\n"
        "        futures = [pool.submit(ask) for _ in range(4)]\n"
        "        return [future.result() for future in futures], len(renewals)\n"
        "reap(*(child(both) for _ in range(3)))\nqueue.close()"
    )
    _, *said = run(tmp_path, "C", script)
    for line in said:
        ends, n_renewals = eval(line)
        assert n_renewals == 1
        assert set(ends) <= {0, None}  # None: it was built by then, by this child or another
    assert runs(tmp_path) == ["warm-up", "a"]


@HOW
def test_a_child_follows_what_its_parent_runs_and_never_frees_its_lock(how: str, gated: Path, tmp_path: Path) -> None:
    """Forked while the parent runs the key."""
    script = (
        "queue = WorkQueue('builder', storage_dir='storage')\n"
        "job = queue.ensure_run(('a',))\n"
        # Not earlier: a lock of Python itself (an import) that a thread holds in a fork in C is never freed in it.
        "while job.current_progress.fraction != 0.5:\n    time.sleep(0.005)\n"
        "def follow():\n"
        "    job = queue.ensure_run(('a',))\n"
        "    open('gate-a', 'w').close()\n"
        "    return job.wait(20).returncode\n"
        "reap(child(follow))\nprint(job.wait(20).returncode)\nqueue.close()"
    )
    assert run(tmp_path, how, script) == ["0", "0"]
    assert runs(tmp_path) == ["a"]


@HOW
def test_a_child_keeps_no_lock_of_a_parent_that_was_killed(
    how: str, gated: Path, tmp_path: Path, make_worker: MakeWorker
) -> None:
    """Nor tells the warden, by a copy of a socket, that its parent still lives."""
    script = (
        "queue = WorkQueue('builder', storage_dir='storage')\n"
        "job = queue.ensure_run(('a',))\n"
        "while job.current_progress.fraction != 0.5:\n    time.sleep(0.005)\n"
        "def stay():\n"
        "    queue.jobs()\n    print(os.getpid(), flush=True)\n    until('gate-child')\n"
        "child(stay)\nuntil('gate-parent')\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _BEFORE + script, how],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        child = int(server.stdout.readline())
        server.kill()
        server.wait()
        assert Path(f"/proc/{child}").exists() or not Path("/proc/self").exists()
        other = make_worker(gated)
        other.tell("ask", "a")
        eventually(lambda: runs(tmp_path) == ["a", "a"])
        (tmp_path / "gate-a").touch()
        assert other.hear_end("a") == 0
    finally:
        (tmp_path / "gate-child").touch()
        if server.poll() is None:
            server.send_signal(signal.SIGKILL)
        assert server.stdout.read() == "None\n"  # the child has ended
        server.stdout.close()
        server.wait()


@HOW
@pytest.mark.parametrize("pool", ["", ", ThreadPoolExecutor(1)"], ids=["own", "given"])
@pytest.mark.parametrize("use", ["pass", "build('a')"], ids=["idle", "used"])
def test_a_child_ends_as_any_process_does(how: str, pool: str, use: str, quick: Path, tmp_path: Path) -> None:
    """Its interpreter does not wait for threads that stayed behind in the parent."""
    if how == "C" and pool and sys.version_info >= (3, 13):
        pytest.skip("Python 3.13 waits for threads that others started before a fork in C, and cannot be told not to")
    script = (
        f"queue = WorkQueue('builder'{pool}, storage_dir='storage')\nbuild('warm-up')\n"
        f"if not (pid := fork()):\n    {use}\n    sys.exit(7)\n"
        "deadline = time.monotonic() + 20\n"
        "while not (status := os.waitpid(pid, os.WNOHANG))[0]:\n"
        "    if time.monotonic() > deadline:\n        os.kill(pid, 9)\n"
        "    time.sleep(0.005)\n"
        "print(os.waitstatus_to_exitcode(status[1]))\nqueue.close()"
    )
    assert run(tmp_path, how, script) == ["7"]
