"""SIGKILL before each system call that publishes, replaces, deletes, evicts or unpacks a tree: whole, or not there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.storage import tree_kills


@pytest.mark.parametrize("scene", tree_kills.SCENES)
def test_a_process_may_be_killed_anywhere(scene: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", tree_kills.__file__, scene, str(tmp_path / "there")]
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5
