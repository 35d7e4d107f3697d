"""Many runs of a cluster, one after the other: what is left of them in the stream, and in a process that asked.

Records go by their age. Here they are short-lived in all processes, so that their time is over soon.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.cluster.nats_servers import NatsServers
from tests.cluster.scene import Scene
from tests.cluster.workers import LEASE
from tests.conftest import write_program
from tests.processes.worker import Worker
from tests.servers.server import eventually

N_WORKERS = 2

#: Seconds that records are kept.
KEPT = 3.0

_SHORT = f"""
from workqueue.engines.cluster import moves
moves.KEEP_SECONDS = moves.HISTORY_SECONDS = moves.WATCH_SECONDS = {KEPT}
"""

_SCRIPT = Path(__file__).with_name("growth_process.py")


class Growth:
    """A server, two workers, and a process that asks; as a context manager all end at the end.

    Args:
        directory: an empty one.
        patience: seconds that so many runs may take, at most.
    """

    def __init__(self, directory: Path, patience: float) -> None:
        self._directory = directory
        self._patience = patience
        self._servers = NatsServers(directory / "nats")
        self._stack = ExitStack()
        self._n_made = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._servers)
            program = write_program(self._directory / "program", 'echo 0.5\necho x > "$output"')
            self._scene = stack.enter_context(Scene(self._directory, self._servers.url, program, "growth", lease=LEASE))
            for _ in range(N_WORKERS):
                self._scene.worker(before=_SHORT)
            self._process = stack.enter_context(
                Worker(
                    program,
                    self._scene.storage.directory,
                    before=_SHORT,
                    script=_SCRIPT,
                    nats=self._servers.url,
                    name="growth",
                    lease=LEASE,
                )
            )
            self._process.hear("", lambda what: what == "ready")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def make(self, n_runs: int) -> dict[str, int]:
        """Have so many more runs made; return how many ended with which returncode."""
        n_before = len(self._process.said("made"))
        self._process.tell("make", [self._n_made, self._n_made + n_runs])
        self._n_made += n_runs
        ends: dict[str, int] = self._process.hear("made", lambda _: True, n_before, seconds=self._patience)
        return ends

    def held(self) -> tuple[dict[str, int], int]:
        """How many objects of each class the process that asks has, and how many bytes."""
        n_before = len(self._process.said("held"))
        self._process.tell("hold")
        kinds, n_bytes = self._process.hear("held", lambda _: True, n_before)
        return kinds, n_bytes

    def stored(self) -> dict[str, int]:
        """How many records the stream has of each subject, as soon as their time is over."""
        eventually(lambda: not self._others(), KEPT + 30.0)
        return self._scene.stored()

    def _others(self) -> list[str]:
        """What is no worker's sign of life."""
        return [subject for subject in self._scene.stored() if ".s.worker." not in subject]
