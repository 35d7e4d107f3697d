"""Threads that change places as often as Python lets them."""

import sys
import threading
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture(autouse=True)
def _restless() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def run_in_threads(n: int, function: Callable[[int], object]) -> None:
    """Call the function in n threads, with their numbers, and raise what any of them raised."""
    errors: list[BaseException] = []

    def run(i: int) -> None:
        try:
            function(i)
        except BaseException as err:  # noqa: BLE001 - raised below
            errors.append(err)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(110)
        assert not thread.is_alive()
    if errors:
        raise errors[0]
