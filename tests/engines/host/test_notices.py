"""Notices: told to all others, whatever becomes of the file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from workqueue.engines.host import notices
from workqueue.engines.host.notices import NAME, Notices


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Notices, Notices]]:
    one, other = Notices(tmp_path), Notices(tmp_path)
    one.open()
    other.open()
    yield one, other
    one.close()
    other.close()


def test_all_others_read_what_one_posts(two: tuple[Notices, Notices]) -> None:
    one, other = two
    one.post("a")
    one.post("b")
    assert other.read() == ["a", "b"]
    assert other.read() == []
    assert one.read() == []


def test_who_comes_later_is_not_meant(two: tuple[Notices, Notices], tmp_path: Path) -> None:
    two[0].post("a")
    late = Notices(tmp_path)
    late.open()
    assert late.read() == []
    late.close()
    assert late.read() == []


def test_a_file_that_makes_way_is_read_to_its_end(
    two: tuple[Notices, Notices], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_MAX_BYTES", 1)
    one, other = two
    one.post("a")
    one.post("b")
    assert other.read() == ["a"]
    one.post("c")
    assert other.read() == ["c"]  # "b" was in a file that came and made way between two looks
    monkeypatch.undo()
    one.post("d")
    assert other.read() == ["d"]
    assert (tmp_path / NAME).exists()
