"""`workqueue --print-completion`: the script that it prints, in the shell that it is for."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import find_command, missing
from workqueue.cli import main
from workqueue.cli.parser import COMMANDS

#: What bash does when Tab is pressed after these words, and what it would offer.
_COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
$(complete -p workqueue | sed 's/.*-F \\([^ ]*\\).*/\\1/')
[ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(capsys: pytest.CaptureFixture[str], shell: str) -> str:
    pytest.importorskip("shtab", reason="there is no shtab; install the extra `cli`")
    with pytest.raises(SystemExit, match="0"):
        main(["--print-completion", shell])
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["r"], ["run", "rm"]),
        (["ls", "--s"], ["--sort"]),
        (["ls", "--sort", "s"], ["size"]),
        (["run", "--ref"], ["--refresh"]),
        (["adapt", "t"], ["tqdm"]),
        (["check", "bu"], ["build.py"]),
        (["ls", "res"], ["results"]),
        (["run", "build.py", "--storage", "res"], ["results"]),
    ],
)
def test_bash_completes_commands_options_choices_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], offered: list[str]
) -> None:
    bash = find_command("bash") or missing("there is no bash on PATH")
    (tmp_path / "completion").write_text(script(capsys, "bash"))
    (tmp_path / "build.py").touch()
    (tmp_path / "results").mkdir()
    (tmp_path / "results.txt").touch()  # a storage is a directory
    done = subprocess.run(
        [bash, "--norc", "-c", _COMPLETE, "bash", "completion", "workqueue", *words],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=20,
    )  # fmt: skip
    assert (sorted(done.stdout.split()), done.stderr) == (sorted(offered), "")


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_a_script(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    text = script(capsys, shell)
    assert all(name in text for name in COMMANDS)


def test_without_the_library_it_names_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(SystemExit, match="2"):
        main(["--print-completion", "bash"])
    assert "--print-completion needs an extra: pip install 'overview-plugin-workqueue[cli]'" in capsys.readouterr().err
