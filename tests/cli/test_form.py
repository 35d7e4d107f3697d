"""`--result` of the commands that run a program."""

from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue.cli import main


@pytest.mark.parametrize("command", [["check"], ["run", "--storage", "storage"]])
def test_the_output_is_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    program = str(write_program(tmp_path / "program", 'echo 0.5; echo built > "$output/file"'))
    assert main([*command, program, "a"]) == 1
    told = capsys.readouterr()
    assert "directory" in (told.out + told.err).lower()
    assert main([*command, "--result", "directory", program, "a"]) == 0
    if command == ["check"]:
        assert "wrote 6 bytes" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["check"], ["run", "--storage", "storage"]])
def test_what_is_no_result_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    program = str(write_program(tmp_path / "program", 'echo 0.5; ln -s /etc "$output/link"'))
    assert main([*command, "--result", "directory", program]) == 1
    told = capsys.readouterr()
    assert "symbolic link, 'link', that may lead out of it" in told.out + told.err
