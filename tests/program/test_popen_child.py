"""A child of `subprocess`: its group is signalled for as long as it is known to be its group."""

import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from workqueue.program.popen_child import PopenChild

MakeChild = Callable[[str], PopenChild]


@pytest.fixture
def make_child() -> Iterator[MakeChild]:
    children: list[PopenChild] = []

    def make(text: str) -> PopenChild:
        pipe = subprocess.PIPE
        popen = subprocess.Popen(["sh", "-c", text], stdout=pipe, stderr=pipe, bufsize=0, process_group=0)
        children.append(PopenChild(popen))
        return children[-1]

    yield make
    for child in children:
        child.signal(signal.SIGKILL)
        child.reap()
        child.close()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="its number is all there is without Linux's pidfds")
def test_what_it_left_behind_is_signalled_after_its_exit_was_seen(make_child: MakeChild) -> None:
    child = make_child("sleep 1000 & exit 3")
    assert child.reap() == 3
    assert child.has_exited()
    child.signal(signal.SIGKILL)
    # Its end of the pipe is closed: there is something to read, which is nothing.
    assert select.select([child.stdout], [], [], 20)[0]
    assert os.read(child.stdout, 1) == b""


@pytest.mark.parametrize("has_pidfds", [True, False])
def test_one_that_runs_is_signalled(make_child: MakeChild, monkeypatch: pytest.MonkeyPatch, has_pidfds: bool) -> None:
    if not has_pidfds:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    child = make_child("exec sleep 1000")
    assert not child.has_exited()
    child.signal(signal.SIGTERM)
    assert child.reap() == -signal.SIGTERM


def test_without_pidfds_nobody_is_signalled_after_its_exit_was_seen(
    make_child: MakeChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    child = make_child("exit 0")
    assert child.reap() == 0
    monkeypatch.setattr(os, "killpg", lambda *args: pytest.fail("the number may be another's by now"))
    child.signal(signal.SIGKILL)
