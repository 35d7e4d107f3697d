"""What the tests of the benchmarks need."""

import pytest

from benchmarks.answer import Answer
from benchmarks.plots import draw
from benchmarks.questions import Outcome
from tests.benchmarks.question import measure


@pytest.fixture(scope="session", autouse=True)
def _fonts_are_open(tmp_path_factory: pytest.TempPathFactory) -> None:
    """From the first picture on, matplotlib keeps them."""
    draw(measure().plots[0], tmp_path_factory.mktemp("fonts") / "a.svg")


@pytest.fixture
def answer() -> Answer:
    """That of `question.py`."""
    return Answer(**{**vars(measure()), "question": "How long is a piece of `string`?"})


@pytest.fixture
def outcome(answer: Answer) -> Outcome:
    """It was asked, and answered."""
    return Outcome("question", answer)
