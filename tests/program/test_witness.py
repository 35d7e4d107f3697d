"""Was a signal sent to this process alone, or to its group? In groups of their own, each of a real process."""

import os
import signal
import subprocess
import sys

import pytest

from workqueue.program.witness import Witness

_SCRIPT = """
import os, signal, sys
from workqueue.program.witness import Witness

signum, target = int(sys.argv[1]), sys.argv[2]
signal.signal(signum, lambda *_: None)
with Witness() as witness:
    for _ in range(2):
        (os.killpg if target == "group" else os.kill)(os.getpid(), signum)
        print(witness.got(signum), flush=True)
"""


def found(signum: int, target: str, **options: object) -> list[str]:
    command = [sys.executable, "-c", _SCRIPT, str(int(signum)), target]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, process_group=0, **options)  # type: ignore[call-overload]
    lines: list[str] = done.stdout.splitlines()
    return lines


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
@pytest.mark.parametrize(("target", "expected"), [("group", "True"), ("process", "False")])
def test_it_knows_each_time(signum: int, target: str, expected: str) -> None:
    assert found(signum, target) == [expected, expected]


def test_without_a_cat_it_is_taken_to_be_for_us_alone() -> None:
    assert found(signal.SIGTERM, "group", env={**os.environ, "PATH": "/nonexistent"}) == ["False", "False"]


def test_in_this_process_too() -> None:
    with Witness() as witness:
        assert witness._popen is not None
        assert not witness.got(signal.SIGTERM)
        # As a signal to the whole group would; this one is pytest's.
        witness._popen.send_signal(signal.SIGTERM)
        assert witness.got(signal.SIGTERM)
        witness._popen.send_signal(signal.SIGINT)
        assert not witness.got(signal.SIGTERM)
