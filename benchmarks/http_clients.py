"""What does a server pay for each client that watches one job over HTTP?

One uvicorn process serves server-sent events to thousands of clients, which are sockets of another process. An event is
published when all have the one before it. CPU is that of the server's process, memory what it has grown by while its
clients came.

Beside us: a bare ASGI application that sends bytes which are made once and never asks whether its client is there, the
least that this server can do; and sse-starlette. Run it with ``python -m benchmarks.http_clients``; it takes about two
minutes.
"""

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.answer import OURS, Answer, Cell, Plot, Target, run
from benchmarks.clock import median
from benchmarks.peers import python_of

SIZES: Final = (1_000, 5_000, 10_000)

#: An event each, after one that is not counted.
N_EVENTS: Final = 9

#: Of ours and the bare application, by turns; the targets are ratios of theirs.
N_TURNS: Final = 2

#: Between two events, so that the server has done all that follows from one.
REST_SECONDS: Final = 0.2

#: How many connect at once, below every limit of a queue of connections.
AT_ONCE: Final = 100

TIMEOUT_SECONDS: Final = 60.0

BARE: Final = "bare ASGI application"
SSE_STARLETTE: Final = "sse-starlette"

#: How a site is called in `sse_sites`, and whose interpreter serves it.
SITES: Final = {OURS: ("workqueue", ""), BARE: ("bare", ""), SSE_STARLETTE: ("sse-starlette", "sse-starlette")}

_REQUEST: Final = b"GET /generate HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
_EVENT: Final = b"data: {"


class Figures(NamedTuple):
    """Of one server: what each event took."""

    cpu: list[float]
    """Microseconds of the server, for each client."""

    last: list[float]
    """Milliseconds until the last client had it."""

    memory: float
    """KiB, for each client."""


class Site:
    """A server, and the way to tell it what to do."""

    def __init__(self, name: str, python: str) -> None:
        script = (
            f"import sys; sys.path.append({str(Path(__file__).parent.parent)!r});"
            f"from benchmarks.sse_sites import serve; serve({name!r})"
        )
        self._process = subprocess.Popen(
            [python, "-P", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.port = int(self._line())

    def told(self, what: str) -> Any:
        """Have it do something; return its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        return json.loads(self._line())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server has ended with status {self._process.wait()}")
        return line


class Clients:
    """Open connections, each of which is told every event."""

    def __init__(self, port: int, n: int) -> None:
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._n_told: dict[int, int] = {}
        for first in range(0, n, AT_ONCE):
            for _ in range(min(AT_ONCE, n - first)):
                self._add(socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS))
            self.wait_until_told(1)

    def wait_until_told(self, n_events: int) -> float:
        """Read on until every client was told so many events; return when the last was."""
        missing = {number for number, n in self._n_told.items() if n < n_events}
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while missing:
            for number, _ in self._poll.poll(1.0, 1024):
                data = self._sockets[number].recv(65536)
                if not data:
                    raise RuntimeError("the server has cut a client")
                self._n_told[number] += data.count(_EVENT)
                if self._n_told[number] >= n_events:
                    missing.discard(number)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(missing)} clients were not told after {TIMEOUT_SECONDS:g} s")
        return time.perf_counter()

    def close(self) -> None:
        for client in self._sockets.values():
            client.close()
        self._poll.close()

    def _add(self, client: socket.socket) -> None:
        client.sendall(_REQUEST)
        client.setblocking(False)
        self._sockets[client.fileno()] = client
        self._n_told[client.fileno()] = 0
        self._poll.register(client, select.EPOLLIN)


def measure() -> Answer:
    found: dict[tuple[str, int], list[Figures]] = {}
    for turn in range(N_TURNS):
        for who in SITES:
            for n in SIZES:
                if not turn or who in (OURS, BARE):
                    found.setdefault((who, n), []).append(figures_of(who, n))

    def of(who: str, n: int) -> tuple[float, float, float]:
        turns = found[who, n]
        return (
            median(value for figures in turns for value in figures.cpu),
            median(value for figures in turns for value in figures.last),
            median(figures.memory for figures in turns),
        )

    def over_bare(n: int, which: int) -> float:
        return of(OURS, n)[which] / of(BARE, n)[which]

    rows: list[list[Cell]] = [[f"{who}, {n:,}", *of(who, n)] for who, n in found]
    return Answer(
        ["who, how many", "CPU an event and client, us", "the last one has it, ms", "memory a client, KiB"],
        rows,
        [
            Target("CPU an event and client, of 5,000: over the bare application's", over_bare(5_000, 0), 1.15),
            Target("memory a client, of 5,000, KiB", of(OURS, 5_000)[2], 15.0),
            Target("one event to the last of 10,000: over the bare application's", over_bare(10_000, 1), 1.1),
        ],
        [
            Plot(
                "One event to clients of one server",
                "clients",
                "ms until the last has it",
                {who: [(n, of(who, n)[1]) for n in SIZES] for who in SITES},
            )
        ],
        [
            f"Medians of {N_EVENTS} events; of ours and the bare application in {N_TURNS} processes each, by turns.",
            "All are served by uvicorn with h11, on asyncio's own loop. Ours is the ready application.",
        ],
    )


def figures_of(who: str, n: int) -> Figures:
    name, peer = SITES[who]
    with _closing_site(name, python_of(peer) if peer else sys.executable) as site:
        _, memory_before = site.told("spent")
        clients = Clients(site.port, n)
        _, memory_after = site.told("spent")
        try:
            cpu, last = zip(*(_event(site, clients, i, n) for i in range(1, N_EVENTS + 2)), strict=True)
        finally:
            clients.close()
    return Figures(list(cpu[1:]), list(last[1:]), (memory_after - memory_before) / n)


def _event(site: Site, clients: Clients, i: int, n: int) -> tuple[float, float]:
    cpu_before, _ = site.told("spent")
    began = site.told("event")
    last_at = clients.wait_until_told(i + 1)
    time.sleep(REST_SECONDS)
    cpu_after, _ = site.told("spent")
    return (cpu_after - cpu_before) / n * 1e6, (last_at - began) * 1e3


@contextmanager
def _closing_site(name: str, python: str) -> Iterator[Site]:
    site = Site(name, python)
    try:
        yield site
    finally:
        site.close()


if __name__ == "__main__":
    run(measure)
