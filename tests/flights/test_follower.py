"""The following thread: told by the kernel, and without it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.server import eventually
from workqueue.flights import changes
from workqueue.flights.follower import Follower


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
