"""The following thread: told by the kernel, and without it."""

import ctypes
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.server import eventually
from workqueue.engines.host import changes
from workqueue.engines.host.follower import Follower
from workqueue.engines.host.watches import File


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
    eventually(lambda: "workqueue-follower" not in names())


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
