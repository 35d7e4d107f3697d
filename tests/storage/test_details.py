"""How a result came to be, as text: what does not fit is cut, and what is none of ours says nothing."""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from workqueue.storage import DiskStorage
from workqueue.storage.base import Origin
from workqueue.storage.details import MAX_BYTES, Details, packed, unpacked

WHOLE = Details(
    Origin("build.py", "2024-06", 12.5, "indexing \N{SNOWMAN}"), "directory", size=2**40, publication="0123456789abcdef"
)


@pytest.mark.parametrize("details", [Details(), WHOLE, Details(Origin("", "", 0.0, ""))])
def test_what_is_packed_is_read_back(details: Details) -> None:
    assert unpacked(packed(details)) == details


def test_the_text_fits_in_the_metadata_of_an_object() -> None:
    assert len(base64.urlsafe_b64encode(bytes(MAX_BYTES))) < 2048 - 100
    assert packed(WHOLE).isascii()


@pytest.mark.parametrize("char", ["x", '"', "\N{SNOWMAN}", "\N{GRINNING FACE}", "\n"])
def test_a_message_that_is_too_long_is_cut_and_the_rest_is_kept(char: str) -> None:
    text = packed(WHOLE._replace(origin=WHOLE.origin._replace(message=char * 100_000)))
    assert MAX_BYTES - 20 < len(text) <= MAX_BYTES
    found = unpacked(text)
    message = found.origin.message or ""
    assert message.endswith("...")
    assert set(message[:-3]) == {char}
    assert found._replace(origin=found.origin._replace(message=WHOLE.origin.message)) == WHOLE


@pytest.mark.parametrize("n_over", [-1, 0, 1, 2])
def test_a_message_is_cut_when_a_byte_is_too_much_and_not_before(n_over: int) -> None:
    room = MAX_BYTES - len(packed(Details(Origin(message=""))))
    message = "x" * (room + n_over)
    text = packed(Details(Origin(message=message)))
    assert len(text) <= MAX_BYTES
    assert (unpacked(text).origin.message == message) is (n_over <= 0)


def test_names_that_are_too_long_are_left_out_and_never_cut() -> None:
    found = unpacked(packed(WHOLE._replace(origin=Origin("n" * 8000, "v" * 8000, 1.0, "said"))))
    assert found == WHOLE._replace(origin=Origin(None, None, 1.0, None))
    kept = unpacked(packed(WHOLE._replace(origin=Origin("name", "v" * 8000, 1.0, "said"))))
    assert kept.origin == Origin("name", None, 1.0, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        packed(WHOLE)[:-1],
        b"[1]",
        b"null",
        b"\xff" * 10,
        b"[" * 1000,
        b'{"name": 1, "version": [], "seconds": "1", "message": {}, "size": null, "form": 2, "publication": 3}',
        b'{"seconds": NaN, "size": -1, "publication": "0123456789ABCDEF", "form": "link"}',
        b'{"seconds": -Infinity, "size": Infinity, "publication": "0123456789abcdef\\n"}',
        b'{"seconds": 1e400, "size": true}',
        b'{"seconds": %d}' % 10**900,
        b'{"name": "\\ud800", "message": "\\udfff"}',
        json.dumps({"name": "x" * MAX_BYTES}).encode(),
    ],
)
def test_what_is_none_of_ours_says_nothing(data: bytes) -> None:
    assert unpacked(data) == Details()


KEY = "0" * 40


def a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def junk(path: Path) -> None:
    path.write_bytes(b"x" * 10)


def too_much(path: Path) -> None:
    path.write_bytes(b'{"name": "n"}'.ljust(MAX_BYTES + 1))


@pytest.mark.parametrize("damage", [junk, too_much, a_link, a_pipe, Path.unlink])
def test_what_lies_there_in_place_of_details_says_nothing(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    storage = DiskStorage(tmp_path)
    with storage.workspace(KEY) as workspace:
        workspace.output.write_bytes(b"built")
        workspace.publish(Origin("build.py", "7"))
    [path] = (tmp_path / ".info").iterdir()
    damage(path)
    info = storage.info(KEY)
    assert info is not None
    assert (info.size, info.name, info.version) == (5, None, None)


def test_details_that_cannot_be_kept_are_logged_and_the_result_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".info").touch()
    storage = DiskStorage(tmp_path)
    with storage.workspace(KEY) as workspace:
        workspace.output.write_bytes(b"built")
        workspace.publish(Origin("build.py", "7"))
    assert storage.has(KEY)
    assert "cannot keep how a result came to be" in caplog.text


def test_details_that_belong_to_no_result_go_with_an_eviction(tmp_path: Path) -> None:
    storage = DiskStorage(tmp_path, max_bytes=100)
    with storage.workspace(KEY) as workspace:
        workspace.output.write_bytes(b"built")
        workspace.publish(Origin("build.py", "7"))
    [mine] = (tmp_path / ".info").iterdir()
    for name in (f"{KEY}.{'0' * 16}", f"{'1' * 40}.{'0' * 16}", "others"):
        (tmp_path / ".info" / name).touch()
    storage.evict()
    assert sorted(path.name for path in (tmp_path / ".info").iterdir()) == sorted([mine.name, "others"])
