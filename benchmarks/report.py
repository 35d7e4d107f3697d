"""report: what became of all questions -> one page of Markdown."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.answer import Answer, Cell, Plot, Target, is_ours, shown
from benchmarks.questions import Outcome

Facts = Sequence[tuple[str, str]]
"""What the machine and the packages were: a name and a value each."""

Pictures = Mapping[str, Sequence[str]]
"""The name of a question -> the files of its plots, in their order."""


def report_of(outcomes: Sequence[Outcome], facts: Facts, pictures: Pictures) -> str:
    """The page, as CommonMark with tables."""
    lines = [
        "# Report",
        "",
        "Written by `python -m benchmarks`.",
        "",
        *summary_of(outcomes),
        "",
        *_table(["", ""], facts, "ll"),
        "",
        "## Targets",
        "",
        *_targets(outcomes),
    ]
    for outcome in outcomes:
        if outcome.answer is not None:
            lines += ["", *_section(outcome.name, outcome.answer, pictures.get(outcome.name, ()))]
    return "\n".join([*lines, ""])


def missed(outcomes: Sequence[Outcome]) -> list[Target]:
    """The targets that were not met."""
    return [target for target in targets_of(outcomes) if not target.is_met]


def targets_of(outcomes: Sequence[Outcome]) -> list[Target]:
    """Those of all questions, in their order."""
    return [target for outcome in outcomes if outcome.answer is not None for target in outcome.answer.targets]


def summary_of(outcomes: Sequence[Outcome]) -> list[str]:
    """Lines that say how many targets were met, and name each that was not, and each question without an answer."""
    all_, not_met = targets_of(outcomes), missed(outcomes)
    first = f"{len(all_) - len(not_met)} of {len(all_)} targets are met."
    named = [f"* Missed: {_plain(t.what)}: {shown(t.reached)} (target {shown(t.limit)})" for t in not_met]
    named += [
        f"* No answer from `python -m benchmarks.{outcome.name}`: {outcome.failure}"
        for outcome in outcomes
        if outcome.answer is None
    ]
    return [first, *(["", *named] if named else [])]


def _targets(outcomes: Sequence[Outcome]) -> Iterator[str]:
    rows = [[_plain(t.what), t.reached, t.limit, "met" if t.is_met else "**missed**"] for t in targets_of(outcomes)]
    yield from _table(["what", "reached", "at most", ""], rows, "lrrl")


def _section(name: str, answer: Answer, pictures: Sequence[str]) -> Iterator[str]:
    yield f"## {_plain(answer.question)}"
    yield ""
    rows = [_marked_up(row) for row in answer.rows]
    yield from _table([_plain(column) for column in answer.columns], rows, "l" + "r" * (len(answer.columns) - 1))
    for plot, picture in zip(answer.plots, pictures, strict=True):
        yield from ("", f"![{_plain(plot.title)}]({picture})", *_growth(plot))
    yield ""
    yield from (f"* {_plain(note)}" for note in answer.notes)
    yield f"* Alone: `python -m benchmarks.{name}`"


def _marked_up(row: Sequence[Cell]) -> Sequence[Cell]:
    """A row whose words are Markdown; the first of one of ours is bold."""
    first, *rest = (_plain(cell) if isinstance(cell, str) else cell for cell in row)
    return [f"**{first}**" if isinstance(first, str) and is_ours(first) else first, *rest]


def _growth(plot: Plot) -> Iterator[str]:
    """A table with what each curve of a cost does where its cause doubles: 2 is in proportion."""
    rows: list[Sequence[Cell]] = []
    for who, points in plot.curves.items() if plot.scale == "growth" else ():
        known = [(x, y) for x, y in points if x > 0 and y > 0]
        if len(known) > 1:
            steepest = max(_for_a_doubling(*step) for step in itertools.pairwise(known))
            rows.append(_marked_up([who, _for_a_doubling(known[0], known[-1]), steepest]))
    if rows:
        yield ""
        head = _plain(f"times as much, for twice the {plot.x}")
        yield from _table([head, "from end to end", "at the steepest"], rows, "lrr")


def _for_a_doubling(first: tuple[float, float], last: tuple[float, float]) -> float:
    (x, y), (last_x, last_y) = first, last
    return float(2.0 ** (math.log(last_y / y) / math.log(last_x / x)))


def _table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], alignment: str) -> Iterator[str]:
    """A table; its cells may have Markdown in them."""
    yield _line(columns)
    yield _line([{"l": "---", "r": "--:"}[letter] for letter in alignment])
    yield from (_line([shown(cell) for cell in row]) for row in rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _plain(text: str) -> str:
    """Text whose characters mean nothing to Markdown; what is between backticks stays code."""
    return re.sub(r"`[^`]*`|[*<>\[\]\\]", lambda found: found[0] if len(found[0]) > 1 else "\\" + found[0], text)
