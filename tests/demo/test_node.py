"""One process of the demo's cluster: who kills it is not held up by who starts it again."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.demo.conftest import PATIENCE
from workqueue.demo.cluster.node import Node
from workqueue.program.warden import Warden


class LateCondition(threading.Condition):
    """One thread, once it is woken, comes too late: another was quicker."""

    def __init__(self, is_late: Callable[[], bool]) -> None:
        super().__init__(threading.Lock())
        self._is_late = is_late
        self.woken = threading.Event()
        self.may_go_on = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        is_notified = super().wait(timeout)
        if self._is_late():
            self.release()
            self.woken.set()
            self.may_go_on.wait(PATIENCE)
            self.acquire()
        return is_notified


def test_a_node_that_is_started_again_while_it_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kill returns: the process that it killed is dead, whatever runs now."""
    warden = Warden()
    node = Node("a node", ("/bin/sleep", "60"), warden, tmp_path, {})
    killer = threading.Thread(target=node.kill, name="killer")
    condition = LateCondition(lambda: threading.current_thread() is killer)
    monkeypatch.setattr(node, "_changed", condition)
    try:
        node.start()
        first = node.status.pid
        killer.start()
        assert condition.woken.wait(PATIENCE)
        node.start()
        condition.may_go_on.set()
        killer.join(PATIENCE)
        is_held_up = killer.is_alive()
        second = node.status.pid
    finally:
        condition.may_go_on.set()
        node.close(0.0)
        node.join()
        killer.join()
        warden.close()
    assert not is_held_up
    assert second is not None
    assert first != second


def test_to_kill_what_does_not_run_is_nothing(tmp_path: Path) -> None:
    warden = Warden()
    node = Node("a node", ("/bin/sleep", "60"), warden, tmp_path, {})
    try:
        node.kill()
        assert node.status.pid is None
    finally:
        node.close(0.0)
        node.join()
        warden.close()
