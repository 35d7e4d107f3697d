"""What a stranger reads first: `--help` of the whole and of each command, `--version`, and errors."""

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import workqueue
from workqueue.cli import main
from workqueue.cli.exit_statuses import COMMON, TABLE, as_text, statuses_of
from workqueue.cli.parser import COMMANDS, build_parser
from workqueue.terminal.width import width_of

#: Each has examples in its help.
OWN = sorted(COMMANDS)


@pytest.fixture(autouse=True)
def _usual_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit, match="0"):
        main([*arguments, "--help"])
    return capsys.readouterr().out


def commands() -> dict[str, argparse.ArgumentParser]:
    [subparsers] = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(subparsers.choices)


def examples(text: str) -> list[str]:
    """The commands below "Examples:", each in one line."""
    block = re.search(r"^Examples:\n((?:  .*\n)+)", text, re.MULTILINE)
    assert block, text
    return [line.strip() for line in re.sub(r" \\\n +", " ", block[1]).splitlines()]


def test_help_lists_every_command_by_task_and_names_the_docs(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys)
    assert text.startswith("usage: workqueue [-h] [--version] COMMAND ...\n\nRun a slow program once ")
    tasks = ["Write a program for a queue:", "Look after results:", "Run and watch jobs:", "See an example:"]
    assert [line for line in text.splitlines() if line in tasks] == tasks
    listed = re.findall(r"^  (\w+) ", text[: text.index("\nOptions:")], re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
    assert "docs/index.rst" in text
    assert as_text(COMMON) in text


def test_a_command_of_no_task_is_listed_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workqueue.cli.parser._TASKS", {"Some task": ("check",)})
    text = printed(capsys)
    assert "Some task:\n  check " in text
    assert "Other commands:\n  run " in text


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_does_and_how_it_ends(capsys: pytest.CaptureFixture[str], name: str) -> None:
    text = printed(capsys, name)
    summary = (COMMANDS[name].__doc__ or "").splitlines()[0]
    assert text.startswith(f"usage: workqueue {name} [-h]")
    assert re.fullmatch(r"[A-Z].*\.", summary)
    assert summary in " ".join(text.split())
    assert text.rstrip().endswith(as_text(statuses_of(name)))


@pytest.mark.parametrize("name", OWN)
def test_each_command_has_examples_that_it_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("WORKQUEUE_NATS_URL", raising=False)
    shown = examples(printed(capsys, name))
    assert shown
    for example in shown:
        program, *arguments = shlex.split(example)
        assert program == "workqueue"
        assert build_parser().parse_args(arguments).run is COMMANDS[arguments[0]].run


def test_the_examples_of_the_whole_are_taken_too(capsys: pytest.CaptureFixture[str]) -> None:
    for example in examples(printed(capsys)):
        assert build_parser().parse_args(shlex.split(example)[1:]).run is not None


@pytest.mark.parametrize("name", ["", *OWN])
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_help_fits_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, columns: int
) -> None:
    """Examples and tables, which are not to be broken, fit 80 columns; no text is wider than 100."""
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = printed(capsys, *filter(None, [name])).splitlines()
    assert max(map(width_of, lines)) <= {60: 80, 80: 80, 200: 100}[columns]
    assert all(width_of(line) < columns for line in lines if line and not line.startswith("  "))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_is_explained(name: str) -> None:
    for action in commands()[name]._actions:
        assert action.help or name not in OWN, action


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"workqueue {workqueue.__version__}\n"


def test_without_a_command_it_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == build_parser().format_help()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["ls"], "workqueue ls: error: the following arguments are required: STORAGE\nSee `workqueue ls --help`.\n"),
        (["check"], "workqueue check: error: the following arguments are required: PROGRAM\n"),
        (["run", "a"], "workqueue run: error: the following arguments are required: --storage\n"),
        (["nonsense"], "workqueue: error: argument COMMAND: invalid choice: 'nonsense' (choose from "),
        (
            ["check", "./build.py", "-x"],
            "workqueue: error: unrecognized arguments: -x\nIf they belong to PROGRAM or COMMAND, put a double dash",
        ),
        (["check", " "], "workqueue check: error: argument PROGRAM: it is empty; give a path, or a command in quotes"),
        (["check", "a 'b"], 'argument PROGRAM: "a \'b" is not a command that a shell could read: No closing quotation'),
    ],
)
def test_an_error_says_what_is_wrong_and_where_to_look(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert complaint in shown.err
    assert len(shown.err.splitlines()) <= 3


def test_the_table_of_exit_statuses_is_of_commands_that_there_are() -> None:
    assert set(TABLE) <= set(COMMANDS)
    for statuses in (COMMON, *TABLE.values()):
        assert list(statuses) == sorted(statuses)
        assert all(width_of(line) <= 78 for line in as_text(statuses).splitlines())
    assert statuses_of("a command without a row") == COMMON


def test_the_parser_is_made_without_an_effect(tmp_path: Path) -> None:
    """For what renders it: it prints nothing, makes no file, and starts no thread."""
    script = (
        "import threading; from workqueue.cli.parser import build_parser;"
        "build_parser().format_help(); assert threading.active_count() == 1"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, cwd=tmp_path, env=environment
    )
    assert (done.stdout, done.stderr, list(tmp_path.iterdir())) == (b"", b"", [])
