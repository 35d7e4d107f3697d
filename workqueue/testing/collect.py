"""collect: a job -> the list of its events, once it has ended."""

import threading

from workqueue.jobs.job import Job
from workqueue.progress import Progress
from workqueue.streams.on_loop import directly


def collect(job: Job, timeout: float = 10.0) -> list[Progress]:
    """Wait for a job's end and return its events: its replayed history, then all that came.

    Args:
        job: what `WorkQueue.ensure_run` returned.
        timeout: seconds to wait at most.

    Raises:
        TimeoutError: the job has not ended by then; the text shows the events so far.
    """
    events: list[Progress] = []
    has_ended = threading.Event()
    # A test may be a coroutine, whose event loop is blocked below.
    with directly():
        subscription = job.progress.subscribe(events.append, on_completed=has_ended.set)
    try:
        if not has_ended.wait(timeout):
            raise TimeoutError(f"{job} has not ended after {timeout} seconds; its events so far: {events}")
    finally:
        subscription.dispose()
    return events
