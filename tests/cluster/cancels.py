"""A process cancels a key at the moment when another asks for it, and what is wrong with what becomes of them."""

import threading

from tests.cluster.reports import Reports, is_end
from tests.cluster.scene import Scene
from workqueue.engines.cluster import ClusterEngine
from workqueue.progress import cancelled, succeeded


def cancel_against_ask(scene: Scene, other: ClusterEngine, number: int) -> tuple[Reports, Reports]:
    """Both at once."""
    first = scene.submit(number)
    both = threading.Barrier(2)
    second: list[Reports] = []

    def ask() -> None:
        both.wait()
        second.append(scene.submit(number, other))

    thread = threading.Thread(target=ask)
    thread.start()
    both.wait()
    first.cancel()
    thread.join()
    return first, second[0]


def wrong_with(first: Reports, second: Reports) -> list[str]:
    """Once both have an end: each has one, and the second is not cancelled without the first."""
    ends = [each.hear_end() for each in (first, second)]
    found = [f"it ended with {end}" for end in ends if end not in (succeeded(), cancelled())]
    if ends[1] == cancelled() != ends[0]:
        found.append("it was cancelled, and whoever cancelled it has the result")
    found += [f"{each.all}" for each in (first, second) if sum(map(is_end, each.all)) != 1]
    return found
