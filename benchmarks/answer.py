"""answer: what one question's file measured -> a table in the terminal, or JSON for the report."""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

#: Who a row or a curve is about, when it is about this library.
OURS = "workqueue"


def is_ours(who: str) -> bool:
    """Whether a row or a curve is about this library, or one of its ways: ``"workqueue: asyncio"``."""
    return who.startswith(OURS)


Cell = str | float | None
"""A word; a number, shown with three digits; None, where a peer cannot do what is asked."""


@dataclass(frozen=True)
class Target:
    """A figure that this library is to reach, and what it reached."""

    what: str
    """In words, with the unit: ``"one event to 10,000 clients, ms"``."""

    reached: float
    limit: float

    @property
    def is_met(self) -> bool:
        """Whether it is no more than the limit."""
        return self.reached <= self.limit


Scale = Literal["growth", "spread", "plain"]
"""What the axes are. "growth": both are logarithmic; a cost that grows as its cause does is a straight line of slope 1.
"spread": x is a percentage of all values that were measured, and y the value that so many are not above, which alone is
logarithmic. "plain": both begin at 0, and neither is logarithmic.
"""


@dataclass(frozen=True)
class Plot:
    """How a figure changes with the size of its cause: a curve each for this library and its peers."""

    title: str
    x: str
    """What is on the axis, with the unit: ``"clients"``."""

    y: str
    curves: dict[str, list[tuple[float, float]]]
    """Who -> points; the points of one curve have ascending x."""

    scale: Scale = "growth"


@dataclass(frozen=True)
class Answer:
    """What a question's file found out, in one run."""

    columns: Sequence[str]
    """The heads of the table; the first is who or what the row is about."""

    rows: Sequence[Sequence[Cell]]
    targets: Sequence[Target] = ()
    plots: Sequence[Plot] = ()
    notes: Sequence[str] = ()
    """A sentence each: how it was measured, what a peer cannot do, which peer was not there."""

    question: str = field(default="", kw_only=True)
    """Filled in by `run`, from the first line of the file's docstring."""


def run(measure: Callable[[], Answer]) -> None:
    """The main function of a question's file: measure, and print the answer.

    Args:
        measure: takes no arguments; its module's docstring begins with the question, in one line.
    """
    docstring = sys.modules[measure.__module__].__doc__ or ""
    parser = argparse.ArgumentParser(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the answer to FILE too")
    options = parser.parse_args()
    answer = Answer(**{**vars(measure()), "question": docstring.partition("\n")[0]})
    print(text_of(answer))
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(answer)))


def answer_of(data: dict[str, Any]) -> Answer:
    """The answer that `run` wrote as JSON.

    Args:
        data: what `json.loads` made of it.
    """
    targets = [Target(**target) for target in data["targets"]]
    plots = [
        Plot(**{**plot, "curves": {who: [(x, y) for x, y in points] for who, points in plot["curves"].items()}})
        for plot in data["plots"]
    ]
    return Answer(**{**data, "targets": targets, "plots": plots})


def text_of(answer: Answer) -> str:
    """The answer as lines for a terminal."""
    cells = [list(answer.columns), *([shown(cell) for cell in row] for row in answer.rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(answer.columns))]
    lines = [answer.question, ""]
    for row in cells:
        first, *rest = (
            cell.ljust(w) if not i else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *rest]).rstrip())
    lines += [
        "",
        *(
            f"{'met' if t.is_met else 'NOT MET'}: {t.what}: {shown(t.reached)} (target {shown(t.limit)})"
            for t in answer.targets
        ),
    ]
    return "\n".join([*lines, *answer.notes])


def shown(cell: Cell) -> str:
    """A cell's text: three significant digits, thousands apart, and a dash for nothing."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    if not cell or not math.isfinite(cell):
        return f"{cell:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(cell))))
    return f"{cell:,.{digits}f}"
