"""All is done, by as many as may, or what went wrong is told."""

import threading

import pytest

from workqueue.storage.at_once import at_once


@pytest.mark.parametrize("n_threads", [0, 1, 7])
@pytest.mark.parametrize("n_things", [0, 1, 2, 50])
def test_each_is_done_once(n_threads: int, n_things: int) -> None:
    done: list[int] = []
    at_once(done.append, range(n_things), n_threads, name="helper")
    assert sorted(done) == list(range(n_things))


def test_as_many_are_done_at_once_as_there_are_threads() -> None:
    all_are_at_it = threading.Barrier(4)
    at_once(lambda _: all_are_at_it.wait(30), range(8), 3, name="helper")


@pytest.mark.parametrize("n_threads", [0, 3])
def test_what_one_raises_is_raised_and_no_more_is_begun(n_threads: int) -> None:
    done: list[int] = []

    def fail(thing: int) -> None:
        done.append(thing)
        raise ValueError(thing)

    with pytest.raises(ValueError, match=r"\d"):
        at_once(fail, range(100), n_threads, name="helper")
    assert len(done) <= n_threads + 1
