"""All processes of a program's group are signalled, whoever has reaped the first of them, and on older kernels too."""

import contextlib
import errno
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.program.test_process import is_gone
from workqueue.program.group import members, signal_group, signal_members

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="/proc tells of groups on Linux alone")


class Group:
    """A shell that begins a session and a group of its own, has a child in it, and ends."""

    def __init__(self) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", "sleep 1000 & echo $!"], stdout=subprocess.PIPE, start_new_session=True
        )
        assert self._shell.stdout is not None
        self.number = self._shell.pid
        self.child = int(self._shell.stdout.readline())
        self.pidfd = os.pidfd_open(self.number)
        os.waitid(os.P_PID, self.number, os.WEXITED | os.WNOWAIT)  # it has ended, and is not reaped

    def reap(self) -> None:
        self._shell.wait()

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.child, signal.SIGKILL)
        os.close(self.pidfd)
        self._shell.communicate()


@pytest.fixture
def group() -> Iterator[Group]:
    group = Group()
    yield group
    group.close()


def test_proc_tells_who_is_in_a_group(group: Group) -> None:
    assert sorted(members(group.number)) == sorted([group.number, group.child])
    assert members(group.number, "Z") == [group.number]
    group.reap()
    assert members(group.number) == [group.child]
    assert members(group.child) == []


def test_what_is_left_of_a_group_is_signalled(group: Group) -> None:
    group.reap()
    signal_members(group.number, signal.SIGTERM)
    assert is_gone(group.child)


@pytest.mark.parametrize("is_reaped", [False, True])
@pytest.mark.parametrize("kernel", ["as it is", "older"])
def test_a_group_is_signalled_whether_or_not_its_first_process_was_reaped(
    group: Group, monkeypatch: pytest.MonkeyPatch, kernel: str, *, is_reaped: bool
) -> None:
    send = signal.pidfd_send_signal

    def refuse_groups(pidfd: int, signum: int, info: None = None, flags: int = 0) -> None:
        if flags:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        send(pidfd, signum, info, flags)

    if kernel == "older":
        monkeypatch.setattr(signal, "pidfd_send_signal", refuse_groups)
    if is_reaped:
        group.reap()
    signal_group(group.number, group.pidfd, signal.SIGTERM)
    assert is_gone(group.child)
