"""`await` of a subject."""

import asyncio

import pytest
from reactivex.internal.exceptions import SequenceContainsNoElementsError

from tests.streams.conftest import PATIENCE, finished, in_thread, join, subject_of, turns
from workqueue.streams import ProgressSubject


async def wait(subject: ProgressSubject[int]) -> int:
    return await asyncio.wait_for(subject, PATIENCE)


def test_thousands_that_wait_share_one_subscription() -> None:
    subject = subject_of(1)

    async def main() -> None:
        tasks = [asyncio.ensure_future(wait(subject)) for _ in range(1000)]
        await turns()
        assert subject.n_observers == 1
        tasks[0].cancel()
        join(in_thread(lambda: [subject.on_next(2), subject.on_completed()]))
        assert set(await asyncio.gather(*tasks[1:])) == {2}

    asyncio.run(main())
    assert subject.n_observers == 0


def test_a_stream_without_a_value_has_no_last_one() -> None:
    with pytest.raises(SequenceContainsNoElementsError):
        asyncio.run(wait(finished()))


def test_an_error_is_raised() -> None:
    subject = subject_of(1)
    subject.on_error(ValueError("boom"))
    with pytest.raises(ValueError, match="boom"):
        asyncio.run(wait(subject))


def test_without_a_loop_of_asyncio_it_says_what_to_do() -> None:
    """As on trio, whose coroutines are stepped by another loop."""
    with pytest.raises(RuntimeError, match=r"call job\.wait\(\)"):
        next(subject_of(1).__await__())
