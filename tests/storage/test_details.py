"""How a result came to be, as text: what does not fit is cut, and what is none of ours says nothing."""

import base64
import json

import pytest

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
