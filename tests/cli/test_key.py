"""`workqueue key`: the name under which a result is found."""

from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue import OverviewViewParams, WorkQueue
from workqueue.cli import main
from workqueue.testing import ScriptedProgram, output


@pytest.fixture
def program(tmp_path: Path) -> str:
    return str(write_program(tmp_path / "build.sh", 'echo built >"$output"'))


def key(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["key", *arguments]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    [line] = printed.out.splitlines()
    return line


OPTIONS: list[list[str]] = [[], ["--version", "7"], ["--name", "docsets"], ["--name", "docsets", "--version", "7"]]


@pytest.mark.parametrize("options", OPTIONS)
def test_it_is_the_name_of_what_run_builds(
    tmp_path: Path, program: str, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    storage = str(tmp_path / "results")
    assert main(["run", *options, program, "a", "b c", "--storage", storage]) == 0
    built = Path(capsys.readouterr().out.strip())
    assert key(capsys, *options, program, "a", "b c") == built.name
    assert main(["ls", storage, built.name]) == 0
    assert capsys.readouterr().out.endswith("1 result, 6 bytes\n")


def test_a_directory_has_a_key_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = str(write_program(tmp_path / "build.sh", 'echo built >"$output/file"'))
    arguments = ["--result", "directory", program, "a"]
    assert main(["run", *arguments, "--storage", str(tmp_path / "results")]) == 0
    built = Path(capsys.readouterr().out.strip())
    assert key(capsys, *arguments) == built.name != key(capsys, program, "a")


def test_it_is_the_key_of_a_server_s_queue(tmp_path: Path, program: str, capsys: pytest.CaptureFixture[str]) -> None:
    params = OverviewViewParams("HTTPS://www.OverviewDocs.com:443/", "1", "token")
    with WorkQueue(program, storage_dir=tmp_path / "a") as queue:
        assert key(capsys, program, "https://www.overviewdocs.com", "1", "token") == queue.key_for_params(params)
    with WorkQueue(program, storage_dir=tmp_path / "b", key=lambda params: params[:2]) as queue:
        assert key(capsys, program, "https://www.overviewdocs.com", "1") == queue.key_for_params(params)


def test_it_is_the_same_from_everywhere(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The program's path, and where it is now, are no part of it."""
    assert key(capsys, "--name", "build.sh", "/no/such/program", "a") == key(capsys, program, "a")
    assert key(capsys, f"sh {program}", "a") != key(capsys, program, "a")


def test_nothing_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    key(capsys, str(program.path), "a")
    assert program.runs == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/no/such/program", "a"], "/no/such/program: there is no such file. Give --name if"),
        (["no-such-program-at-all", "a"], "there is no no-such-program-at-all on PATH. Give --name if"),
        (["/bin/sh", "x" * 10_000], "workqueue: field 0 must be at most 8192 bytes long"),
    ],
)
def test_what_has_no_key_is_wrong_use(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert main(["key", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert words in printed.err


def test_an_empty_name_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["key", "--name", "", "/bin/sh"])
    assert "argument --name: it is empty; leave it out to use the program's file name" in capsys.readouterr().err
