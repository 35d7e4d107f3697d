"""What a name tells of the type of a file."""

import pytest

from workqueue.web.media_type import media_type_of


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("", "application/octet-stream"),
        (".unheard-of", "application/octet-stream"),
        (".mp4", "video/mp4"),
        (".json", "application/json"),
        ("index.html", "text/html; charset=utf-8"),
        (".csv", "text/csv; charset=utf-8"),
        (".tar.gz", "application/gzip"),
        (".json.gz", "application/gzip"),
        (".txt.br", "application/octet-stream"),
    ],
)
def test_names_tell_types(name: str, media_type: str) -> None:
    """What is compressed is not called what it was before: nobody would unpack it."""
    assert media_type_of(name) == media_type
