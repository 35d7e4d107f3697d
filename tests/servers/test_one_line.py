"""gunicorn with four workers has one line: as many programs run as may, and places fall to 0."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.conftest import write_program
from tests.servers.server import Client
from tests.servers.sites import GTHREAD, WSGI, Site, running

MAX_RUNNING = 2
N_KEYS = 40
N_CLIENTS = 60

# As many threads as there may be clients, since the kernel does not deal them out evenly.
FOUR_WORKERS = [*GTHREAD[:-1], "96", "--workers", "4", WSGI]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running(FOUR_WORKERS, tmp_path, MAX_RUNNING=str(MAX_RUNNING)) as site:
        yield site


def test_no_more_programs_run_than_may_and_all_places_fall_to_0(site: Site, tmp_path: Path) -> None:
    counts = tmp_path / "counts"
    program = write_program(
        tmp_path / "program", f"echo + >> '{counts}'\nsleep 0.03\necho - >> '{counts}'\necho built > $output"
    )
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(site.watch(program, job=f"job-{i % N_KEYS}"))) for i in range(N_CLIENTS)]
        seen: list[list[dict[str, object]]] = [[] for _ in clients]
        threads = [
            threading.Thread(target=read_to_the_end, args=(client, events))
            for client, events in zip(clients, seen, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = counts.read_text().split()
    # What a program says lies within its life, so that no more are counted at any moment than ran.
    running_at = [lines[:i].count("+") - lines[:i].count("-") for i in range(len(lines) + 1)]
    assert max(running_at) == MAX_RUNNING
    assert lines.count("+") == N_KEYS
    for events in seen:
        places = [event["n_ahead_in_queue"] for event in events]
        assert events[-1]["returncode"] == 0
        assert places == sorted(places, reverse=True)  # type: ignore[type-var]
        assert places[-1] == 0


def read_to_the_end(client: Client, events: list[dict[str, object]]) -> None:
    while not events or events[-1]["returncode"] is None:
        events.append(client.event())
