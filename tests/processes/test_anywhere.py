"""Whatever the server's process is, and wherever the library was loaded from: programs run, are seen, and die with it.

Each test has a server that really is so: loaded from a zip, frozen, without inotify, with all signals blocked.
"""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

import workqueue
from tests.conftest import write_program
from tests.processes.conftest import MakeWorker
from tests.processes.test_kill import family, is_alive, pids_of
from tests.servers.server import eventually
from tests.tools import missing
from workqueue.testing import ScriptedProgram

__all__ = ("family",)


class Server(NamedTuple):
    """How a process differs from the tests' own."""

    before: str = ""
    env: Mapping[str, str] = MappingProxyType({})


#: A seccomp filter that lets inotify_init1(2) fail, as those of some containers and systemd's SystemCallFilter do.
_NO_INOTIFY = """
import ctypes, struct
number = {number}
code = b"".join(struct.pack("HBBI", *step) for step in [
    (0x20, 0, 0, 0), (0x15, 1, 0, number), (6, 0, 0, 0x7FFF0000), (6, 0, 0, 0x50000 | {errno})])
buffer = ctypes.create_string_buffer(code)
class Filter(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("code", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
libc.prctl(22, 2, ctypes.byref(Filter(4, ctypes.addressof(buffer))), 0, 0)
"""

#: What it does to a server. A read of stdin must let greenlets go on.
_EVENTLET = """
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import eventlet
    eventlet.monkey_patch()
import os, select, sys
assert not hasattr(select, "poll")
os.set_blocking(0, False)
def lines():
    text = b""
    while data := os.read(0, 4096):
        *whole, text = (text + data).split(b"\\n")
        yield from whole
sys.stdin = lines()
"""

_SIGNALS = """
import signal
signals = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
for signum in {signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGPIPE}:
    signal.signal(signum, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, signals)
"""

SERVERS = {
    "no ctypes": Server("import sys; sys.modules.update(ctypes=None, _ctypes=None)"),
    "no select.poll": Server("import select; del select.poll"),
    "no pidfd": Server("import os, signal; del os.pidfd_open, signal.pidfd_send_signal"),
    "eventlet": Server(_EVENTLET),
    "EPERM": Server(_NO_INOTIFY.replace("{errno}", "1")),
    "ENOSYS": Server(_NO_INOTIFY.replace("{errno}", "38")),
    "signals": Server(_SIGNALS),
    "locale": Server(env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "few descriptors": Server("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))"),
    "timeout": Server("import socket; socket.setdefaulttimeout(5.0)"),
}


def server(name: str, tmp_path: Path) -> dict[str, object]:
    """The options of a worker that is such a server."""
    if name == "eventlet" and importlib.util.find_spec("eventlet") is None:
        missing("there is no eventlet; install the extra `test`")
    if name in ("EPERM", "ENOSYS"):
        return {"before": SERVERS[name].before.replace("{number}", str(inotify_init1(SERVERS[name].before)))}
    if name == "SIGCHLD":
        return {"before": "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"}
    if name == "zip":
        return {"package": zipped(tmp_path)}
    if name == "frozen":
        application = write_program(tmp_path / "app" / "happyserver", f"echo >> '{tmp_path}/started-again'")
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
        path = f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}"
        before = f"import sys; sys.frozen = True; sys.executable = {str(application)!r}"
        return {"before": before, "env": {"PATH": path}}
    return SERVERS[name]._asdict()


def zipped(tmp_path: Path) -> Path:
    package = Path(workqueue.__file__).parent
    return Path(shutil.make_archive(str(tmp_path / "app"), "zip", package.parent, package.name))


def inotify_init1(before: str) -> int:
    """The number of the call, which a filter is seen to stop."""
    number = {"x86_64": 294, "aarch64": 26, "riscv64": 26}.get(platform.machine())
    if number is None or not sys.platform.startswith("linux"):
        missing("the number of inotify_init1 on this machine is not known to the tests")
    script = before.replace("{number}", str(number)) + "\nassert libc.inotify_init1(0) == -1"
    if subprocess.run([sys.executable, "-c", script], check=False, capture_output=True).returncode:
        missing("this kernel takes no seccomp filter from a process")
    return number


@pytest.mark.parametrize("name", [*SERVERS, "SIGCHLD", "zip", "frozen"])
def test_a_program_dies_with_its_server(name: str, make_worker: MakeWorker, family: Path, tmp_path: Path) -> None:
    owner = make_worker(family, **server(name, tmp_path))
    owner.tell("ask", "a")
    owner.hear_fraction("a", 0.5)
    owner.kill()
    eventually(lambda: not any(map(is_alive, pids_of(tmp_path))))
    eventually(lambda: not list((tmp_path / "storage" / ".tmp").iterdir()))
    assert not (tmp_path / "started-again").exists()


@pytest.mark.parametrize("name", ["no ctypes", "EPERM", "ENOSYS", "no select.poll", "eventlet", "locale", "zip"])
def test_it_runs_programs_and_sees_those_of_others(
    name: str, make_worker: MakeWorker, program: ScriptedProgram, tmp_path: Path
) -> None:
    it, other = make_worker(**server(name, tmp_path)), make_worker()
    for key, owner, follower in (("a", it, other), ("b", other, it)):
        owner.tell("ask", key)
        program.wait_reached("gate")
        follower.tell("ask", key)
        follower.hear_fraction(key, 0.5)
        owner.tell("unguarded", f"unguarded {key}")
        assert owner.hear(f"unguarded {key}", lambda _: True, after=-1) is None
        program.release("gate")
        assert owner.hear_end(key) == follower.hear_end(key) == 0
    assert len(program.runs) == 2


def test_a_zip_is_what_it_was_loaded_from(make_worker: MakeWorker, tmp_path: Path) -> None:
    archive = zipped(tmp_path)
    it = make_worker(package=archive)
    it.tell("where", "where")
    assert it.hear("where", lambda _: True).startswith(f"{archive}{os.sep}workqueue")


def test_without_a_python_of_its_own_a_frozen_application_runs_unguarded_and_says_so(
    make_worker: MakeWorker, program: ScriptedProgram, tmp_path: Path
) -> None:
    told = server("frozen", tmp_path)
    (tmp_path / "bin" / "python3").unlink()
    (tmp_path / "bin" / "python3").symlink_to(tmp_path / "app" / "happyserver")
    it = make_worker(**told)
    it.tell("ask", "a")
    program.wait_reached("gate")
    for n in range(1000):
        it.tell("unguarded", f"why {n}")
        why = it.hear(f"why {n}", lambda _: True)
        if why and why.startswith("there is no Python"):
            break
    assert why == "there is no Python interpreter on PATH; install python3"
    program.release("gate")
    assert it.hear_end("a") == 0
    assert not (tmp_path / "started-again").exists()
