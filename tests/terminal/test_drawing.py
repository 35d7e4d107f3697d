"""The line that rich draws, in terminals of all widths."""

import io
import time

import pytest
from rich.console import Console
from rich.text import Text

from workqueue.progress import Progress, failed, succeeded
from workqueue.terminal.drawing import Drawing
from workqueue.terminal.width import width_of


@pytest.fixture(autouse=True)
def _clock_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr("workqueue.terminal.drawing.time.monotonic", lambda: now)


def drawn(drawing: Drawing, width: int) -> str:
    """The text of the line; with colours, without which rich draws only the part of the bar that is done."""
    console = Console(
        file=io.StringIO(), width=width, height=20, color_system="standard", force_terminal=True, no_color=False
    )
    with console.capture() as capture:
        console.print(drawing)
    [line] = capture.get().splitlines()
    return Text.from_ansi(line).plain.rstrip()


def of(*events: Progress, label: str = "build.py") -> Drawing:
    drawing = Drawing(label)
    for event in events:
        drawing.show(event, time.monotonic())
    return drawing


LONG = "a very long message " * 8

MESSAGES = [LONG, "日本語のとても長い文章" * 8, "e\u0301" * 200, "👩\u200d👩\u200d👧" * 100, "[bold]brackets[/] " * 20]


@pytest.mark.parametrize("message", MESSAGES, ids=range(len(MESSAGES)))
@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_percentage_and_the_bar_stay_and_the_message_is_shortened(width: int, message: str) -> None:
    line = drawn(of(Progress(fraction=0.42, message=message)), width)
    assert width - 2 <= width_of(line) <= width or "\u200d" in message
    name, bar, percent, clock, *shown = line.split()
    assert (name, percent, clock) == ("build.py", "42%", "0:00")
    assert set(bar) <= set("━╸╺")
    assert len(bar) >= 10
    assert line.endswith("…")
    assert message.startswith(" ".join(shown).removesuffix("…"))


def test_a_short_message_is_shown_whole() -> None:
    assert drawn(of(Progress(fraction=0.42, message="Reading 日本語")), 60).endswith(" 42% 0:00  Reading 日本語")


def test_a_long_name_leaves_room_for_the_rest() -> None:
    line = drawn(of(Progress(fraction=0.42, message=LONG), label="x" * 300), 60)
    assert line.startswith("x" * 14 + "… ━")
    assert " 42% 0:00  a very" in line


def test_what_moves_the_cursor_is_not_drawn() -> None:
    assert drawn(of(Progress(fraction=0.5), label="a\tb\n\x1bc"), 60).startswith("a b  c ━")


def test_what_remains_is_shown_once_it_is_credible() -> None:
    drawing = Drawing("build.py")
    now = time.monotonic()
    for second in range(31):
        drawing.show(Progress(fraction=second / 300, message=LONG), now + second)
    narrow, wide = drawn(drawing, 60), drawn(drawing, 100)
    assert " 10% about 5 min left  a ve" in narrow
    assert narrow.endswith("…")
    assert " 10% 0:00, about 5 min left  a very" in wide


@pytest.mark.parametrize(
    ("events", "end"),
    [
        ([], " 0:00  starting"),
        ([Progress()], " 0:00  starting"),
        ([Progress(n_ahead_in_queue=2)], " 0:00  waiting, 2 ahead in the queue"),
        ([Progress(message="Reading")], "  0% 0:00  Reading"),
        ([Progress(fraction=0.5)], " 50% 0:00  running"),
        ([Progress(fraction=0.5), succeeded()], "100% 0:00  built"),
    ],
)
def test_where_the_job_stands_is_shown(events: list[Progress], end: str) -> None:
    line = drawn(of(*events), 80)
    assert line.endswith(end)
    assert ("%" in line) == ("%" in end)  # of what waits, no percentage is known


def test_a_job_that_fails_got_no_further_than_before() -> None:
    assert drawn(of(Progress(fraction=0.5), failed("why")), 60).endswith(" 50% 0:00  failed")


def test_the_clock_stops_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = Drawing("build.py")
    drawing.show(succeeded(), time.monotonic() + 67.5)
    monkeypatch.setattr("workqueue.terminal.drawing.time.monotonic", lambda: 1e9)
    assert " 1:07  built" in drawn(drawing, 60)


@pytest.mark.parametrize("width", [1, 4, 5, 14, 20, 40])
def test_a_very_narrow_terminal_gets_one_line_too(width: int) -> None:
    assert width_of(drawn(of(Progress(fraction=0.42, message=LONG)), width)) <= width
