"""Run a slow program once for each set of parameters, and stream its live progress to every client that asks.

The way of one request, stage by stage; each module's first line begins with its stage:

0. `work_queue`: `WorkQueue.ensure_run` walks the stages below
1. `params`: the request is checked and named; `storage`: perhaps its result is there already
2. `registry`: the one live job of that name, yours or somebody's; `failures`: or one that failed a moment ago
3. `job`, `lifecycle`: its state, its events; `bookkeeper`: who must know of them, such as `hooks` and `statistics`
4. `tasks`, `engines`: where and when it runs, and who is ahead of it; `flights`: or which other process runs it
5. `program`: what it prints becomes `progress`, and who kills it when this process dies; `storage`: what it built is
   published
6. `streams`: the events, as a generator, an asynchronous iterator, or calls of a function
7. `encodings`, `web`: the bytes of a response, and applications that send it; a module for the browser

::

    queue = WorkQueue("./process-docset.py", storage_dir="databases")
    job = queue.ensure_run(OverviewViewParams(server, document_set_id, api_token))
    if job is not None:
        for progress in to_generator(job.progress):
            print(progress)

What is named here and in `workqueue.streams`, `workqueue.engines`, `workqueue.storage`, `workqueue.web`,
`workqueue.monitoring`, `workqueue.testing` and `workqueue.errors` is public; the rest may change.
"""

from workqueue.errors import InvalidParams, QueueClosed, QueueFull, ResultNotFound, StorageError, WorkQueueError
from workqueue.hooks import Hooks
from workqueue.job import Job
from workqueue.lifecycle import State
from workqueue.params import OverviewViewParams, Params
from workqueue.program.limits import Limits
from workqueue.progress import Progress
from workqueue.statistics import JobSnapshot, Statistics
from workqueue.work_queue import WorkQueue

__all__ = (
    "Hooks",
    "InvalidParams",
    "Job",
    "JobSnapshot",
    "Limits",
    "OverviewViewParams",
    "Params",
    "Progress",
    "QueueClosed",
    "QueueFull",
    "ResultNotFound",
    "State",
    "Statistics",
    "StorageError",
    "WorkQueue",
    "WorkQueueError",
)
