"""The tests that docs/testing.rst shows are run by pytest, as its readers would."""

import subprocess
import sys
from pathlib import Path

from tests.readme import DOCS, block, blocks

PAGE = DOCS / "testing.rst"


def test_the_pages_tests_pass_and_are_tests(tmp_path: Path) -> None:
    for name, text in blocks(PAGE).items():
        (tmp_path / name).write_text(text + "\n")
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout

    # They are tests: a plugin that builds another report than the one that was asked for does not pass.
    plugin = block("plugin.py", PAGE)
    assert plugin.count('fields["name"]') == 1
    (tmp_path / "plugin.py").write_text(plugin.replace('fields["name"]', '"another"'))
    assert "1 failed" in run_pytest(tmp_path).stdout


def run_pytest(directory: Path) -> "subprocess.CompletedProcess[str]":
    """In a process of its own, without what configures ours."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "."]
    return subprocess.run(
        [*command, "."], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
