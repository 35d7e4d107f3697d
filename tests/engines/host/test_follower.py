"""The following thread: told by the kernel, and without it."""

import contextlib
import ctypes
import errno
import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.servers.server import eventually
from tests.streams.conftest import Gate, in_thread, join
from workqueue.engines.host import changes
from workqueue.engines.host import follower as following
from workqueue.engines.host.changes import SAFETY_SECONDS, Changes
from workqueue.engines.host.follower import Follower
from workqueue.engines.host.watches import File
from workqueue.system import wake_pipe


@pytest.fixture(params=["inotify", "looking"])
def follower(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Follower]:
    if request.param == "looking":
        monkeypatch.setattr(changes, "_open_inotify", lambda: None)
    follower = Follower()
    follower.open(tmp_path)
    yield follower
    follower.close(tmp_path)


def test_a_file_that_comes_and_changes_is_looked_at(follower: Follower, tmp_path: Path) -> None:
    seen: list[str] = []
    path = tmp_path / "a"

    def look() -> None:
        if path.exists():
            seen.append(path.read_text())

    follower.follow(tmp_path, "a", look)
    path.write_text("one")
    eventually(lambda: "one" in seen)
    path.write_text("two")
    eventually(lambda: "two" in seen)


def test_a_file_that_takes_the_name_of_another_is_looked_at(follower: Follower, tmp_path: Path) -> None:
    """As a journal does, that a dead process left and the next one begins anew, and that somebody may still read."""
    seen: list[str] = []
    path = tmp_path / "a"

    def look() -> None:
        if path.exists():
            seen.append(path.read_text())

    path.write_text("old")
    with path.open():
        follower.follow(tmp_path, "a", look)
        for i in range(3):
            path.unlink()
            path.write_text(f"new {i}")
            eventually(lambda i=i: f"new {i}" in seen)
            path.write_text(f"more of {i}")
            eventually(lambda i=i: f"more of {i}" in seen)


def test_what_is_always_followed_is_looked_at_at_once_and_without_a_file(follower: Follower, tmp_path: Path) -> None:
    looked = threading.Event()
    follower.follow(tmp_path, "missing", looked.set, always=True)
    assert looked.wait(20)
    looked.clear()
    follower.look_again()
    assert looked.wait(20)


def test_a_look_that_raises_harms_no_other(
    follower: Follower, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise LookupError("a bug")

    looked = threading.Event()
    follower.follow(tmp_path, "a", fail, always=True)
    follower.follow(tmp_path, "a", looked.set, always=True)
    assert looked.wait(20)
    assert "LookupError: a bug" in caplog.text


def test_the_first_file_that_is_followed_ends_a_wait_that_has_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without inotify: the thread waits for ever as long as nothing is followed."""
    wait, waits, looked = Changes.wait, threading.Event(), threading.Event()

    def noted(self: Changes, seconds: float | None) -> list[changes.Change]:
        if seconds is None:
            waits.set()
        return wait(self, seconds)

    monkeypatch.setattr(changes, "_open_inotify", lambda: None)
    monkeypatch.setattr(Changes, "wait", noted)
    follower = Follower()
    follower.open(tmp_path)
    assert waits.wait(20)
    (tmp_path / "a").touch()
    follower.follow(tmp_path, "a", looked.set)
    assert looked.wait(20)
    follower.close(tmp_path)


def test_what_is_not_followed_any_more_is_not_looked_at(follower: Follower, tmp_path: Path) -> None:
    looks: list[str] = []
    both = threading.Event()

    def first() -> None:
        looks.append("first")

    follower.follow(tmp_path, "a", first, always=True)
    eventually(lambda: looks)
    follower.unfollow(tmp_path, "a", first)
    follower.unfollow(tmp_path, "a", first)
    follower.follow(tmp_path, "b", both.set, always=True)
    assert both.wait(20)
    n_looks = len(looks)
    both.clear()
    follower.look_again()
    assert both.wait(20)
    assert len(looks) == n_looks


def test_the_last_to_close_a_directory_ends_the_thread(tmp_path: Path) -> None:
    follower = Follower()
    names = lambda: [thread.name for thread in threading.enumerate()]  # noqa: E731
    for _ in range(2):
        follower.open(tmp_path)
    follower.close(tmp_path)
    assert "workqueue-follower" in names()
    follower.close(tmp_path)
    assert "workqueue-follower" not in names()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_look_that_raises_no_exception_but_an_interrupt_harms_no_other(
    follower: Follower, tmp_path: Path, kind: type[BaseException]
) -> None:
    def fail() -> None:
        raise kind

    looked = threading.Event()
    follower.follow(tmp_path, "a", fail, always=True)
    follower.follow(tmp_path, "a", looked.set, always=True)
    for _ in range(2):
        assert looked.wait(20)
        looked.clear()
        follower.look_again()


class FailingReads:
    """In place of `os`, in what the follower is told by: its reads fail."""

    def __init__(self, n_failing: float) -> None:
        self.n_reads = 0
        self._n_failing = n_failing

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def read(self, fd: int, n_bytes: int) -> bytes:
        self.n_reads += 1
        if self.n_reads <= self._n_failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.read(fd, n_bytes)


@pytest.mark.parametrize("n_failing", [1, 2, math.inf])
def test_reads_that_fail_cost_nobody_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, n_failing: float
) -> None:
    """Once, twice in a row, and for ever: then the files are looked at, as where nothing tells of them."""
    reads = FailingReads(n_failing)
    monkeypatch.setattr(changes, "os", reads)
    monkeypatch.setattr(wake_pipe, "os", reads)
    follower, seen, path = Follower(), list[str](), tmp_path / "a"
    follower.open(tmp_path)
    assert follower._watches is not None
    first = follower._watches.changes
    path.touch()
    follower.follow(tmp_path, "a", lambda: seen.append(path.read_text()), always=True)
    for text in ("one", "two", "three", "four"):
        path.write_text(text)
        eventually(lambda text=text: text in seen)
    assert follower._watches.changes is not first
    assert watched(follower) == ({(tmp_path, ""), (tmp_path, "a")} if first.look_seconds == SAFETY_SECONDS else set())
    follower.close(tmp_path)
    assert "workqueue-follower" not in [thread.name for thread in threading.enumerate()]
    assert reads.n_reads > 1
    told = [record.getMessage() for record in caplog.records]
    assert told == [told[0]]
    assert told[0].startswith("cannot be told which files change: [Errno 5]")


def test_where_reads_fail_and_there_is_no_other_descriptor_the_files_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Changes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    follower, seen, path = Follower(), list[str](), tmp_path / "a"
    follower.open(tmp_path)
    reads = FailingReads(math.inf)
    monkeypatch.setattr(changes, "os", reads)
    monkeypatch.setattr(wake_pipe, "os", reads)
    monkeypatch.setattr(following, "Changes", refuse)
    path.touch()
    follower.follow(tmp_path, "a", lambda: seen.append(path.read_text()), always=True)
    for text in ("one", "two"):
        path.write_text(text)
        eventually(lambda text=text: text in seen)
    follower.close(tmp_path)
    assert "workqueue-follower" not in [thread.name for thread in threading.enumerate()]


def test_a_wake_that_cannot_be_written_is_heard_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By who waits without an end: nothing is followed yet, and another is to be told by afterwards."""

    class FailingWrites:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def write(self, fd: int, data: bytes) -> int:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    follower, looked = Follower(), threading.Event()
    follower.open(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(wake_pipe, "os", FailingWrites())
        for name in ("a", "b"):
            follower.follow(tmp_path, name, looked.set, always=True)
            assert looked.wait(20)
            looked.clear()
    follower.follow(tmp_path, "c", looked.set, always=True)
    assert looked.wait(20)
    follower.close(tmp_path)
    assert "cannot be told which files change" in caplog.text


def test_an_interrupt_in_the_wait_loses_no_change(
    follower: Follower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As a library's timeout does, that strikes when the changes are read and not looked at yet."""
    wait, strikes, looked = Changes.wait, list[bool](), threading.Event()

    def struck(self: Changes, seconds: float | None) -> list[changes.Change]:
        told = wait(self, seconds)
        if strikes:
            strikes.clear()
            raise KeyboardInterrupt
        return told

    monkeypatch.setattr(changes, "SAFETY_SECONDS", 3600.0)
    monkeypatch.setattr(Changes, "wait", struck)
    follower.follow(tmp_path, "a", looked.set, always=True)
    assert looked.wait(20)
    strikes.append(True)
    looked.clear()
    follower.look_again()
    eventually(lambda: not strikes)
    assert looked.wait(20)
    assert "the thread workqueue-follower goes on after an exception" in caplog.text


def test_what_a_look_reads_is_closed_once_it_does_not_read(follower: Follower, tmp_path: Path) -> None:
    """The window: the look has the descriptor's number, and has not read yet."""
    gate, done = Gate(), list[str]()

    def look() -> None:
        gate.stop_here()
        done.append("read")

    follower.follow(tmp_path, "a", look, always=True)
    gate.wait_until_reached()
    closer = in_thread(lambda: follower.unfollow(tmp_path, "a", look, then=lambda: done.append("closed")))
    closer.join(0.05)
    assert (closer.is_alive(), done) == (True, [])
    gate.open()
    join(closer)
    assert done == ["read", "closed"]
    follower.unfollow(tmp_path, "a", look, then=lambda: done.append("closed once more"))
    assert done == ["read", "closed", "closed once more"]


def test_a_look_that_takes_long_closes_it_when_it_is_done(
    follower: Follower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "JOIN_SECONDS", 0.01)
    gate, done, closed = Gate(), list[str](), threading.Event()

    def look() -> None:
        gate.stop_here()
        done.append("read")

    follower.follow(tmp_path, "a", look, always=True)
    gate.wait_until_reached()
    follower.unfollow(tmp_path, "a", look, then=lambda: (done.append("closed"), closed.set()))
    assert done == []
    gate.open()
    assert closed.wait(20)
    assert done == ["read", "closed"]


def test_a_look_that_stops_itself_closes_at_once(follower: Follower, tmp_path: Path) -> None:
    done: SimpleQueue[str] = SimpleQueue()

    def look() -> None:
        follower.unfollow(tmp_path, "a", look, then=lambda: done.put("closed"))
        done.put("looked")

    follower.follow(tmp_path, "a", look, always=True)
    assert [done.get(timeout=20) for _ in range(2)] == ["closed", "looked"]


def test_a_look_may_close_the_last_directory_and_open_it_again(tmp_path: Path) -> None:
    follower, looked = Follower(), threading.Event()
    follower.open(tmp_path)

    def look() -> None:
        for _ in range(3):
            follower.close(tmp_path)
            follower.open(tmp_path)
        follower.follow(tmp_path, "b", looked.set, always=True)

    follower.follow(tmp_path, "a", look, always=True)
    assert looked.wait(20)
    follower.close(tmp_path)
    assert "workqueue-follower" not in [thread.name for thread in threading.enumerate()]


def test_no_wake_of_two_hundred_that_race_a_close_reaches_another_file(tmp_path: Path) -> None:
    directory, files = tmp_path / "followed", tmp_path / "files"
    directory.mkdir()
    files.mkdir()
    for i in range(200):
        follower, barrier = Follower(), threading.Barrier(2)
        follower.open(directory)

        def wake(follower: Follower = follower, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(20)
            for _ in range(5):
                follower.look_again()

        waker = in_thread(wake)
        barrier.wait(20)
        follower.close(directory)
        with contextlib.ExitStack() as stack:
            for name in range(3):
                stack.enter_context((files / f"{i} {name}").open("xb"))
            join(waker)
    assert sum(path.stat().st_size for path in files.iterdir()) == 0


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the kernel tells of files on Linux alone")
def test_nobody_is_woken_for_what_is_written_to_files_that_are_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    wait = changes.Changes.wait

    def noted(self: changes.Changes, seconds: float | None) -> list[changes.Change]:
        news = wait(self, seconds)
        told.extend(change.name for change in news)
        return news

    monkeypatch.setattr(changes.Changes, "wait", noted)
    follower, looked = Follower(), threading.Event()
    follower.open(tmp_path)
    follower.follow(tmp_path, "followed", looked.set)
    with (tmp_path / "other").open("w", buffering=1) as other:
        for line in range(10):
            other.write(f"{line}\n")
    (tmp_path / "followed").touch()
    assert looked.wait(20)
    # That it came, and no more.
    assert told.count("other") == 1
    follower.close(tmp_path)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the kernel tells of files on Linux alone")
def test_a_file_of_which_it_was_lost_that_it_came_is_watched_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the kernel's queue has overflown."""
    wait, n_lost = Changes.wait, list[int]()

    def losing(self: Changes, seconds: float | None) -> list[changes.Change]:
        told = wait(self, seconds)
        if any(change.name == "a" for change in told):
            n_lost.append(len(told))
            return [changes.Change(changes.LOST, "")]
        return told

    monkeypatch.setattr(Changes, "wait", losing)
    follower, seen, path = Follower(), list[str](), tmp_path / "a"
    follower.open(tmp_path)
    follower.follow(tmp_path, "a", lambda: seen.append(path.read_text()))
    path.write_text("one")
    eventually(lambda: seen)
    assert n_lost
    assert (tmp_path, "a") in watched(follower)
    follower.close(tmp_path)


def watched(follower: Follower) -> set[File]:
    assert follower._watches is not None
    return follower._watches.files


def test_nothing_is_watched_of_what_is_not_followed_any_more(tmp_path: Path) -> None:
    follower = Follower()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    follower.open(elsewhere)
    follower.open(tmp_path)
    looks = [lambda: None, lambda: None]
    for name in ("a", "b"):
        (tmp_path / name).touch()
        for look in looks:
            follower.follow(tmp_path, name, look)
    follower.unfollow(tmp_path, "a", looks[0])
    assert {name for _, name in watched(follower)} == {"", "a", "b"}
    follower.unfollow(tmp_path, "a", looks[1])
    assert {name for _, name in watched(follower)} == {"", "b"}
    follower.close(tmp_path)
    assert watched(follower) == {(elsewhere, "")}
    follower.close(elsewhere)
    assert follower._watches is None


def test_where_no_more_files_can_be_watched_they_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    libc = changes._libc()

    class Full:
        inotify_init1 = libc.inotify_init1
        inotify_rm_watch = libc.inotify_rm_watch

        def inotify_add_watch(self, fd: int, path: bytes, mask: int) -> int:
            if path == os.fsencode(tmp_path):
                return int(libc.inotify_add_watch(fd, path, mask))
            ctypes.set_errno(errno.ENOSPC)
            return -1

    monkeypatch.setattr(changes, "_libc", Full)
    follower, seen, path = Follower(), [], tmp_path / "a"
    path.touch()
    follower.open(tmp_path)
    follower.follow(tmp_path, "a", lambda: seen.append(path.read_text()))
    path.write_text("told by nobody")
    eventually(lambda: "told by nobody" in seen)
    follower.close(tmp_path)
