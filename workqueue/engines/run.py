"""4 run: a Task -> progress, then its outcome: the whole of one run, wherever an engine makes it.

Run, publish, clean up, and only then say how it ended: who reads the last event finds the result in its place and no
temporary file. Every way to fail is mapped here, once, to the last event's text.
"""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from workqueue.engines.base import RunReport, Task
from workqueue.errors import OutputError, ProgramError, StorageError
from workqueue.program.advice import hint
from workqueue.program.command import path_of
from workqueue.program.environment import make_environment
from workqueue.program.process import Process
from workqueue.program.run import Log, run_program
from workqueue.program.warden import Guard
from workqueue.progress import NO_EXIT_STATUS, Progress, failed, failed_exit, succeeded
from workqueue.redaction import without_directories, without_secrets
from workqueue.storage.base import Origin

logger = logging.getLogger("workqueue")


Tell = Callable[[Progress], None]
"""Takes where a program stands."""

MakeGuard = Callable[[Path], AbstractContextManager[Guard | None]]
"""From the directory of a run, who sees to it that its program dies, and the directory goes, with this process."""


def _unguarded(_: Path) -> AbstractContextManager[None]:
    return nullcontext()


def run_task(
    task: Task, report: RunReport, on_start: Callable[[Process], None], make_guard: MakeGuard = _unguarded
) -> Progress:
    """Make one run on this thread; it never raises.

    Args:
        task: what to run.
        report: told of progress, in this thread, but not of the outcome.
        on_start: given the process, to signal it from another thread.
        make_guard: guards the run; without it, it is not.

    Returns:
        The outcome: the last event of the job.
    """
    log = logging.LoggerAdapter(logger, {"key": task.key})
    outcome = _outcome(
        task, log, lambda: _run(task, lambda told: report(_redacted(told, task)), on_start, make_guard, log)
    )
    return _redacted(outcome, task)


def _redacted(progress: Progress, task: Task) -> Progress:
    if not task.secrets:
        return progress
    message, error = (text and without_secrets(text, task.secrets) for text in (progress.message, progress.error))
    return progress._replace(message=message, error=error)


def _outcome(task: Task, log: Log, run: Callable[[], Progress]) -> Progress:
    try:
        return run()
    except OutputError as err:
        # The words, and the log line, of 1.0.1.
        log.warning("%s", err)
        return failed_exit(NO_EXIT_STATUS, without_directories(str(err)))
    except (ProgramError, StorageError) as err:
        log.warning("%s", err)
        return failed(without_directories(str(err), [str(path_of(task.command).parent)]))
    except Exception as err:
        # A bug of ours, or of a storage. The job must end all the same.
        log.exception("exception in workqueue")
        return failed(f"Internal error in workqueue: {type(err).__name__}; its log has the details")


def _is_built(task: Task) -> bool:
    if not task.is_refresh:
        return task.storage.has(task.key)
    info = None if task.replaces is None else task.storage.info(task.key)
    return info is not None and info.published_at != task.replaces


def _run(task: Task, report: Tell, on_start: Callable[[Process], None], make_guard: MakeGuard, log: Log) -> Progress:
    # It may have come since the task was taken: from a run of the same key that was cancelled too late.
    if _is_built(task):
        return succeeded()
    said = _LastMessage(report)
    with task.storage.workspace(task.key, task.suffix, task.form) as workspace:
        begun_at = time.monotonic()
        with make_guard(workspace.directory) as guard:
            program_exit = run_program(
                task.command,
                (*task.arguments, str(workspace.output)),
                said.report,
                on_start,
                limits=task.limits,
                environment=make_environment(dict(task.environment), task.inherit_env),
                log=log,
                secrets=task.secrets,
                guard=guard,
            )
        seconds = time.monotonic() - begun_at
        if program_exit.explanation is not None:
            return failed(f"{program_exit.explanation}\nstderr:\n{program_exit.stderr}", program_exit.returncode)
        if program_exit.returncode != 0:
            advice = hint(workspace.output, program_exit.stderr, is_directory=task.form == "directory")
            stderr = program_exit.stderr + advice
            return failed_exit(program_exit.returncode, stderr)
        message = _redacted(Progress(message=said.message), task).message
        workspace.publish(Origin(task.name or None, task.version, seconds, message))
    return succeeded()


class _LastMessage:
    """Keeps what a program said with its last progress, on the way to whoever is told.

    Not what it said before that, if it said nothing then: what comes within a moment is told as one.
    """

    def __init__(self, report: Tell) -> None:
        self._report = report
        self.message: str | None = None

    def report(self, progress: Progress) -> None:
        self.message = progress.message
        self._report(progress)
