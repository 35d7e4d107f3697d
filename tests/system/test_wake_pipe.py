"""A pipe that wakes, and whose numbers nobody uses once they may be another file's."""

import errno
import os
import threading
from pathlib import Path

import pytest

from workqueue.system import wake_pipe
from workqueue.system.poll import make_poll
from workqueue.system.wake_pipe import WakePipe

ROUNDS = 200


def is_ready(pipe: WakePipe) -> bool:
    poll = make_poll()
    poll.register(pipe.reader)
    return bool(poll.poll(0))


def test_it_wakes_until_it_is_drained() -> None:
    pipe = WakePipe()
    assert not is_ready(pipe)
    pipe.wake()
    pipe.wake()
    assert is_ready(pipe)
    assert pipe.drain()
    assert not is_ready(pipe)
    pipe.close()


def test_a_full_pipe_makes_nobody_wait() -> None:
    pipe = WakePipe()
    for _ in range(200_000):
        pipe.wake()
    assert is_ready(pipe)
    pipe.close()


class Refusing:
    """In place of `os`: nothing can be written, as when the kernel has no memory for it."""

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def write(self, fd: int, data: bytes) -> int:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def test_a_wake_that_cannot_be_written_wakes_all_the_same_and_is_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = WakePipe()
    with monkeypatch.context() as patch:
        patch.setattr(wake_pipe, "os", Refusing())
        pipe.wake()
    assert is_ready(pipe)
    assert not pipe.drain()
    with (tmp_path / "file").open("w+b", buffering=0) as file:
        assert file.fileno() == pipe._writer
        pipe.wake()
        pipe.close()
        assert file.read() == b""


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="nothing tells which descriptors are open")
def test_a_pipe_that_cannot_be_made_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, is_blocking: bool) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "set_blocking", refuse)
        n_open = len(list(Path("/dev/fd").iterdir()))
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            WakePipe()
        assert len(list(Path("/dev/fd").iterdir())) == n_open


def test_nothing_is_written_after_the_close_to_a_file_that_got_the_number(tmp_path: Path) -> None:
    pipe = WakePipe()
    numbers = {pipe._reader, pipe._writer}
    pipe.close()
    files = [(tmp_path / str(i)).open("w+b", buffering=0) for i in range(2)]
    assert {file.fileno() for file in files} == numbers
    pipe.wake()
    pipe.close()  # closes nobody's file
    for file in files:
        file.seek(0)
        assert file.read() == b""
        file.close()


def test_a_close_waits_for_the_wake_that_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The window: it was looked whether the pipe is open, and not written yet."""
    pipe = WakePipe()
    closer = threading.Thread(target=pipe.close)
    wrote: list[bool] = []

    def write(fd: int, data: bytes) -> int:
        closer.start()
        closer.join(0.05)
        wrote.append(os.get_blocking(fd))  # it raises OSError for a number that is closed
        return os.write(fd, data)

    with monkeypatch.context() as patch:
        patch.setattr(
            wake_pipe, "os", type("Os", (), {"write": staticmethod(write), "getpid": staticmethod(os.getpid)})
        )
        pipe.wake()
    closer.join(10)
    assert wrote == [False]
    assert not closer.is_alive()


def test_no_wake_of_many_reaches_another_file(tmp_path: Path) -> None:
    for i in range(ROUNDS):
        pipe, barrier = WakePipe(), threading.Barrier(3)

        def wake(pipe: WakePipe = pipe, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(10)
            for _ in range(5):
                pipe.wake()

        wakers = [threading.Thread(target=wake) for _ in range(2)]
        for waker in wakers:
            waker.start()
        barrier.wait(10)
        pipe.close()
        with (tmp_path / str(i)).open("xb"), (tmp_path / f"{i}+").open("xb"):
            for waker in wakers:
                waker.join(10)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_in_a_forked_child_it_wakes_nobody(tmp_path: Path) -> None:
    """There its numbers were closed, or are the parent's pipe."""
    pipe, path = WakePipe(), tmp_path / "file"
    pid = os.fork()
    if pid == 0:
        fds = [os.open(path, os.O_CREAT | os.O_RDWR, 0o600) for _ in range(8)]
        pipe.wake()
        os._exit(0 if {pipe._reader, pipe._writer} <= set(fds) else 1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert path.read_bytes() == b""
    assert not is_ready(pipe)
    pipe.close()
