"""4 local refusals: tasks whose thread was lost -> refused, with the reason, on a thread of their own.

A ThreadPoolExecutor ends futures with its lock held, when it is shut down or breaks. An observer that is told of a
task's end may ask for it again, which needs that lock. So the end is told on a thread of our own, one for however many.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from workqueue.engines.local.run import LocalRun
from workqueue.progress import Progress, failed
from workqueue.system.worker_thread import WorkerThread


class Refusals:
    """Refuses the newest task that waits for each thread that was lost; no task is tied to a thread.

    Args:
        is_short: whether more tasks wait than threads will come for them.
        runs: all tasks, the oldest first.
        refuse: ends a task that nobody has begun to run; returns whether it was so.
    """

    def __init__(
        self,
        is_short: Callable[[], bool],
        runs: Callable[[], list[LocalRun]],
        refuse: Callable[[LocalRun, Progress], bool],
    ) -> None:
        self._is_short = is_short
        self._runs = runs
        self._refuse = refuse
        self._reasons: deque[str] = deque()  # appended to by any thread
        self._newest_first: Iterator[LocalRun] = iter(())  # of the thread that refuses
        self._worker = WorkerThread("workqueue-refusals", self._turn)

    def add(self, reason: str) -> None:
        """A thread was lost, for this reason. Callable from any thread, with any lock held but ours."""
        self._reasons.append(reason)
        try:
            self._worker.start()
        except RuntimeError:  # the system has no thread to spare, or the interpreter ends
            while self._turn():
                pass

    def close(self) -> None:
        """The thread has ended then, unless it calls this; called once there are no tasks."""
        self._worker.join()

    def _turn(self) -> bool:
        try:
            reason = self._reasons.popleft()
        except IndexError:
            self._newest_first = iter(())
            return False
        if self._is_short() and not self._refuse_first(self._newest_first, reason):
            # Listed once for many: an executor that is shut down may take away what 20,000 tasks had.
            self._newest_first = iter(self._runs()[::-1])
            self._refuse_first(self._newest_first, reason)
        return True

    def _refuse_first(self, runs: Iterator[LocalRun], reason: str) -> bool:
        return any(self._refuse(run, failed(reason)) for run in runs)


def why_it_never_ran(future: "Future[None]") -> str:
    """The reason to tell, of a future that has ended without its task."""
    if future.cancelled():
        return "The executor cancelled this job before it began."
    return f"The executor could not run this job: {future.exception()!r}"
