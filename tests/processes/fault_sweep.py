"""Trials: two processes share a storage, one leads and one follows, and one call of one of them fails; what breaks?

Each trial has a storage of its own. Both processes are asked for the same keys; one call that the library makes in one
of them fails, once or from then on. Then all calls succeed again, and the two must work together as if nothing had
been. See `Trial` for what must hold.
"""

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.processes.worker import Worker
from workqueue import WorkQueue
from workqueue.naming import Naming

SCRIPT: Final = Path(__file__).with_name("faulty_process.py")

#: How the queues name results.
_NAMING: Final = Naming("program")

#: Who has the call that fails.
ROLES: Final = ("leader", "follower")

#: When: while the queue is made, or afterwards.
PHASES: Final = ("making", "running")

#: Notes the processes that it was for a key, and which of them lives while another one begins; then says 0.5, waits,
#: fails, or builds, as its key says.
_PROGRAM: Final = """#!/bin/sh
key=$1
output=$2
cd "${0%/*}" || exit 9
if [ -e "pids-$key" ]; then
    while read -r pid; do
        if kill -0 "$pid" 2>/dev/null; then echo "$key" >> overlaps; fi
    done < "pids-$key"
fi
echo $$ >> "pids-$key"
echo 0.5
case $key in
    gated*) read -r line < "gate-$key";;
    failing*) echo "the reason" >&2; exit 3;;
esac
echo 0.75
i=0
while [ $i -lt 100 ]; do echo "content of $key"; i=$((i+1)); done > "$output"
"""

#: For news to come to another process. When a fault keeps them from that, it is gone on without.
_NEWS_SECONDS: Final = 0.5

#: For what has ended to be closed.
_SETTLE_SECONDS: Final = 3.0


class Fault(NamedTuple):
    """Which call fails."""

    role: str
    phase: str
    kind: str
    nth: int = 1
    errno: int = 0
    is_once: bool = True

    def __str__(self) -> str:
        how = "once" if self.is_once else "from then on"
        error = os.strerror(self.errno)
        return f"{self.role}, {self.phase}: {self.kind} {self.nth} fails {how}: {error}"


class Outcome(NamedTuple):
    """What came of a trial."""

    places: list[str]
    """Where the library made the calls that failed; none: there were not so many calls."""

    counts: dict[str, int]
    """How many calls there were of each kind."""

    breaks: list[str]
    """What did not hold."""

    log: list[str]
    """What the process that had the fault said in its log."""


class Sweep:
    """Two processes, and one trial with them after another; new processes after one that broke something.

    Args:
        directory: an empty one.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._program = directory / "program"
        self._program.write_text(_PROGRAM)
        self._program.chmod(0o755)
        self._stack = contextlib.ExitStack()
        self._workers: dict[str, Worker] = {}
        self._n_trials = 0
        self._counts: dict[tuple[str, str], dict[str, int]] = {}

    def __enter__(self) -> "Sweep":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def count(self, role: str, phase: str) -> dict[str, int]:
        """How many calls of each kind one trial makes without a fault; tried once."""
        if (role, phase) not in self._counts:
            outcome = self.attempt(Fault(role, phase, ""))
            assert not outcome.breaks, outcome
            self._counts[role, phase] = outcome.counts
        return self._counts[role, phase]

    def attempt(self, fault: Fault) -> Outcome:
        """Make one trial."""
        self._n_trials += 1
        self._start()
        for worker in self._workers.values():
            worker.forget()
        trial = Trial(self.directory, f"{self._n_trials}", self._workers, fault)
        outcome = trial.run()
        if outcome.breaks:
            for worker in self._workers.values():
                worker.kill()
            self._workers.clear()
        return outcome

    def _start(self) -> None:
        for role in ROLES:
            if role not in self._workers:
                worker = self._stack.enter_context(Worker(self._program, self.directory, script=SCRIPT))
                worker.hear("", lambda what: what == ["ready"])
                self._workers[role] = worker


class Trial:
    """What must hold, whichever call fails:

    * What a caller is told is a result or an error that the library documents, and the log of no other.
    * Whoever was given a job hears its end, within the time that `Worker.hear` waits.
    * No result is torn, and no two programs run at once for one key.
    * Afterwards each process leads a run that the other one follows, and one program runs for each key.
    * `close` returns, and no thread and no descriptor is left.
    * A queue that is made then finds nothing of runs, or removes it.
    """

    def __init__(self, directory: Path, name: str, workers: dict[str, Worker], fault: Fault) -> None:
        self._directory = directory
        self._name = name
        self._workers = workers
        self._fault = fault
        self._victim = workers[fault.role]
        self._keys: list[str] = []
        self._given: set[tuple[str, str]] = set()  # which process has a job of which key
        self._breaks: list[str] = []
        self._outcome: tuple[list[str], dict[str, int]] = ([], {})

    def run(self) -> Outcome:
        """Make the trial."""
        try:
            self._run()
        except (AssertionError, OSError) as err:  # something was not heard in time, or the process is dead
            self._breaks.append(f"{type(err).__name__} {err.args}"[:2000])
        places, counts = self._outcome
        for role, worker in self._workers.items():
            unforeseen = [text for _, text in worker.said("log") if text.startswith("exception in workqueue")]
            self._breaks += [f"in the log of the {role}: {text}" for text in unforeseen]
        log = [": ".join(what) for what in self._victim.said("log")]
        return Outcome(places, counts, self._breaks, log)

    def _run(self) -> None:
        before = {role: self._holdings(role) for role in ROLES}
        self._make()
        with contextlib.ExitStack() as gates:
            self._ask_for_all(gates)
            self._disarm()
            for first, second in (ROLES, ROLES[::-1]):
                self._recover(gates, first, second)
            for role in ROLES:
                self._command(role, "n_jobs", is_it=lambda told: told == 0)
                self._command(role, "close")
        for role in ROLES:
            self._compare(role, before[role])
        self._look_at_files()

    def _make(self) -> None:
        is_making = self._fault.phase == "making"
        if is_making:
            self._leave_something()
            self._arm()
            made = self._command(self._fault.role, "make", self._name, is_it=None)
            self._disarm()
        for role in ROLES:
            if not (is_making and role == self._fault.role and made):
                self._command(role, "make", self._name)
        if not is_making:
            self._arm()

    def _leave_something(self) -> None:
        """What dead runs have left, for a queue to remove when it is made."""
        storage = self._directory / self._name
        for key in map(_NAMING.key, [("dead-1",), ("dead-2",)]):
            run = storage / ".tmp" / f"{key}.0123456789abcdef"
            (run / "inner").mkdir(parents=True)
            (run / "out").touch()
            (storage / ".jobs").mkdir(exist_ok=True)
            (storage / ".jobs" / key).write_bytes(b"something")

    def _ask_for_all(self, gates: contextlib.ExitStack) -> None:
        """What clients do while calls fail."""
        if self._fault.phase == "making":
            return
        with self._gated(gates, "gated-a") as key:
            for role in ROLES:
                self._ask(role, key)
                self._hear_start(role, key)
        for role in ROLES:
            self._hear_end(role, key)
            if self._command(role, "read", key, is_it=None) not in (None, _content(key)):
                self._breaks.append(f"{role} reads a torn result of {key}")
        for role in ROLES:
            self._command(role, "ask", key, is_it=None)
        failing = self._key("failing-b")
        for role in ROLES:
            self._ask(role, failing)
            self._hear_end(role, failing)
        with self._gated(gates, "gated-c") as key:
            for role in ROLES:
                self._ask(role, key)
                self._hear_start(role, key)
            self._command("follower", "cancel", key, is_it=None)
            for role in ROLES:
                self._hear_end(role, key, _NEWS_SECONDS, is_needed=False)
        for role in ROLES:
            self._hear_end(role, key)
        self._command("follower", "delete", self._keys[0], is_it=None)

    def _recover(self, gates: contextlib.ExitStack, first: str, second: str) -> None:
        """One leads a run, and the other follows it, as if nothing had been."""
        with self._gated(gates, f"gated-by-{first}") as key:
            for role in (first, second):
                self._ask(role, key)
                if self._hear(role, key, lambda progress: progress[1] == 0.5 or progress[3] is not None)[3] is not None:
                    self._breaks.append(f"{key} ended in the {role} before its program could")
        for role in (first, second):
            end = self._hear_end(role, key)
            if end is not None and end[3] != 0:
                self._breaks.append(f"{key} failed in the {role} though no call did: {end}")
            self._command(role, "read", key, is_it=lambda told: told == _content(key))
        n_runs = len((self._directory / f"pids-{key}").read_text().splitlines())
        if n_runs != 1:
            self._breaks.append(f"{n_runs} programs ran for {key}")

    # What is asked and heard

    def _key(self, name: str) -> str:
        key = f"{name}-{self._name}"
        self._keys.append(key)
        return key

    @contextlib.contextmanager
    def _gated(self, gates: contextlib.ExitStack, name: str) -> Iterator[str]:
        """A key whose programs wait until this context ends."""
        key = self._key(name)
        path = self._directory / f"gate-{key}"
        os.mkfifo(path)
        fd = os.open(path, os.O_RDWR)
        gates.callback(os.close, fd)
        try:
            yield key
        finally:
            os.write(fd, b"\n" * 64)

    def _command(
        self,
        role: str,
        action: str,
        *details: Any,
        is_it: Callable[[Any], object] | None = lambda _: True,
    ) -> Any:
        """Have a process do it; return what that returned. None for `is_it`: it may be refused, too."""
        worker = self._workers[role]
        n_said = len(worker.said(action))
        worker.tell(action, *(details or ("",)))
        how, *what = worker.hear(action, lambda _: True, n_said)
        if how == "broke" or (is_it is not None and (how == "refused" or not is_it(what[0]))):
            self._breaks.append(f"{action} {details} in the {role}: {how} {what[0]}")
        return what[0] if how == "returned" else None

    def _arm(self) -> None:
        fault = self._fault
        self._command(fault.role, "arm", fault.kind, fault.nth, fault.errno, fault.is_once)

    def _disarm(self) -> None:
        if not self._outcome[1]:
            self._outcome = self._command(self._fault.role, "disarm")

    def _ask(self, role: str, key: str) -> None:
        if self._command(role, "ask", key, is_it=None) == "job":
            self._given.add((role, key))

    def _hear(self, role: str, key: str, is_it: Callable[[Any], object], seconds: float | None = None) -> Any:
        return self._workers[role].hear(f"progress {key}", is_it, seconds=seconds)

    def _hear_start(self, role: str, key: str) -> None:
        """Wait until its program waits, as far as this process can know: a full disk costs others the progress."""
        if (role, key) in self._given:
            with contextlib.nullcontext() if role == "leader" else contextlib.suppress(AssertionError):
                seconds = None if role == "leader" else _NEWS_SECONDS
                self._hear(role, key, lambda progress: progress[1] == 0.5 or progress[3] is not None, seconds)

    def _hear_end(self, role: str, key: str, seconds: float | None = None, *, is_needed: bool = True) -> Any:
        if (role, key) not in self._given:
            return None
        try:
            end = self._hear(role, key, lambda progress: progress[3] is not None, seconds)
        except AssertionError:
            if is_needed:
                raise
            return None
        if end[4] is not None and "Internal error" in end[4]:
            self._breaks.append(f"{key} ended in the {role}: {end[4]}")
        if end[3] == 0 and not self._result(key).exists():
            self._breaks.append(f"{key} has no result, and ended well in the {role}")
        return end

    # What is left

    def _result(self, key: str) -> Path:
        return self._directory / self._name / _NAMING.key((key,))

    def _holdings(self, role: str) -> tuple[dict[str, str], list[str]]:
        descriptors, threads = self._command(role, "holdings")
        return descriptors, threads

    def _compare(self, role: str, before: tuple[dict[str, str], list[str]]) -> None:
        end = time.monotonic() + _SETTLE_SECONDS
        while True:
            descriptors, threads = self._holdings(role)
            new = sorted((Counter(_kinds(descriptors)) - Counter(_kinds(before[0]))).elements())
            if len(descriptors) <= len(before[0]) and threads == before[1]:
                return
            if time.monotonic() > end:
                self._breaks.append(f"left in the {role}: descriptors {new}, threads {threads}")
                return
            time.sleep(0.01)

    def _look_at_files(self) -> None:
        storage = self._directory / self._name
        for key in self._keys:
            path = self._result(key)
            if path.exists() and path.read_text() != _content(key):
                self._breaks.append(f"the result of {key} is torn")
        if (self._directory / "overlaps").exists():
            self._breaks.append(f"two programs at once: {(self._directory / 'overlaps').read_text()}")
            (self._directory / "overlaps").unlink()
        with WorkQueue(self._directory / "program", storage_dir=storage):
            pass
        left = [path.name for path in (storage / ".tmp").glob("*")]
        left += [
            path.name for path in (storage / ".jobs").glob("*") if path.name not in (".cancelled", ".ends", ".line")
        ]
        left += [path.name for path in (storage / ".failed").glob(".*")]
        if left:
            self._breaks.append(f"left in the storage: {left}")


def _content(key: str) -> str:
    return f"content of {key}\n" * 100


def _kinds(descriptors: dict[str, str]) -> list[str]:
    """What the descriptors are of, without numbers that are others each time."""
    return [target.partition(":")[0] for target in descriptors.values()]
