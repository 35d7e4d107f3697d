"""Sizes and ages as people write them."""

import argparse

import pytest

from workqueue.cli.quantities import age, counted, shown_age, shown_size, size


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("0", 0), ("2048", 2048), ("1K", 1024), ("1.5 MB", 1572864), ("2GiB", 2**31), ("3t", 3 * 2**40), ("10b", 10)],
)
def test_a_size_is_read(text: str, n_bytes: int) -> None:
    assert size(text) == n_bytes


@pytest.mark.parametrize("text", ["", "-1", "many", "1X", "1e3", "K"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a size; give a number of bytes"):
        size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("7D", 604800), ("2w", 1209600)]
)
def test_an_age_is_read(text: str, seconds: float) -> None:
    assert age(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "-1d", "1y", "d"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not an age; give a number with s, m, h, d or w"):
        age(text)


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.0 KB"),
        (1536 * 1024, "1.5 MB"),
        (2**30, "1.0 GB"),
        (2**52, "4096.0 TB"),
    ],
)
def test_a_size_is_shown(n_bytes: int, text: str) -> None:
    assert shown_size(n_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0.4, "0 s"), (119, "119 s"), (120, "2 m"), (7200, "2 h"), (86400, "24 h"), (10**9, "1653 w")],
)
def test_an_age_is_shown(seconds: float, text: str) -> None:
    assert shown_age(seconds) == text


def test_one_is_told_from_several() -> None:
    assert [counted(n, "result") for n in (0, 1, 2)] == ["0 results", "1 result", "2 results"]
