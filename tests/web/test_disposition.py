"""Names of files from anybody, in a header."""

import pytest
from werkzeug.http import parse_options_header

from workqueue.web.disposition import content_disposition, safe_name


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("report.csv", 'attachment; filename="report.csv"'),
        ("a report.csv", 'attachment; filename="a report.csv"'),
        ("naïve.txt", "attachment; filename=\"naive.txt\"; filename*=UTF-8''na%C3%AFve.txt"),
        ("€.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%E2%82%AC.txt"),
        ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
        ("it's;x=y.txt", 'attachment; filename="it\'s;x=y.txt"'),
    ],
)
def test_both_forms_are_sent_where_they_differ(name: str, header: str) -> None:
    assert content_disposition(name) == header
    assert content_disposition(name, inline=True) == header.replace("attachment", "inline")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("/etc/passwd", "_etc_passwd"),
        ("C:\\Windows\\x", "C__Windows_x"),
        (".bashrc", "bashrc"),
        ("..", "result"),
        ("", "result"),
        ("  ", "result"),
        ("a\r\nSet-Cookie: x=1", "a Set-Cookie_ x=1"),
        ("a\0b", "ab"),
        ('a"; filename="evil.exe', "a_; filename=_evil.exe"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("x.txt. . .", "x.txt"),
        ("\ud800.txt", "txt"),
    ],
)
def test_what_is_unsafe_is_taken_out(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_long_name_keeps_its_ending() -> None:
    for char in ("a", "€"):
        safe = safe_name(char * 300 + ".parquet")
        assert len(safe.encode()) <= 200
        assert safe.endswith(f"{char}.parquet")
    assert len(safe_name("." + "a" * 300)) == 200
    assert len(safe_name("a." + "b" * 300)) == 200


@pytest.mark.parametrize(
    "name", ["é€.pdf", "a b'c(d)*.txt", "%41.txt", "日本語.mp4", "\u202ea\r\nb/..\\c.txt", "~!#$&+-.^_`|"]
)
def test_a_reader_of_headers_finds_the_safe_name(name: str) -> None:
    """The header is ASCII, of one line, and what it says is the name."""
    header = content_disposition(name)
    assert header.isascii()
    assert header.isprintable()
    # A parser that is not ours, and knows the second form.
    kind, parameters = parse_options_header(header)
    assert (kind, parameters["filename"]) == ("attachment", safe_name(name))
