"""What `docs/guarantees.rst` promises, as a small state: what runs, who waits, who is told what; pure.

It has three processes with one place to run in each, and keys. Where the guarantees leave open what happens (which of
the processes that wait begins a run), it says what may, and is told what did.
"""

from dataclasses import dataclass, field

CANCELLED = -998
NO_STATUS = -999
TERMINATED = -15


@dataclass(eq=False)
class Run:
    """A program that lives."""

    number: int
    key: str
    process: int
    is_cancelled: bool = False


@dataclass(eq=False)
class Job:
    """A job that has not ended."""

    process: int
    key: str
    is_refresh: bool
    clients: list[str]

    run: Run | None = None
    """The one that it makes or follows; None: it waits."""

    is_aside: bool = False
    """Whether it waits for the end of a run that is being cancelled, and takes no place in its process's line."""


@dataclass
class Model:
    """All processes as one."""

    processes: range
    built: dict[str, int] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)  # those of one process that wait, in the order of its line
    closed: set[int] = field(default_factory=set)
    ended: dict[str, int] = field(default_factory=dict)
    n_runs: int = 0

    # What is asked of it

    def is_busy(self, process: int) -> bool:
        """Whether it runs as many programs as it may."""
        return any(run.process == process for run in self.runs.values())

    def line(self, process: int) -> list[Job]:
        """The jobs that wait for their turn."""
        return [job for job in self.jobs if job.process == process and job.run is None and not job.is_aside]

    def joinable(self, process: int, key: str) -> Job | None:
        """The job that a client shares that asks now."""
        of_key = [job for job in self.jobs if (job.process, job.key) == (process, key)]
        return next((job for job in of_key if job.run is None or not job.run.is_cancelled), None)

    def job_of(self, client: str) -> Job | None:
        """The one that it watches, unless that has ended."""
        return next((job for job in self.jobs if client in job.clients), None)

    def may_begin(self) -> set[tuple[int, str]]:
        """The runs of which one begins now: by which process, of which key."""
        found = set()
        for process in self.processes:
            if self.is_busy(process):
                continue
            for job in self.line(process):
                found.add((process, job.key))
                others = (other for other in self.jobs if other.key == job.key and other.run is None)
                if all(other.process == process or self.is_busy(other.process) for other in others):
                    break  # nobody else can take it out of the way of those that come after
        return found

    def listing(self, process: int) -> list[list[object]]:
        """What the process's jobs() is: key, state, how many are ahead."""
        line = self.line(process)
        return sorted(
            [
                job.key,
                *(["pending", 1 + line.index(job) if job in line else 0] if job.run is None else [_state(job.run), 0]),
            ]
            for job in self.jobs
            if job.process == process
        )

    # What happens

    def ask(self, process: int, key: str, client: str, *, refresh: bool) -> str:
        """A client asks; return what it is answered."""
        if key in self.built and not refresh:
            return "built"
        job = self.joinable(process, key)
        if job is None and process in self.closed:
            return "closed"
        if job is None:
            run = self.runs.get(key)
            job = Job(process, key, refresh, [], None if run is None or run.is_cancelled else run)
            self.jobs.append(job)
        job.clients.append(client)
        return "watches"

    def take_turns(self) -> None:
        """Let the lines of processes that have a free place move, as far as no run begins by that."""
        for process in self.processes:
            if self.is_busy(process):
                continue
            for job in self.line(process):
                if job.key in self.runs:
                    job.is_aside = True
                elif job.key in self.built and not job.is_refresh:
                    self._end(job, 0)
                else:
                    break

    def begin(self, process: int, key: str) -> Run:
        """A run has begun: all that wait for its key see it."""
        self.n_runs += 1
        run = self.runs[key] = Run(self.n_runs, key, process)
        for job in self.jobs:
            if job.key == key:
                assert job.run is None
                job.run = run
        return run

    def cancel(self, client: str) -> Run | None:
        """A client cancels; return the run that is told to stop by that."""
        job = self.job_of(client)
        if job is None or (job.run is not None and job.run.is_cancelled):
            return None
        if job.run is None:
            for other in [other for other in self.jobs if other.key == job.key and other.run is None]:
                self._end(other, CANCELLED)
            return None
        job.run.is_cancelled = True
        return job.run

    def succeed(self, run: Run) -> None:
        """The program has built."""
        self.built[run.key] = run.number
        self._end_run(run, 0)

    def fail(self, run: Run, returncode: int) -> None:
        """The program has ended otherwise, and nobody closed its queue."""
        self._end_run(run, CANCELLED if run.is_cancelled else returncode)

    def close(self, process: int) -> Run | None:
        """A queue is closed without time to drain; return the run that is told to stop by that."""
        self.closed.add(process)
        mine = next((run for run in self.runs.values() if run.process == process), None)
        for job in [job for job in self.jobs if job.process == process and (job.run is None or job.run is not mine)]:
            self._end(job, NO_STATUS)
        return mine

    def refuse(self, process: int) -> None:
        """A queue is closed with time to drain: what waits ends at once."""
        for job in [job for job in self.jobs if job.process == process and job.run is None]:
            self._end(job, NO_STATUS)

    def stopped(self, run: Run) -> None:
        """The program of a queue that is being closed has died of it."""
        for job in self._jobs_of(run):
            if job.process == run.process:
                self._end(job, CANCELLED if run.is_cancelled else TERMINATED)
        self._lose(run)

    def kill(self, process: int) -> Run | None:
        """A process is killed; return the run that dies with it."""
        self.jobs = [job for job in self.jobs if job.process != process]
        self.closed.discard(process)
        run = next((run for run in self.runs.values() if run.process == process), None)
        if run is not None:
            self._lose(run)
        return run

    def _lose(self, run: Run) -> None:
        """Nobody makes it any more: it begins anew where somebody watches it, unless it was cancelled."""
        del self.runs[run.key]
        for job in self._jobs_of(run):
            if run.is_cancelled:
                self._end(job, CANCELLED)
            else:
                self._set_back(job)
        self._call_back(run.key)

    def _end_run(self, run: Run, returncode: int) -> None:
        del self.runs[run.key]
        for job in self._jobs_of(run):
            self._end(job, returncode)
        if returncode == 0:  # what was built meanwhile is the answer to those, too, that did not want to share the run
            for job in [job for job in self.jobs if job.key == run.key and job.is_aside and not job.is_refresh]:
                self._end(job, 0)
        self._call_back(run.key)

    def _call_back(self, key: str) -> None:
        """Those that stood aside are in their lines again."""
        for job in [job for job in self.jobs if job.key == key and job.is_aside]:
            self._set_back(job)

    def _set_back(self, job: Job) -> None:
        job.run, job.is_aside = None, False
        self.jobs.remove(job)
        self.jobs.append(job)

    def _jobs_of(self, run: Run) -> list[Job]:
        return [job for job in self.jobs if job.run is run]

    def _end(self, job: Job, returncode: int) -> None:
        self.jobs.remove(job)
        self.ended.update(dict.fromkeys(job.clients, returncode))


def _state(run: Run) -> str:
    return "cancelling" if run.is_cancelled else "running"
