"""Descriptors are waited for, by poll and by select, to the same effect."""

import os
import select
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from workqueue.system.poll import Poll, make_poll


@pytest.fixture(params=["poll", "select"])
def poll(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Poll:
    if request.param == "select":
        monkeypatch.delattr(select, "poll")  # as eventlet does
    return make_poll()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def ready(poll: Poll, milliseconds: float | None = 0) -> set[int]:
    return {fd for fd, _ in poll.poll(milliseconds)}


def test_what_can_be_read_is_ready_for_as_long_as_it_can(poll: Poll, pair: tuple[socket.socket, socket.socket]) -> None:
    one, other = pair
    poll.register(one.fileno())
    poll.register(other.fileno())
    assert ready(poll) == set()  # though both can be written to
    other.send(b"a")
    assert ready(poll, None) == ready(poll) == {one.fileno()}
    one.recv(1)
    assert ready(poll) == set()


def test_an_end_is_ready_too(poll: Poll, pair: tuple[socket.socket, socket.socket]) -> None:
    one, other = pair
    poll.register(one.fileno())
    other.close()
    assert ready(poll, None) == {one.fileno()}


def test_an_error_is_ready_too(poll: Poll) -> None:
    """The writing end of a pipe, which nobody reads any more."""
    reader, writer = os.pipe()
    poll.register(reader)
    os.close(writer)
    assert ready(poll, None) == {reader}
    os.close(reader)


def test_what_is_no_longer_registered_is_not_ready(poll: Poll, pair: tuple[socket.socket, socket.socket]) -> None:
    one, other = pair
    poll.register(one.fileno())
    other.send(b"a")
    poll.unregister(one.fileno())
    assert ready(poll) == set()
    with pytest.raises(KeyError):
        poll.unregister(one.fileno())


def test_it_waits_no_longer_than_it_is_told(poll: Poll, pair: tuple[socket.socket, socket.socket]) -> None:
    poll.register(pair[0].fileno())
    before = time.monotonic()
    assert ready(poll, 20) == set()
    assert time.monotonic() - before >= 0.019


def test_another_thread_wakes_it(poll: Poll, pair: tuple[socket.socket, socket.socket]) -> None:
    one, other = pair
    poll.register(one.fileno())
    found: list[set[int]] = []
    thread = threading.Thread(target=lambda: found.append(ready(poll, None)))
    thread.start()
    other.send(b"a")
    thread.join()
    assert found == [{one.fileno()}]
