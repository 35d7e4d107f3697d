"""The examples of docs/program.rst, as their readers would copy them."""

import math
import re
import shlex
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.readme import DOCS, block, blocks
from workqueue import Progress, WorkQueue
from workqueue.cli import main
from workqueue.streams import to_generator
from workqueue.testing import collect

PAGE = DOCS / "program.rst"

PARAMS = ("one two three",)

#: What may differ from one run to the next.
_SECONDS = re.compile(r"\d+\.\d s")

Example = Callable[[str], dict[str, Any]]


@pytest.fixture(autouse=True)
def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All the programs of the page, in the current directory; the shell's is executable."""
    # A machine that is busy takes so long to start Python that the lines of a short program all come at its end.
    monkeypatch.setattr("workqueue.cli.findings._SHORT_RUN_SECONDS", math.inf)
    monkeypatch.chdir(tmp_path)
    for name in ("build.py", "build.sh", "database.py", "later.sh"):
        Path(name).write_text(block(name, PAGE))
    Path("build.sh").chmod(0o755)


@pytest.fixture
def example() -> Iterator[Example]:
    """Runs an example of the page and gives its names; its queues are closed."""
    queues: list[WorkQueue] = []

    def run(name: str) -> dict[str, Any]:
        names: dict[str, Any] = {}
        exec(block(name, PAGE), names)
        queues.extend(value for value in names.values() if isinstance(value, WorkQueue))
        return names

    yield run
    for queue in queues:
        queue.close()


def built(queue: WorkQueue, *fields: str) -> str:
    job = queue.ensure_run(fields)
    assert job is not None
    assert job.wait(30) == Progress(fraction=1.0, returncode=0)
    with queue.open_result(fields) as path:
        return path.read_text()


def shown(name: str) -> tuple[list[str], str]:
    """The arguments of an example's command, and what it prints."""
    command, printed = block(name, PAGE).split("\n", 1)
    assert command.startswith("$ workqueue ")
    return shlex.split(command)[2:], printed


def test_check_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    arguments, printed = shown("check")
    assert main(arguments) == 0
    assert _SECONDS.sub("? s", capsys.readouterr().out) == _SECONDS.sub("? s", printed)


def test_run_prints_where_the_result_is(capsys: pytest.CaptureFixture[str]) -> None:
    arguments, printed = shown("run")
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert out == printed.replace("/home/you", str(Path.cwd()))
    assert Path(out.strip()).read_text() == "one\ntwo\nthree\n"


@pytest.mark.parametrize("program", ["./build.sh", "sh build.sh"])
def test_the_program_in_a_shell_keeps_its_contract(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", program, *PARAMS]) == 0
    summary, verdict = capsys.readouterr().out.splitlines()
    assert "printed 3 lines of progress, wrote 14 bytes" in summary
    assert verdict == "It keeps the contract."


def test_the_program_in_a_shell_sorts() -> None:
    with WorkQueue("./build.sh", storage_dir="sorted") as queue:
        assert built(queue, *PARAMS) == "one\nthree\ntwo\n"


def test_the_queue_builds(example: Example) -> None:
    names = example("queue.py")
    assert collect(names["job"])[-1].returncode == 0
    with names["queue"].open_result(PARAMS) as path:
        assert path.read_text() == "one\ntwo\nthree\n"


def test_commands_build(example: Example) -> None:
    names = example("commands.py")
    assert built(names["words"], *PARAMS) == "one\ntwo\nthree\n"
    assert built(names["sorted_words"], *PARAMS) == "one\nthree\ntwo\n"


def test_the_environment_is_what_the_example_says(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    monkeypatch.setenv("HOME", str(Path.cwd()))
    Path("build.py").write_text("import os, sys\nopen(sys.argv[-1], 'w').write('\\n'.join(sorted(os.environ)))\n")
    names = built(example("environment.py")["queue"], *PARAMS).split()
    assert {"PATH", "HOME", "OMP_NUM_THREADS", "PYTHONUNBUFFERED"} <= set(names)
    assert "DATABASE_PASSWORD" not in names


def test_the_database_is_a_result_and_without_its_last_pragma_it_is_none() -> None:
    program = Path("database.py")
    with WorkQueue(program, storage_dir="results") as queue:
        job = queue.ensure_run(PARAMS)
        assert job is not None
        assert job.wait(30).returncode == 0
        with (
            queue.open_result(PARAMS) as path,
            closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database,
        ):
            assert database.execute("SELECT word FROM words").fetchall() == [("one",), ("two",), ("three",)]
        text = program.read_text()
        assert 'database.execute("PRAGMA journal_mode=DELETE")\n' in text
        program.write_text(text.replace('database.execute("PRAGMA journal_mode=DELETE")\n', ""))
        job = queue.ensure_run(("another",))
        assert job is not None
        assert "it must execute PRAGMA journal_mode=DELETE" in (job.wait(30).error or "")


def test_the_program_that_asks_is_run_later() -> None:
    text, real = block("retries.py", PAGE), "retries=5, retry_delay=60"
    assert real in text
    file = Path("file")
    names: dict[str, Any] = {}
    exec(text.replace(real, "retries=1000, retry_delay=0.01"), names)
    with names["queue"] as queue:
        job = queue.ensure_run((str(file),))
        for progress in to_generator(job.progress, buffer=1000):
            if progress.message == "Waits to be run again: the file is not there yet":
                file.write_text("there")
        assert progress.returncode == 0
    assert "Waits to be run again: the file is not there yet" in " ".join(PAGE.read_text().split())


def test_every_example_is_run() -> None:
    tested = {"build.py", "build.sh", "check", "run", "queue.py", "commands.py", "environment.py", "database.py"}
    assert set(blocks(PAGE)) == tested | {"later.sh", "retries.py"}
