"""Notices: told to all others, whatever becomes of the file."""

import errno
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


@pytest.mark.parametrize("torn", [b"deadbeefdeadbeef 01234", b"\n", b"\xff\xfe\n", b"x\n", b"0" * 100_000, b"a b c\n"])
def test_a_torn_line_loses_no_cancel_that_others_post(
    two: tuple[Notices, Notices], tmp_path: Path, torn: bytes
) -> None:
    one, other = two
    one.post("a" * 40)
    with (tmp_path / NAME).open("ab") as file:
        file.write(torn)
    one.post("b" * 40)
    assert other.read() == ["a" * 40, "b" * 40]


def test_what_replaces_the_file_is_opened_before_the_old_one_is_closed(
    two: tuple[Notices, Notices], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no descriptor to spare at first; nothing that was posted is lost."""
    one, other = two
    one.post("a")
    (tmp_path / NAME).unlink()
    one.post("b")

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(notices, "open_file", refuse)
        assert other.read() == ["a"]
        with pytest.raises(OSError, match="Too many open files"):
            other.read()
    assert other.read() == ["b"]


def test_a_file_that_was_emptied_is_read_from_its_beginning(two: tuple[Notices, Notices], tmp_path: Path) -> None:
    one, other = two
    with (tmp_path / NAME).open("ab") as file:
        file.write(b"x" * 100)
    assert other.read() == []
    (tmp_path / NAME).write_bytes(b"")  # another program has emptied it
    one.post("a")
    assert other.read() == ["a"]


def test_closing_twice_closes_once(tmp_path: Path) -> None:
    mine = Notices(tmp_path)
    mine.open()
    mine.open()
    mine.close()
    mine.close()
    assert mine.read() == []
