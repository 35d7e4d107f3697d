"""gunicorn with four workers: one program runs for all, and the worker that runs it may be killed."""

import contextlib
import http.client
import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.servers.server import Client
from tests.servers.sites import GTHREAD, WSGI, Site, running
from workqueue.testing import ScriptedProgram, output, say, wait

N_CLIENTS = 96

# As many threads as there may be clients, since the kernel does not deal them out evenly.
FOUR_WORKERS = [*GTHREAD[:-1], "192", "--workers", "4", WSGI]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[ScriptedProgram]:
    with ScriptedProgram(tmp_path / "program", say(0.25), wait("one"), output(b"the database")) as program:
        yield program


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running(FOUR_WORKERS, tmp_path) as site:
        yield site


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has ended meanwhile
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def owner_of(program: ScriptedProgram) -> int:
    """The worker that runs it: the parent of the process that has its script open, by its command line."""
    script = str(program.path.parent / "program.py").encode()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if script in (path / "cmdline").read_bytes():
                return int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    raise AssertionError("nobody runs it")


def sharers(storage: Path) -> set[int]:
    """The workers that run the program, or follow the one that does: those that have its journal open."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if b"gunicorn" not in (path / "cmdline").read_bytes():
                continue
            links = [str(fd.readlink()) for fd in (path / "fd").iterdir()]
        except OSError:
            continue
        if any(re.fullmatch(f"{re.escape(str(storage))}/.jobs/[0-9a-f]+", link) for link in links):
            found.add(int(path.name))
    return found


def watch_by_all(site: Site, program: ScriptedProgram, storage: Path, stack: ExitStack) -> list[Client]:
    """Open the streams of all clients; and some more, if need be, until two workers at least have some of them."""
    clients: list[Client] = []
    while len(clients) < N_CLIENTS or len(sharers(storage)) < 2:
        assert len(clients) < 2 * N_CLIENTS, "the kernel gives all clients to one worker"
        burst = [stack.enter_context(closing(site.watch(program))) for _ in range(16)]
        for client in burst:
            client.until(0.25)
        clients += burst
    return clients


def test_one_program_runs_for_the_clients_of_all_workers(site: Site, program: ScriptedProgram, tmp_path: Path) -> None:
    with ExitStack() as stack:
        clients = watch_by_all(site, program, tmp_path / "storage", stack)
        program.release("one")
        assert {client.until(1.0)["returncode"] for client in clients} == {0}
    assert len(program.runs) == 1


def test_the_clients_of_other_workers_see_the_successor_of_a_killed_one(
    site: Site, program: ScriptedProgram, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        clients = watch_by_all(site, program, tmp_path / "storage", stack)
        program.wait_reached("one")
        owner = owner_of(program)
        os.kill(owner, signal.SIGKILL)
        program.wait_reached("one")
        assert owner_of(program) != owner
        program.release("one")
        ends = [end_of(client) for client in clients]
    assert len(program.runs) == 2
    # Those of the killed worker were cut off; they are a quarter of all if dealt out evenly, and never all.
    assert set(ends) <= {0, None}
    assert 0 in ends
    with closing(site.ping()) as ping:
        assert ping.response.status == 200


def end_of(client: Client) -> int | None:
    """The returncode of its last event; None when its server died."""
    try:
        return int(client.until(1.0)["returncode"])
    except (AssertionError, OSError, http.client.HTTPException):
        return None
