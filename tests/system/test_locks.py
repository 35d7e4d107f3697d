"""What a lock excludes, and file systems on which it does not."""

import errno
import mmap
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from workqueue import WorkQueue
from workqueue.errors import StorageError
from workqueue.system import locks


def test_a_local_disk_will_do_and_nothing_is_left_on_it(tmp_path: Path) -> None:
    locks.check_excludes(tmp_path / "not" / "yet")
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_whose_locks_keep_nobody_out_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none to be had here: the kernel's answer is replaced."""
    monkeypatch.setattr(locks, "try_lock", lambda fd, shared=False: True)
    with pytest.raises(StorageError, match=r"cannot be used as storage_dir: two processes can hold the same lock"):
        WorkQueue("program", storage_dir=tmp_path / "storage")
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, *, shared: bool = False) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks, "try_lock", refuse)
    with pytest.raises(StorageError, match=r"it has no locks \(flock: No locks available\), so the same program"):
        locks.check_excludes(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_that_locks_files_only_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NFS does."""
    try_lock = locks.try_lock

    def files_only(fd: int, *, shared: bool = False) -> bool:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return try_lock(fd, shared=shared)

    monkeypatch.setattr(locks, "try_lock", files_only)
    locks.check_excludes(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_the_question_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "try_lock", lambda fd, shared=False: True)
    locks.check_excludes(Path("/proc/self"))


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import sys
from pathlib import Path
import gevent
from gevent.event import Event
from workqueue.system.locks import exclusive
has_it, others_came = Event(), Event()
def first():
    with exclusive(Path(sys.argv[1])):
        has_it.set()
        others_came.wait()
def second():
    has_it.wait()
    gevent.spawn(others_came.set)
    with exclusive(Path(sys.argv[1])):
        print("both had it")
gevent.joinall([gevent.spawn(first), gevent.spawn(second)], raise_error=True)
"""


def test_greenlets_of_one_thread_exclude_each_other_and_go_on(tmp_path: Path) -> None:
    command = [sys.executable, "-c", GREENLETS, str(tmp_path / "lock")]
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(command, check=False, capture_output=True, timeout=30, env={**os.environ, "PYTHONPATH": path})
    assert (done.stdout, done.returncode) == (b"both had it\n", 0), done.stderr
    assert list(tmp_path.iterdir()) == []


# Who can still write to a file

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whether a file is open for writing")


@only_linux
def test_a_file_is_open_for_writing_until_the_last_who_may_write_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("w+b", buffering=0) as writer:
        writer.write(b"x")
        fd = os.open(path, os.O_RDONLY)
        assert locks.is_open_for_writing(fd)
        mapped = mmap.mmap(writer.fileno(), 1)
    assert locks.is_open_for_writing(fd)
    mapped.close()
    with path.open("rb"):
        assert not locks.is_open_for_writing(fd)
    with path.open("ab"):
        assert locks.is_open_for_writing(fd)
    os.close(fd)


@only_linux
def test_who_opens_a_file_while_it_is_looked_at_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel sends a signal then, which by default would end this process."""
    path = tmp_path / "file"
    path.write_bytes(b"x")
    fd = os.open(path, os.O_RDONLY)
    fcntl = locks.fcntl.fcntl
    told: list[int] = []

    def open_meanwhile(fd: int, command: int, argument: int) -> int:
        done = fcntl(fd, command, argument)
        if argument == locks.fcntl.F_RDLCK:
            with pytest.raises(BlockingIOError):  # without O_NONBLOCK it would wait until the look is over
                os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        return done

    monkeypatch.setattr(locks.fcntl, "fcntl", open_meanwhile)
    before = signal.signal(signal.SIGURG, lambda signum, _: told.append(signum))
    try:
        assert not locks.is_open_for_writing(fd)
    finally:
        signal.signal(signal.SIGURG, before)
    assert told == [signal.SIGURG]
    with path.open("wb") as writer:  # nothing is in the way any more
        writer.write(b"y")
    os.close(fd)


def test_where_the_kernel_cannot_say_nobody_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    with (tmp_path / "file").open("w"):
        fd = os.open(tmp_path / "file", os.O_RDONLY)
        with monkeypatch.context() as patch:
            patch.setattr(locks.fcntl, "fcntl", refuse)
            assert not locks.is_open_for_writing(fd)
        monkeypatch.delattr(locks.fcntl, "F_SETLEASE", raising=False)
        assert not locks.is_open_for_writing(fd)
        os.close(fd)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has locks that belong to an open file and are no flock")
def test_what_is_kept_is_not_freed_by_an_inherited_copy_of_another_descriptor(tmp_path: Path) -> None:
    """A program frees the flock that it inherits; that its owner has the file is seen all the same."""
    path = tmp_path / "file"
    path.touch()
    readers = [os.open(path, os.O_RDONLY) for _ in range(2)]
    writers = [os.open(path, os.O_WRONLY) for _ in range(2)]
    assert locks.try_lock(readers[0])
    assert locks.try_keep(writers[0])
    unlock = "import fcntl, sys; fcntl.flock(int(sys.argv[1]), fcntl.LOCK_UN)"
    subprocess.run([sys.executable, "-c", unlock, str(readers[0])], check=True, pass_fds=[readers[0]])
    assert locks.try_lock(readers[1])
    assert locks.is_kept(readers[1])
    assert not locks.try_keep(writers[1])
    locks.let_go(writers[0])
    assert not locks.is_kept(readers[1])
    assert locks.try_keep(writers[1])
    for fd in (*readers, *writers):
        os.close(fd)


def test_where_nobody_can_tell_whose_file_it_is_nobody_asks_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    assert locks.is_file_of(fd, path)
    path.unlink()
    assert not locks.is_file_of(fd, path)

    def refuse(_: Path) -> os.stat_result:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "lstat", refuse)
        with pytest.raises(OSError, match="Stale file handle"):
            locks.is_file_of(fd, path)
        with pytest.raises(OSError, match="Stale file handle"), locks.exclusive(path):
            pass
    path.unlink()
    os.close(fd)
