"""The command asks, writes the report, and says by its status whether all is well."""

import platform
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import host, questions
from benchmarks.questions import Outcome


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the question of these tests, whatever the name."""
    monkeypatch.setattr(command, "ask", lambda name: questions.ask(name, package="tests.benchmarks"))


@pytest.mark.usefixtures("ask")
def test_a_report_takes_the_place_of_an_earlier_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plot-earlier-1.svg").touch()
    assert command.main(["question", "--out", str(tmp_path)]) == 1  # for the target that it misses
    assert sorted(file.name for file in tmp_path.iterdir()) == ["plot-question-1.svg", "report.md"]
    assert "![Length](plot-question-1.svg)" in (tmp_path / "report.md").read_text()
    out = capfd.readouterr().out
    assert "NOT MET: knots" in out  # as it came
    assert out.endswith("1 of 2 targets are met.\n\n* Missed: knots: 3.00 (target 2.00)\n")


@pytest.mark.usefixtures("ask")
def test_a_question_without_an_answer_is_in_the_report_and_in_the_status(tmp_path: Path) -> None:
    assert command.main(["nothing", "--out", str(tmp_path)]) == 1
    text = (tmp_path / "report.md").read_text()
    assert "* No answer from `python -m benchmarks.nothing`: it ended with status 1" in text


def test_the_status_is_0_when_all_is_well(tmp_path: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome.answer is not None
    well = Outcome("question", type(outcome.answer)(**{**vars(outcome.answer), "targets": outcome.answer.targets[:1]}))
    monkeypatch.setattr(command, "ask", lambda name: well)
    assert command.main(["question", "--out", str(tmp_path)]) == 0


def test_facts_name_no_directory_and_no_host() -> None:
    facts = dict(host.facts())
    assert {"date", "processor", "system", "Python", "workqueue", "beside it"} <= set(facts)
    assert not any("/" in value for value in facts.values())
    assert platform.node() not in " ".join(facts.values()).split()
