"""How wide each part of a progress line is, on each terminal."""

import pytest

from workqueue.terminal.layout import Layout, arrange, times


@pytest.mark.parametrize("label", ["", "build.py", "x" * 300, "日本語のプログラム"])
@pytest.mark.parametrize("time", ["0:05", "1:00:05, about 55 min left"])
def test_the_parts_fit_and_none_is_wider_than_it_must_be(label: str, time: str) -> None:
    for width in range(200):
        check(arrange(width, label, time), width, time)


def check(layout: Layout, width: int, time: str) -> None:
    shown = [columns for columns in layout if columns]
    # The percentage is shown whatever happens; a terminal of three columns cuts it.
    assert sum(shown) + len(shown) - 1 <= max(width, 4)
    assert layout.percent == 4
    assert layout.label <= width // 4
    assert layout.time in {0, len(time)}
    assert layout.message == 0 or layout.message >= 8
    assert layout.bar <= 40
    if width >= 60:
        assert layout.bar >= 10
        assert layout.time == len(time)
    if width >= 15:
        assert layout.bar >= 10


@pytest.mark.parametrize(
    ("width", "layout"),
    [
        (5, Layout(0, 0, 4, 0, 0)),
        (8, Layout(0, 3, 4, 0, 0)),
        (15, Layout(0, 10, 4, 0, 0)),
        (20, Layout(0, 10, 4, 4, 0)),
        (25, Layout(6, 10, 4, 0, 0)),
        (40, Layout(8, 10, 4, 4, 10)),
        (60, Layout(8, 12, 4, 4, 28)),
        (80, Layout(8, 16, 4, 4, 44)),
        (200, Layout(8, 40, 4, 4, 140)),
        (400, Layout(8, 40, 4, 4, 340)),
    ],
)
def test_the_message_has_what_is_left(width: int, layout: Layout) -> None:
    assert arrange(width, "build.py", "0:05") == layout


def test_a_bar_is_as_wide_whatever_the_time_says() -> None:
    assert {arrange(60, "build.py", time).bar for time in ("0:05", "about 55 min left")} == {12}


@pytest.mark.parametrize(
    ("width", "remaining", "told"),
    [
        (60, "", "1:05"),
        (60, "about 5 min left", "about 5 min left"),
        (80, "", "1:05"),
        (80, "about 5 min left", "1:05, about 5 min left"),
    ],
)
def test_a_narrow_terminal_shows_what_remains_in_place_of_what_it_took(width: int, remaining: str, told: str) -> None:
    assert times(width, "1:05", remaining) == told
