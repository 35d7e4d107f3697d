"""The README: its links lead somewhere, its program keeps the contract, its commands are as CI reads them.

What else it shows is run by tests/servers/test_readme_plugin.py and tests/browser/test_readme_program.py.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.readme import DOCS, README, ROOT, block, blocks

_OVERVIEW = DOCS / "overview.rst"


@pytest.mark.parametrize(
    ("name", "page", "arguments"),
    [("report.py", README, ["Ada"]), ("process-docset.py", _OVERVIEW, ["http://localhost", "1", "token"])],
)
def test_a_program_keeps_its_contract(tmp_path: Path, name: str, page: Path, arguments: list[str]) -> None:
    program = tmp_path / name
    text, n_sleeps = re.subn(r"time\.sleep\([\d.]+\)", "pass", block(name, page))
    assert n_sleeps == 1
    program.write_text(text)
    check = subprocess.run(
        [sys.executable, "-m", "workqueue", "check", program, *arguments], capture_output=True, text=True, check=False
    )
    assert "It keeps the contract." in check.stdout, check
    assert check.returncode == 0


def test_each_link_and_picture_is_in_the_repository() -> None:
    text = README.read_text()
    links = re.findall(r"<(docs/[^>]+)>`_", text)
    [picture] = re.findall(r"image:: (\S+)", text)
    assert len(links) > 10
    assert [path for path in (*links, picture) if not (ROOT / path).is_file()] == []


def test_each_picture_is_small_and_shown_somewhere() -> None:
    pictures = list((DOCS / "pictures").iterdir())
    shown = "\n".join(page.read_text() for page in (README, *DOCS.glob("*.rst")))
    assert [picture.name for picture in pictures if f"pictures/{picture.name}\n" not in shown] == []
    assert max(picture.stat().st_size for picture in pictures) < 60_000


def test_each_example_has_a_test() -> None:
    assert set(blocks(README)) == {"report.py", "app.py", "plugin.py"}
    assert set(blocks(_OVERVIEW)) == {"process-docset.py", "plugin.py", "show.html", "checked.py"}
    assert set(blocks(DOCS / "moving.rst")) == {"before.py", "after.py"}


@pytest.mark.parametrize("command", ["/workqueue demo", "/tox"])
def test_one_command_each_runs_the_demo_and_the_tests(command: str) -> None:
    lines = [line.strip() for line in README.read_text().splitlines() if line.startswith("    python3 -m venv")]
    assert sum(line.endswith(command) for line in lines) == 1
