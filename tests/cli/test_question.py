"""`workqueue rm --all` asks the person at the terminal."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.terminals import COMMAND, open_terminal
from workqueue.storage import DiskStorage

KEYS = [letter * 40 for letter in "ab"]

QUESTION = "Remove 2 results (20 bytes) from {}? [y/N] "


@pytest.fixture
def storage(tmp_path: Path) -> DiskStorage:
    storage = DiskStorage(tmp_path / "results")
    for key in KEYS:
        with storage.workspace(key) as workspace:
            workspace.output.write_bytes(bytes(10))
            workspace.publish()
    return storage


def keys(storage: DiskStorage) -> list[str]:
    return sorted(result.key for result in storage.results())


def ask(storage: DiskStorage, answer: bytes | None, *options: str) -> tuple[int, str, str]:
    """Run it on a terminal, and answer its question; return the status, stdout, and what the terminal shows."""
    with open_terminal(200) as terminal:
        process = subprocess.Popen(
            [*COMMAND, "rm", storage.directory, "--all", *options],
            stdin=terminal.theirs, stdout=subprocess.PIPE, stderr=terminal.theirs, text=True,
        )  # fmt: skip
        if answer is not None:
            terminal.read_until(b"[y/N] ")
            if answer == b"\x03":  # it is not the controlling terminal, which would send this
                process.send_signal(signal.SIGINT)
            else:
                terminal.type(answer)
        out, _ = process.communicate(timeout=20)
        return process.returncode, out, terminal.read_all().replace("\r\n", "\n")


@pytest.mark.parametrize("answer", [b"y\n", b"Yes\n"])
def test_yes_removes_them(storage: DiskStorage, answer: bytes) -> None:
    status, out, shown = ask(storage, answer)
    assert (status, out.split()) == (0, KEYS)
    assert shown.startswith(QUESTION.format(storage.directory))
    assert shown.endswith("2 results removed, 20 bytes\n")
    assert keys(storage) == []


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"yesterday\n", b"\x04"])
def test_anything_else_removes_nothing(storage: DiskStorage, answer: bytes) -> None:
    status, out, shown = ask(storage, answer)
    assert (status, out) == (1, "")
    assert shown.endswith("\nNothing was removed.\n")
    assert keys(storage) == KEYS


def test_an_interrupt_removes_nothing(storage: DiskStorage) -> None:
    status, out, shown = ask(storage, b"\x03")
    assert (status, out) == (130, "")
    assert shown.endswith("Interrupted.\n")
    assert keys(storage) == KEYS


@pytest.mark.parametrize(("option", "n_left"), [("--yes", 0), ("--dry-run", 2)])
def test_some_options_need_no_question(storage: DiskStorage, option: str, n_left: int) -> None:
    status, out, shown = ask(storage, None, option)
    assert (status, out.split()) == (0, KEYS)
    assert "[y/N]" not in shown
    assert len(keys(storage)) == n_left


def test_nothing_is_asked_of_an_empty_storage(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert ask(DiskStorage(tmp_path / "results"), None) == (0, "", "0 results removed, 0 bytes\n")


def test_a_question_that_nobody_would_see_is_not_asked(storage: DiskStorage) -> None:
    with open_terminal(80) as terminal:
        done = subprocess.run(
            [*COMMAND, "rm", storage.directory, "--all"],
            stdin=terminal.theirs, capture_output=True, text=True, check=False, timeout=20,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "add --yes" in done.stderr
    assert keys(storage) == KEYS
