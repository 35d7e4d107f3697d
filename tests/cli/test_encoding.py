"""What is printed where stdout has not all characters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminals import COMMAND
from tests.conftest import write_program


def run(*arguments: str | os.PathLike[str] | bytes, encoding: str) -> bytes:
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        check=False,
        timeout=30,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert b"Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", rb"Gr\xf6\xdfe"), ("latin-1", b"Gr\xf6\xdfe"), ("utf-8", "Größe".encode())]
)
def test_a_report_is_printed_whatever_it_quotes(tmp_path: Path, encoding: str, shown: bytes) -> None:
    program = write_program(tmp_path / "program", r'printf "Gr\303\266\303\237e 50%%\n1\n"; echo x >"$output"')
    report = run("check", program, encoding=encoding)
    assert b"got '" + shown + b" 50%'" in report
    assert report.endswith(b"1 problem to mend.\n")


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system takes UTF-8 alone")
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_path_that_is_not_utf_8_is_printed_as_it_is(tmp_path: Path, encoding: str) -> None:
    program = write_program(tmp_path / "program", 'echo 1; echo built >"$output"')
    storage = os.fsencode(tmp_path) + b"/\xff"
    path = run("run", program, "--storage", storage, encoding=encoding)
    assert path.startswith(storage + b"/")
    assert Path(os.fsdecode(path.strip())).read_text() == "built\n"
