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


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("is_helper", [True, False])
def test_an_interrupt_is_raised_by_the_caller_whoever_met_it(kind: type[BaseException], is_helper: bool) -> None:
    """Whoever was told that all is done would publish a result that is not whole."""
    all_are_at_it, caller = threading.Barrier(2), threading.current_thread()

    def work(thing: int) -> None:
        if thing < 2:  # one is the caller's, one the helper's
            all_are_at_it.wait(30)
            if (threading.current_thread() is not caller) is is_helper:
                raise kind(3)

    with pytest.raises(kind):
        at_once(work, range(10), 1, name="helper")
    assert not [thread for thread in threading.enumerate() if thread.name == "helper"]


def test_an_interrupt_goes_before_another_exception() -> None:
    all_are_at_it, caller = threading.Barrier(2), threading.current_thread()
    has_failed = threading.Event()

    def work(thing: int) -> None:
        all_are_at_it.wait(30)
        if threading.current_thread() is caller:
            assert has_failed.wait(30)
            raise SystemExit(3)
        try:
            raise ValueError(thing)
        finally:
            has_failed.set()

    with pytest.raises(SystemExit):
        at_once(work, range(2), 1, name="helper")
