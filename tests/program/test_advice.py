"""What a failed program's author may not know: that its output is there when it starts."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue import WorkQueue
from workqueue.program.advice import DIRECTORY_IS_THERE, OUTPUT_IS_THERE, hint

MakeQueue = Callable[..., WorkQueue]


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ('IO Error: The file "{}" exists, but it is not a valid DuckDB database file!', True),
        ("Traceback:\nFileExistsError: [Errno 17] File exists: '{}'\n", True),
        ("fatal: destination path '{}' already exists and is not an empty directory.", True),
        ("{} is Not A Valid archive", True),
        ("{} does not exist", False),
        ("/etc/hosts exists", False),
        ("{}\nit exists", False),
        ("cannot open {}: Permission denied", False),
        ("", False),
    ],
)
def test_who_complains_of_the_empty_file_is_told_where_it_is_from(tmp_path: Path, text: str, is_told: bool) -> None:
    output = tmp_path / "out"
    output.touch()
    assert hint(output, text.format(output)) == (OUTPUT_IS_THERE if is_told else "")


def not_there(path: Path) -> None:
    pass


def written(path: Path) -> None:
    path.write_text("x")


@pytest.mark.parametrize("make", [not_there, written, Path.mkdir, lambda path: path.symlink_to("/dev/null")])
def test_who_complains_of_something_else_is_told_nothing(tmp_path: Path, make: Callable[[Path], None]) -> None:
    output = tmp_path / "out"
    make(output)
    assert hint(output, f"{output} exists") == ""


def test_who_complains_of_the_empty_directory_is_told_where_it_is_from(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    assert hint(output, f"mkdir: {output}: File exists", is_directory=True) == DIRECTORY_IS_THERE
    (output / "file").touch()
    assert hint(output, f"mkdir: {output}: File exists", is_directory=True) == ""


CREATES = "import os, sys; {}; os.close(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL)); {}"


def test_a_program_that_wants_no_file_there_is_told_what_to_do_and_then_works(
    make_queue: MakeQueue, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    writes = "open(sys.argv[1], 'w').write('built')"
    write_program(program, f'"{sys.executable}" -c "{CREATES.format("pass", writes)}" "$output"')
    queue = make_queue(program)
    job = queue.ensure_run(("a",))
    assert job is not None
    error = job.wait(10).error
    assert error is not None
    assert error.startswith("Exited with code 1\nstderr:\nTraceback")
    assert error.endswith(OUTPUT_IS_THERE)
    write_program(program, f'"{sys.executable}" -c "{CREATES.format("os.unlink(sys.argv[1])", writes)}" "$output"')
    job = queue.ensure_run(("a",))
    assert job is not None
    assert job.wait(10).returncode == 0
    assert queue.destination_path_for_params(("a",)).read_text() == "built"
