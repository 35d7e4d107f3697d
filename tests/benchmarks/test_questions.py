"""A question is asked of a process of its own, and whatever becomes of that is an outcome."""

import os
import re
import select
from pathlib import Path

import pytest

import benchmarks
from benchmarks.answer import Answer
from benchmarks.questions import QUESTIONS, Outcome, ask


def ask_ours(time_limit: float = 60.0) -> Outcome:
    return ask("question", package="tests.benchmarks", time_limit=time_limit)


def test_the_answer_is_what_was_measured_with_the_first_line_of_the_docstring(answer: Answer) -> None:
    found = ask_ours()
    assert found.failure == ""
    assert found.answer is not None
    assert found.answer.question.startswith("How long is a piece of `string`?")
    assert found.answer == Answer(**{**vars(answer), "question": found.answer.question})


@pytest.mark.parametrize(
    ("does", "failure"),
    [
        ("fails", "it ended with status 1"),
        ("is silent", "it wrote no answer"),
    ],
)
def test_no_answer_has_its_reason(does: str, failure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKQUEUE_TEST_QUESTION", does)
    assert ask_ours() == Outcome("question", None, failure)


def test_what_takes_too_long_is_killed_with_the_programs_that_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKQUEUE_TEST_QUESTION", "hangs")
    monkeypatch.setenv("WORKQUEUE_TEST_PIPE", str(tmp_path / "pipe"))
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert ask_ours(2.0) == Outcome("question", None, "it had not ended after 2 s")
        # The program, if it had begun by then, is killed by now, but perhaps not gone.
        while not is_at_end(reader):
            assert select.select([reader], [], [], 10)[0]
    finally:
        os.close(reader)


def is_at_end(pipe: int) -> bool:
    """Whether nobody has the other end of a pipe open."""
    try:
        return os.read(pipe, 1) == b""
    except BlockingIOError:
        return False


def test_every_question_is_in_the_list() -> None:
    """Else it would be in no report."""
    assert benchmarks.__file__ is not None
    files = {
        file.stem
        for file in Path(benchmarks.__file__).parent.glob("*.py")
        if re.search(r"^    run\(", file.read_text(), re.M)
    }
    assert files
    assert files <= set(QUESTIONS)
    assert len(set(QUESTIONS)) == len(QUESTIONS)
