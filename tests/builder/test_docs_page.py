"""The examples of docs/builder.rst, as their readers would copy them."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.builder.conftest import Printed
from tests.readme import DOCS, block, blocks
from workqueue.builder import part, progress, track
from workqueue.cli import main

PAGE = DOCS / "builder.rst"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "documents.txt").write_text("one\ntwo\nthree\n")
    program = tmp_path / "build.py"
    program.write_text(block("build.py", PAGE))
    program.chmod(0o755)
    return program


@pytest.fixture(autouse=True)
def _scripts_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))


def test_the_program_builds_and_prints_what_the_page_shows(program: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, program, tmp_path, tmp_path / "out"], capture_output=True, text=True, check=True
    )
    [shown] = [text for text in PAGE.read_text().split("\n\n") if "$ ./build.py texts out" in text]
    lines = [line.strip() for line in shown.splitlines()[1:]]
    printed = done.stdout.splitlines()
    # A fast loop prints its first line and its last; the page shows a slow one.
    assert set(printed) <= set(lines)
    assert (printed[0], printed[-1]) == (lines[0], lines[-1])
    assert (tmp_path / "out").read_text() == "ONE\nTWO\nTHREE\n"


def test_the_program_keeps_its_contract(program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(program), str(tmp_path)]) == 0
    assert "It keeps the contract." in capsys.readouterr().out


def test_the_program_tells_why_it_fails(program: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, program, tmp_path / "none", tmp_path / "out"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Cannot read the documents: ")


@pytest.mark.parametrize(
    ("name", "n_lines", "last"),
    [
        ("nested.py", 7, "1.0\tReading page 2 of 2"),
        ("parts.py", 4, "1.0\tReading page 2 of 2"),
        ("lines.py", 1, "0.25\tSorting"),
        ("bars.py", 3, "1.0\tResizing: 2/2"),
    ],
)
def test_the_loops_print_progress(printed: Printed, name: str, n_lines: int, last: str) -> None:
    seen: list[str] = []
    names: dict[str, Any] = {
        "part": part,
        "progress": progress,
        "track": track,
        "books": ["ab", "cd"],
        "images": ["x", "y"],
        "read": seen.append,
        "resize": seen.append,
        "open_archive": lambda: ["p", "q"],
    }
    exec(block(name, PAGE), names)
    lines = printed.lines
    assert (len(lines), lines[-1]) == (n_lines, last), lines


def test_the_script_converts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a program that prints what ffmpeg prints, and takes the same arguments."""
    ffmpeg = tmp_path / "bin" / "ffmpeg"
    ffmpeg.parent.mkdir()
    ffmpeg.write_text(
        "#!/bin/sh\necho '  Duration: 00:00:10.00, start: 0' >&2\n"
        "printf 'frame= 9 fps=9 size= 9kB time=00:00:10.00 speed=2x \\r' >&2\n"
        '[ "$1 $2 $4 $5" = "-y -i -f mp4" ] && cp "$3" "$6"\n'
    )
    ffmpeg.chmod(0o755)
    script = tmp_path / "convert.sh"
    script.write_text(block("convert.sh", PAGE))
    script.chmod(0o755)
    (tmp_path / "a.mov").write_text("film")
    monkeypatch.setenv("PATH", os.pathsep.join([str(ffmpeg.parent), os.environ["PATH"]]))
    done = subprocess.run([script, tmp_path / "a.mov", tmp_path / "out"], capture_output=True, text=True, check=True)
    assert done.stdout == "1.0\t00:00:10 of 00:00:10 at 2x\n"
    assert (tmp_path / "out").read_text() == "film"


def test_every_example_is_run() -> None:
    assert set(blocks(PAGE)) == {"build.py", "nested.py", "parts.py", "lines.py", "bars.py", "convert.sh"}
