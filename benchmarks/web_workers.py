"""Behind gunicorn with four workers: no more run than may, places are true in time, and kills harm nobody else.

Each round 200 clients ask for 40 results, of which two are built at once. In rounds with kills, workers are killed by
SIGKILL, at random, and gunicorn starts others; a client whose connection breaks asks again, as a page does. The
programs themselves count how many run: each takes one of two locks, which the kernel gives back when it dies.
"""

import asyncio
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from tests.servers.server import Server
from tests.servers.sites import GTHREAD, WSGI

MAX_RUNNING = 2
N_WORKERS = 4
N_KEYS = 40
N_CLIENTS = 200

#: How long after a move a client may be told.
TOLD_WITHIN_SECONDS = 0.1

#: Between two kills, at most.
_KILL_WITHIN_SECONDS = 1.5

_PROGRAM = """#!{python} -IS
import fcntl, os, sys, time
here, key, output = os.path.dirname(os.path.abspath(__file__)), *sys.argv[-2:]

def note(what):
    with open(os.path.join(here, "moves"), "a") as file:
        file.write(f"{{what}} {{key}} {{time.time()}}\\n")

for number in range({max_running}):
    lock = open(os.path.join(here, f"slot-{{number}}"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        break
    except BlockingIOError:
        pass
else:
    note("overlap")
note("begin")
time.sleep(0.25)
with open(output, "w") as file:
    file.write(key)
note("end")
"""


class Told(NamedTuple):
    """What a client was told, and when."""

    at: float
    place: int
    returncode: int | None
    connection: int


class Client(NamedTuple):
    """One that watches until there is an end."""

    key: str
    told: list[Told]


def kill_web_workers(n_rounds: int, seed: int) -> bool:
    """Make rounds without kills and with them; print what was seen, and return whether anything is wrong."""
    chance = random.Random(seed)
    counts = Counter[str]()
    lags: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        program = directory / "program"
        program.write_text(_PROGRAM.format(python=sys.executable, max_running=MAX_RUNNING))
        program.chmod(0o755)
        command = [*GTHREAD[:-1], "96", "--workers", str(N_WORKERS), WSGI]
        with Server(command, directory, MAX_RUNNING=str(MAX_RUNNING)) as server:
            for number in range(n_rounds):
                kills = Killer(server.process.pid, chance) if number % 2 else None
                clients = asyncio.run(_round(server.port, program, number, kills))
                moves = [line.split() for line in (directory / "moves").read_text().splitlines()]
                counts.update(_judge(clients, moves))
                if kills is None:
                    lags += _lags(clients, moves)
                else:
                    counts["kills"] += kills.n_kills
    return _tell(counts, sorted(lags))


class Killer:
    """Kills workers of a gunicorn."""

    def __init__(self, master: int, chance: random.Random) -> None:
        self._master = master
        self._chance = chance
        self.n_kills = 0

    async def kill(self) -> None:
        """From time to time, until it is cancelled."""
        while True:
            await asyncio.sleep(self._chance.uniform(0.1, _KILL_WITHIN_SECONDS))
            workers = self._workers()
            if len(workers) == N_WORKERS:  # else one is about to be started, and has no clients
                os.kill(self._chance.choice(workers), signal.SIGKILL)
                self.n_kills += 1

    def _workers(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self._master}/task/{self._master}/children").read_text().split()]


async def _round(port: int, program: Path, number: int, killer: Killer | None) -> list[Client]:
    clients = [Client(f"{number}-{i % N_KEYS}", []) for i in range(N_CLIENTS)]
    kills = None if killer is None else asyncio.create_task(killer.kill())
    await asyncio.gather(*(_watch(port, program, client) for client in clients))
    if kills is not None:
        kills.cancel()
        with suppress(asyncio.CancelledError):
            await kills
    return clients


async def _watch(port: int, program: Path, client: Client) -> None:
    for connection in itertools.count():
        with suppress(OSError):
            async for event in _events(port, program, client.key):
                place, returncode = int(event["n_ahead_in_queue"]), event["returncode"]
                client.told.append(Told(time.time(), place, returncode, connection))
                if returncode is not None:
                    return
        await asyncio.sleep(0.05)


async def _events(port: int, program: Path, key: str) -> AsyncIterator[dict[str, int]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    query = urlencode({"program": program, "job": key})
    writer.write(f"GET /view?{query} HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n".encode())
    try:
        while line := await reader.readline():
            if line.startswith(b"{"):  # else a header, or the length of a chunk
                yield json.loads(line)
            elif line.strip() == b"[]":
                return
    finally:
        writer.close()


def _judge(clients: list[Client], moves: list[list[str]]) -> Iterator[str]:
    """What is wrong, a word each time; and what is not."""
    yield from ("overlaps" for what, *_ in moves if what == "overlap")
    for client in clients:
        yield "clients"
        if client.told[-1].returncode != 0:
            yield "failures"
        for before, after in itertools.pairwise(client.told):
            if after.connection != before.connection:
                yield "connections that broke"
            elif after.place > before.place:
                yield "places that rose" if before.place else "runs that were lost"


def _lags(clients: list[Client], moves: list[list[str]]) -> list[float]:
    """For each end of a run and each client behind it: after how long the client was told a place that counts it."""
    begun = {key: float(at) for what, key, at in moves if what == "begin"}
    ended = {key: float(at) for what, key, at in moves if what == "end"}
    found = []
    for client in clients:
        ahead = sorted(ended[key] for key in ended if key in begun and begun[key] < begun[client.key])
        for i, at in enumerate(ahead):
            place = len(ahead) - i - 1
            if client.told[0].at < at < begun[client.key]:
                found.append(next(told.at for told in client.told if told.at >= at and told.place <= place) - at)
    return found


def _tell(counts: Counter[str], lags: list[float]) -> bool:
    for name, n in sorted(counts.items()):
        print(f"{name:24} {n:6}")
    late = sum(lag > TOLD_WITHIN_SECONDS for lag in lags)
    if lags:
        half, most = (lags[int(len(lags) * part)] * 1000 for part in (0.5, 0.99))
        print(f"told after an end within p50 {half:.1f} ms, p99 {most:.1f} ms, at most {lags[-1] * 1000:.1f} ms")
        print(f"{late} of {len(lags)} later than {TOLD_WITHIN_SECONDS * 1000:.0f} ms")
    return any(counts[name] for name in ("overlaps", "failures", "places that rose"))
