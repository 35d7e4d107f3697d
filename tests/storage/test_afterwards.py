"""What can wait is done when the block has ended, in its thread; without one, now."""

import threading

import pytest

from workqueue.storage.afterwards import afterwards, putting_off


def test_without_a_block_it_is_done_now() -> None:
    done: list[str] = []
    afterwards(lambda: done.append("a"))
    assert done == ["a"]


def test_in_a_block_it_is_done_at_its_end_in_order() -> None:
    done: list[str] = []
    with putting_off():
        afterwards(lambda: done.append("a"))
        afterwards(lambda: done.append("b"))
        done.append("the end is told")
    assert done == ["the end is told", "a", "b"]
    afterwards(lambda: done.append("c"))
    assert done[-1] == "c"


def test_a_block_is_its_threads_alone() -> None:
    done: list[str] = []
    with putting_off():
        other = threading.Thread(target=afterwards, args=(lambda: done.append("another thread's"),))
        other.start()
        other.join()
        assert done == ["another thread's"]


def test_nothing_is_done_for_a_block_that_raises() -> None:
    done: list[str] = []

    def run() -> None:
        with putting_off():
            afterwards(lambda: done.append("a"))
            raise SystemExit

    with pytest.raises(SystemExit):
        run()
    assert done == []


def test_what_one_raises_is_logged_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("a storage's own")

    done: list[str] = []
    with putting_off():
        afterwards(fail)
        afterwards(lambda: done.append("b"))
    assert done == ["b"]
    assert "a storage's own" in caplog.text
