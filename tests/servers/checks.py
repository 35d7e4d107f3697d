"""What is true of every way to a stream that works."""

import time
from contextlib import closing
from statistics import median

from tests.servers.server import Client, eventually
from tests.servers.sites import Site
from workqueue.testing import ScriptedProgram


def check_events_come_one_by_one(client: Client, program: ScriptedProgram) -> None:
    """Each event arrives before the next is printed, and the stream ends with the job.

    The program waits until the client has seen an event, so that it cannot have come with the next one.
    """
    with closing(client):
        assert client.until(0.25)["message"] == "one"
        program.release("one")
        assert client.until(0.5)["message"] == "two"
        program.release("two")
        assert client.until(1.0)["returncode"] == 0
        assert client.rest().strip() == ("]" if client.media_type == "application/json" else "")


def check_events_are_held_back(client: Client, beside: Client, program: ScriptedProgram) -> None:
    """No event arrives before the job has ended, while another client of the same job has each on its own."""
    with closing(client), closing(beside):
        beside.until(0.25)
        program.release("one")
        beside.until(0.5)
        assert client.arrived_text() == ""
        program.release("two")
        beside.until(1.0)
        assert client.response.read()


def check_leaving_is_noticed_at_once(site: Site, program: ScriptedProgram, path: str) -> None:
    """The stream ends and its subscription goes, although nothing is written that could tell."""
    with closing(site.watch(program, path, heartbeat="none", max_duration="none", client=path)) as client:
        client.until(0.25)
    eventually(lambda: not site.is_open(program, path))
    assert site.n_watchers(program) == 0
    assert site.n_pieces(program, path) == client.n_events


def check_as_fast(site: Site, idle: Site, path: str, times: int = 25) -> None:
    """A request that needs no job takes as long as on a server that has nothing else to do.

    They are asked in turn, so that whatever else the machine does slows down both. One that had to wait for a stream
    would do so until the client gives up.
    """
    seconds: dict[Site, list[float]] = {site: [], idle: []}
    for _ in range(times):
        for asked, taken in seconds.items():
            before = time.perf_counter()
            with closing(asked.ping(path)) as client:
                assert client.rest() == "pong"
            taken.append(time.perf_counter() - before)
    # A millisecond or two each; the constant is for what a shared machine leaves uncertain.
    assert median(seconds[site]) < 2 * median(seconds[idle]) + 0.005, seconds
