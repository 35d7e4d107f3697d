"""An answer as text, and as JSON and back."""

import json
from dataclasses import asdict

import pytest

from benchmarks.answer import Answer, Cell, answer_of, shown, text_of


def test_an_answer_is_a_table_then_targets_then_notes(answer: Answer) -> None:
    assert text_of(answer).splitlines() == [
        "How long is a piece of `string`?",
        "",
        "who               length, m",
        "workqueue: short       1.00",
        "1.0.1                12,346",
        "a|b *<c>*                 -",
        "",
        "met: length, m: 1.00 (target 2.00)",
        "NOT MET: knots: 3.00 (target 2.00)",
        "It is not *that* long.",
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "-"),
        ("word", "word"),
        (0, "0"),
        (0.01234, "0.0123"),
        (9.999, "10.00"),
        (1234.5, "1,234"),
        (-90.0, "-90.0"),
    ],
)
def test_numbers_are_shown_with_three_digits(cell: Cell, text: str) -> None:
    assert shown(cell) == text


def test_an_answer_survives_json(answer: Answer) -> None:
    assert answer_of(json.loads(json.dumps(asdict(answer)))) == answer
