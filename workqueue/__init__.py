"""Run a slow program once for each set of parameters, and stream its live progress to every client that asks.

The listing is the way of one request; each module's first line begins with its stage::

    work_queue   0        WorkQueue.ensure_run walks the stages below
    options      0        the values of its options, checked
    parts        0        options -> the parts of a queue, put together
    params       1        what is asked for -> what can be run: the program's arguments
    naming       1        whose result it is, and what it is about -> its key
    results      1        parameters -> the result that is there, to be read, sent or removed
    storage/     1 and 5  is its result there; publish what was built
    jobs/        2 and 3  the one live job of that key; its life, and who must know of it
    engines/     4        where and when it runs, and how many are ahead of it
    program/     5        what the program prints becomes progress; its exit status says how it ended
    progress     5        one event of that
    redaction    5        without the secrets that it may hold
    streams/     5 and 6  one writer's events -> every reader, in threads and in asyncio
    web/         7        a request -> a response that tells how a job goes; a module for the browser

Beside the way stand::

    system/      what the kernel is asked for: locks, descriptors, what is ready to read, signals
    errors       what can go wrong, as a tree
    extras       what an optional part needs, named where it is missing
    monitoring/  metrics and traces
    testing/     for tests of users' code
    terminal/    what a person sees on a terminal
    demo/        a plugin made real, and what it takes to see it work
    cli/         the command line
    builder/     for programs in Python: their arguments, progress and failure; it needs none of the rest

A queue is used like this::

    queue = WorkQueue("./process-docset.py", storage_dir="databases")
    job = queue.ensure_run(OverviewViewParams(server, document_set_id, api_token))
    if job is not None:
        for progress in to_generator(job.progress):
            print(progress)

What is named here and in `workqueue.streams`, `workqueue.engines`, `workqueue.storage`, `workqueue.web`,
`workqueue.monitoring`, `workqueue.testing`, `workqueue.errors` and `workqueue.builder` is public; the rest may change.
"""

#: The version of the distribution; the build reads it here, and there is no other place that says it.
__version__ = "2.0.0.dev0"

#: Type checkers take it for true. The typing module would be most of what this import takes.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from workqueue.errors import (
        BuildFailed,
        InvalidParams,
        QueueClosed,
        QueueFull,
        ResultNotFound,
        StorageError,
        WorkQueueError,
    )
    from workqueue.jobs.hooks import Hooks
    from workqueue.jobs.job import Job
    from workqueue.jobs.lifecycle import State
    from workqueue.jobs.statistics import JobSnapshot, Statistics
    from workqueue.params import OverviewViewParams, Params
    from workqueue.program.limits import Limits
    from workqueue.progress import Progress, ProgressDict
    from workqueue.work_queue import WorkQueue

__all__ = (
    "BuildFailed",
    "Hooks",
    "InvalidParams",
    "Job",
    "JobSnapshot",
    "Limits",
    "OverviewViewParams",
    "Params",
    "Progress",
    "ProgressDict",
    "QueueClosed",
    "QueueFull",
    "ResultNotFound",
    "State",
    "Statistics",
    "StorageError",
    "WorkQueue",
    "WorkQueueError",
)

#: Where each name is defined. It is imported when it is first asked for, so that a program which imports
#: `workqueue.builder` pays for nothing else, and needs no reactivex.
_HOMES = {
    "BuildFailed": "errors",
    "Hooks": "jobs.hooks",
    "InvalidParams": "errors",
    "Job": "jobs.job",
    "JobSnapshot": "jobs.statistics",
    "Limits": "program.limits",
    "OverviewViewParams": "params",
    "Params": "params",
    "Progress": "progress",
    "ProgressDict": "progress",
    "QueueClosed": "errors",
    "QueueFull": "errors",
    "ResultNotFound": "errors",
    "State": "jobs.lifecycle",
    "Statistics": "jobs.statistics",
    "StorageError": "errors",
    "WorkQueue": "work_queue",
    "WorkQueueError": "errors",
}

#: What an import of the package would bring along, were it not for that: ``import workqueue`` is enough to use them.
_MODULES = ("builder", "errors", "jobs", "params", "program", "progress", "streams", "work_queue")


if not TYPE_CHECKING:  # with this function in sight, any name would be right

    def __getattr__(name: str) -> object:
        from importlib import import_module  # noqa: PLC0415 - not needed by whoever imports a submodule

        if name in _HOMES:
            value = globals()[name] = getattr(import_module(f"workqueue.{_HOMES[name]}"), name)
            return value
        if name in _MODULES:
            return import_module(f"workqueue.{name}")
        raise AttributeError(f"module 'workqueue' has no attribute {name!r}", name=name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


del TYPE_CHECKING
