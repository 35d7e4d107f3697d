"""What a process has used."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.clock import cpu_seconds

_BUSY = """
import sys, time
while time.process_time() < 0.2:
    pass
print("was busy", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not any(Path("/proc/self/task").glob("*/children")), reason="the kernel lists no children")
def test_what_a_child_used_is_its_parents_too() -> None:
    shell = ["/bin/sh", "-c", '"$1" -IS -c "$2"; exit', "sh", sys.executable, _BUSY]
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"was busy\n"
        assert 0.15 < cpu_seconds(process.pid) < 5.0
