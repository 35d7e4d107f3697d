"""`--suffix` of the commands that run a program."""

from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue.cli import main

#: As a tool does that chooses by the name of its output what it writes.
CHOOSES = 'case $output in */out.mp4) echo 0.5; echo built > "$output";; *) echo "what is $output?" >&2; exit 1;; esac'


@pytest.mark.parametrize("command", [["check"], ["run", "--storage", "storage"]])
def test_the_output_file_has_the_suffix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    program = str(write_program(tmp_path / "program", CHOOSES))
    assert main([*command, program, "a"]) == 1
    told = capsys.readouterr()
    assert "/out?" in told.out + told.err
    assert main([*command, "--suffix", ".mp4", program, "a"]) == 0


@pytest.mark.parametrize("command", ["check", "run"])
def test_what_is_no_suffix_is_told_as_wrong_use(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([command, "program", "--suffix", "mp4"])
    assert "suffix must be a dot and then up to 31 letters" in capsys.readouterr().err
