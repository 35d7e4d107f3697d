"""Where a symbolic link leads: it stays in its directory, through whatever other links it goes."""

import itertools
import os
from pathlib import Path

import pytest

from workqueue.storage.links import leads_within


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a", "b"),
        ("a", "b/c"),
        ("d/a", "../b"),
        ("d/e/a", "../../b"),
        ("a", "."),
        ("d/a", ".."),
        ("d/a", "./..//b/."),
    ],
)
def test_a_place_within(path: str, target: str) -> None:
    assert leads_within(path, target)


@pytest.mark.parametrize(
    ("path", "target"),
    [("a", ".."), ("a", "/etc"), ("a", "//etc"), ("d/a", "../.."), ("a", "./../b"), ("d/a", "b/../c"), ("a", "b/..")],
)
def test_a_place_without_or_one_that_other_links_may_move(path: str, target: str) -> None:
    assert not leads_within(path, target)


def test_no_links_that_are_taken_for_within_lead_out_together(tmp_path: Path) -> None:
    """All pairs of links with all short targets, as the kernel follows them."""
    parts = ["..", "p", "q", "d"]
    targets = ["/".join(way) for n in (1, 2, 3) for way in itertools.product(parts, repeat=n)]
    top = tmp_path / "top"
    top.joinpath("d").mkdir(parents=True)
    places = ["p", "d/q"]
    seen = 0
    for pair in itertools.product(targets, repeat=2):
        if not all(leads_within(place, target) for place, target in zip(places, pair, strict=True)):
            continue
        for place, target in zip(places, pair, strict=True):
            (top / place).symlink_to(target)
        for place in places:
            try:
                found = os.path.realpath(top / place, strict=True)
            except OSError:
                continue  # nothing is there, or they lead to each other
            assert Path(found).is_relative_to(top), pair
            seen += 1
        for place in places:
            (top / place).unlink()
    assert seen > 100
