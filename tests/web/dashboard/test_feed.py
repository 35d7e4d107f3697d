"""One stream of looks: there while somebody reads, and not more often than is useful."""

import logging
import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.servers.server import eventually
from workqueue.streams import to_generator
from workqueue.web.dashboard.feed import Feed

#: Longer than any test.
NEVER = 3600.0


class Looks:
    """What a feed sees: the test says what is there, and may hold a look up."""

    def __init__(self) -> None:
        self.there = "first"
        self.n = 0
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Event()

    def __call__(self) -> str:
        self.n += 1
        self.began.set()
        assert self.gate.wait(20)
        return self.there


@pytest.fixture
def looks() -> Looks:
    return Looks()


def thread_is_there() -> bool:
    return any(thread.name == "workqueue-dashboard" for thread in threading.enumerate())


def test_nobody_looks_while_nobody_reads(looks: Looks) -> None:
    eventually(lambda: not thread_is_there())  # that of the test before may be about to end
    Feed(looks)
    assert looks.n == 0
    assert not thread_is_there()


def test_a_reader_is_told_what_is_there_and_then_what_is_new(looks: Looks) -> None:
    feed = Feed(looks, interval=0.01)
    with closing(to_generator(feed.news, heartbeat=None)) as news:
        assert next(news) == "first"
        looks.there = "second"
        assert next(news) == "second"


def test_what_has_not_changed_is_not_told_again(looks: Looks) -> None:
    feed = Feed(looks, interval=0.001)
    told: list[str] = []
    with feed.news.subscribe(told.append):
        eventually(lambda: looks.n > 20)
    assert told == ["first"]


def test_all_readers_share_one_look(looks: Looks) -> None:
    feed = Feed(looks, interval=NEVER)
    with closing(to_generator(feed.news, None)) as one, closing(to_generator(feed.news, None)) as other:
        assert (next(one), next(other)) == ("first", "first")
        assert looks.n == 1
    feed.left()
    eventually(lambda: not thread_is_there())


def test_the_looks_end_with_the_last_reader(looks: Looks) -> None:
    """At once if it says that it has left, though the next look is an hour away."""
    feed = Feed(looks, interval=NEVER)
    with closing(to_generator(feed.news, None)) as one:
        assert next(one) == "first"
        with closing(to_generator(feed.news, None)) as other:
            assert next(other) == "first"
        feed.left()
        assert thread_is_there()
    feed.left()
    eventually(lambda: not thread_is_there())


def test_a_reader_that_comes_back_is_told_what_is_there_by_then(looks: Looks) -> None:
    feed = Feed(looks, interval=0.01)
    with closing(to_generator(feed.news, heartbeat=None)) as news:
        assert next(news) == "first"
    feed.left()
    eventually(lambda: not thread_is_there())
    looks.there, n_before = "second", looks.n
    # Once the last look is old, a refresh looks again.
    eventually(lambda: feed.refresh() or looks.n > n_before)
    with closing(to_generator(feed.news, heartbeat=None)) as news:
        assert next(news) == "second"
    feed.left()


def test_a_refresh_waits_for_a_look_that_is_under_way(looks: Looks) -> None:
    feed = Feed(looks, interval=NEVER)
    looks.gate.clear()
    refreshed: list[int] = []
    threads = [threading.Thread(target=lambda: (feed.refresh(), refreshed.append(looks.n))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert looks.began.wait(20)
    assert refreshed == []
    looks.gate.set()
    for thread in threads:
        thread.join()
    assert refreshed == [1, 1, 1]
    eventually(lambda: not thread_is_there())


def test_a_refresh_after_a_look_that_is_fresh_does_not_look(looks: Looks) -> None:
    feed = Feed(looks, interval=NEVER)
    feed.refresh()
    feed.refresh()
    assert looks.n == 1
    eventually(lambda: not thread_is_there())


def test_a_look_that_fails_is_logged_and_the_next_one_comes(looks: Looks, caplog: pytest.LogCaptureFixture) -> None:
    failures = iter([OSError("the disk is away")])

    def look() -> str:
        for failure in failures:
            raise failure
        return looks()

    feed = Feed(look, interval=0.01)
    with caplog.at_level(logging.ERROR, "workqueue"), closing(to_generator(feed.news, None)) as news:
        assert next(news) == "first"
    feed.left()
    assert "the disk is away" in caplog.text
    eventually(lambda: not thread_is_there())


def test_a_refresh_does_not_wait_for_ever(looks: Looks) -> None:
    feed = Feed(looks, patience=0.05)
    looks.gate.clear()
    with pytest.raises(TimeoutError, match="could not be looked at"):
        feed.refresh()
    looks.gate.set()
    eventually(lambda: not thread_is_there())


def in_threads(call: Callable[[], None], n: int) -> None:
    """Call it in so many threads at once."""
    threads = [threading.Thread(target=call) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_readers_that_come_and_go_leave_no_thread_and_miss_nothing(looks: Looks) -> None:
    """Above all not one that comes at the moment at which the thread leaves."""
    feed = Feed(looks, interval=0.0005)

    def read() -> None:
        for _ in range(50):
            with closing(to_generator(feed.news, heartbeat=None)) as news:
                assert next(news) == "first"
            feed.left()

    in_threads(read, 4)
    eventually(lambda: not thread_is_there())
