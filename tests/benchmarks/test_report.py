"""What became of all questions is one page, which names what went wrong."""

from dataclasses import replace

import pytest

from benchmarks.answer import Answer, Plot
from benchmarks.questions import Outcome
from benchmarks.report import missed, report_of, summary_of

FAILED = Outcome("other", None, "it had not ended after 300 s")


def test_targets_that_are_missed_and_questions_without_an_answer_are_named(outcome: Outcome) -> None:
    assert [target.what for target in missed([outcome, FAILED])] == ["knots"]
    assert summary_of([outcome, FAILED]) == [
        "1 of 2 targets are met.",
        "",
        "* Missed: knots: 3.00 (target 2.00)",
        "* No answer from `python -m benchmarks.other`: it had not ended after 300 s",
    ]


def test_nothing_is_named_when_all_is_well(answer: Answer) -> None:
    well = Outcome("question", replace(answer, targets=answer.targets[:1]))
    assert missed([well]) == []
    assert summary_of([well]) == ["1 of 1 targets are met."]


def test_the_page_has_facts_targets_and_each_answer(outcome: Outcome) -> None:
    page = report_of([outcome, FAILED], [("Python", "3.11")], {"question": ["plot-question-1.svg"]})
    assert page.splitlines() == [
        "# Report",
        "",
        "Written by `python -m benchmarks`.",
        "",
        *summary_of([outcome, FAILED]),
        "",
        "|  |  |",
        "| --- | --- |",
        "| Python | 3.11 |",
        "",
        "## Targets",
        "",
        "| what | reached | at most |  |",
        "| --- | --: | --: | --- |",
        "| length, m | 1.00 | 2.00 | met |",
        "| knots | 3.00 | 2.00 | **missed** |",
        "",
        "## How long is a piece of `string`?",
        "",
        "| who | length, m |",
        "| --- | --: |",
        "| **workqueue: short** | 1.00 |",
        "| 1.0.1 | 12,346 |",
        r"| a\|b \*\<c\>\* | - |",
        "",
        "![Length](plot-question-1.svg)",
        "",
        "| times as much, for twice the pieces | from end to end | at the steepest |",
        "| --- | --: | --: |",
        "| **workqueue** | 2.00 | 2.00 |",
        "",
        r"* It is not \*that\* long.",
        "* Alone: `python -m benchmarks.question`",
    ]


def test_the_steepest_step_is_told_apart_from_the_whole(answer: Answer) -> None:
    curve = [(1.0, 1.0), (2.0, 1.0), (4.0, 4.0)]
    steep = replace(answer, plots=[Plot("", "n", "ms", {"one": curve})])
    assert "| one | 2.00 | 4.00 |" in report_of([Outcome("question", steep)], [], {"question": ["a.svg"]}).splitlines()


def test_every_plot_must_have_its_picture(outcome: Outcome) -> None:
    with pytest.raises(ValueError, match="zip"):
        report_of([outcome], [], {})
