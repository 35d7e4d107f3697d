"""Is anything wrong after many random moves of queues and late workers, or many cancels that are met by asks?

The moves are checked record by record, with one server and with three; see `tests/cluster/walk.py`. Each cancel comes
while another process asks for the same key, once where runs wait in the line, and once where they are begun at once.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.cancels import cancel_against_ask, wrong_with
from tests.cluster.nats_servers import NatsServers
from tests.cluster.scene import Scene
from tests.cluster.walk import Walk
from tests.conftest import write_program
from tests.servers.server import eventually
from workqueue.engines.cluster.loop import loop

#: How many wrong ones are printed.
_SHOWN = 5

#: Seconds that the last ends of a walk may take.
_PATIENCE = 120.0

#: Keys that are cancelled before it is looked what became of them.
_AT_ONCE = 100


def walk_in_cluster(n_moves: int, seed: int) -> bool:
    """Make so many with one server, and with three; print a line for each, and return whether anything is wrong."""
    is_wrong = False
    head = f"{'moves':>7} {'ends':>6} {'refused':>7} {'away':>5} {'seconds':>7}"
    print(f"{'random moves, servers':30} {head}  wrong", flush=True)
    for n_nodes in (1, 3):
        began = time.monotonic()
        with (
            _servers(n_nodes) as (servers, directory),
            Walk(servers.url, "walk", directory / "storage", seed, n_nodes) as walk,
        ):
            walk.go(n_moves, _PATIENCE)
            wrong = walk.wrong()
        moves = walk.moves
        figures = f"{sum(moves.values()):7} {len(walk.ends):6} {moves['refused']:7} {moves['away']:5}"
        is_wrong |= _show(f"{n_nodes}", figures, began, wrong)
    return is_wrong


def cancel_in_cluster(n_cancels: int) -> bool:
    """Cancel so many, without and with workers; print a line for each, and return whether anything is wrong."""
    is_wrong = False
    print(f"{'cancels met by asks, workers':30} {'cancels':>7} {'seconds':>7}  wrong", flush=True)
    for n_workers in (0, 1):
        began = time.monotonic()
        with _servers(1) as (servers, directory):
            program = write_program(directory / "program", 'echo 0.5\necho built > "$output"')
            wrong: list[str] = []
            for first in range(0, n_cancels, _AT_ONCE):
                with Scene(directory, servers.url, program, f"cancels-{first}", lease=4.0) as scene:
                    wrong += _cancel(scene, range(first, min(first + _AT_ONCE, n_cancels)), n_workers)
        is_wrong |= _show(f"{n_workers}", f"{n_cancels:7}", began, wrong)
    return is_wrong


def _cancel(scene: Scene, numbers: range, n_workers: int) -> list[str]:
    for _ in range(n_workers):
        scene.worker(max_running=4)
    other = scene.make_engine()
    pairs = [cancel_against_ask(scene, other, number) for number in numbers]
    if not n_workers:
        scene.worker(max_running=4)
    wrong = [text for pair in pairs for text in wrong_with(*pair)]
    eventually(scene.is_idle)
    return wrong


@contextmanager
def _servers(n_nodes: int) -> Iterator[tuple[NatsServers, Path]]:
    loop.start()
    with tempfile.TemporaryDirectory() as name, NatsServers(Path(name) / "nats", n_nodes) as servers:
        yield servers, Path(name)


def _show(name: str, figures: str, began: float, wrong: list[str]) -> bool:
    print(f"{name:30} {figures} {time.monotonic() - began:7.0f}  {len(wrong) or 'nothing'}", flush=True)
    for text in wrong[:_SHOWN]:
        print(f"    {text}", flush=True)
    return bool(wrong)
