"""The programs of docs/languages.rst, each in its own language, where that is installed."""

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.readme import DOCS, block, blocks
from tests.tools import find_command
from workqueue import WorkQueue
from workqueue.testing import collect

PAGE = DOCS / "languages.rst"
TEXT = "one two three"

#: Each program, and what its first line has run it.
PROGRAMS = {"words.py": None, "words.sh": None, "words.js": "node", "words.r": "Rscript"}


@pytest.fixture(autouse=True)
def _scripts_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    monkeypatch.chdir(tmp_path)


def written(name: str, *, executable: bool = True) -> Path:
    path = Path(name).absolute()
    path.write_text(block(name, PAGE))
    path.chmod(0o755 if executable else 0o644)
    return path


@pytest.mark.parametrize(("name", "interpreter"), PROGRAMS.items(), ids=PROGRAMS)
def test_a_program_in_each_language_keeps_the_contract(name: str, interpreter: str | None) -> None:
    if interpreter is not None and find_command(interpreter) is None:
        pytest.skip(f"there is no {interpreter} on PATH")
    program = written(name, executable=interpreter is not None or name.endswith(".sh"))
    with WorkQueue(program, storage_dir="words") as queue:
        job = queue.ensure_run((TEXT,))
        assert job is not None
        events = collect(job, 60)
        assert events[-1].returncode == 0, events[-1].error
        said = "Split" if name == "words.sh" else "Word 3 of 3"
        # The newest line is what counts; a quick program's others may have been replaced by it.
        assert (events[-2].fraction, events[-2].message) == (1.0, said)
        with queue.open_result((TEXT,)) as path:
            assert path.read_text() == "one\ntwo\nthree\n"


def command(name: str, script: str) -> None:
    """Put a command of this name first on PATH."""
    path = Path("bin", name).absolute()
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    os.environ["PATH"] = os.pathsep.join([str(path.parent), os.environ["PATH"]])  # which a fixture restores


def test_ffmpeg_through_adapt() -> None:
    """With a program that prints what ffmpeg prints, and takes the same arguments."""
    command(
        "ffmpeg",
        "echo '  Duration: 00:00:10.00, start: 0' >&2\n"
        "printf 'frame= 9 fps=9 size= 9kB time=00:00:05.00 speed=2x \\r' >&2\n"
        '[ "$1 $2" = "-y -i" ] && case "$4" in *.mp4) cp "$3" "$4";; *) exit 1;; esac',
    )
    Path("a.mov").write_text("film")
    written("convert.sh")
    names: dict[str, WorkQueue] = {}
    exec(block("videos.py", PAGE), names)
    with names["queue"] as queue:
        job = queue.ensure_run((str(Path("a.mov").absolute()),))
        assert job is not None
        events = collect(job, 60)
        assert events[-1].returncode == 0, events[-1].error
        assert 0.5 in [event.fraction for event in events]


def test_tqdm_through_adapt() -> None:
    pytest.importorskip("tqdm")
    Path("train.py").write_text(
        "import sys\nfrom tqdm import tqdm\n"
        "with open(sys.argv[2], 'w') as model:\n"
        "    for n in tqdm(range(3), desc='Epoch'):\n        model.write(sys.argv[1])\n"
    )
    command("python3", f'exec {shlex.quote(sys.executable)} "$@"')
    script = written("train.sh")
    done = subprocess.run([script, "data", "model"], capture_output=True, text=True, check=True)
    assert "1.0\tEpoch: 3/3" in done.stdout
    assert Path("model").read_text() == "data" * 3


def test_every_example_is_run() -> None:
    assert set(blocks(PAGE)) == {*PROGRAMS, "convert.sh", "videos.py", "train.sh"}
