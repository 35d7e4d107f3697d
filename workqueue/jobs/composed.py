"""3 composed: a job's events -> those that somebody composes of them, and the end in any case."""

import logging
from collections.abc import Callable
from typing import Final

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, SerialDisposable

from workqueue.jobs.job import Job
from workqueue.progress import Progress

logger = logging.getLogger("workqueue")

Events = Callable[[Observable[Progress]], Observable[Progress]]
"""Makes of a job's progress what is told of it: ``lambda progress: progress.pipe(...)``."""

_WHAT: Final = "events must take a job's progress and return an observable of Progress"


def check_events(events: Events | None) -> None:
    """Refuse what is no function.

    Raises:
        TypeError: it cannot be called.
    """
    if events is not None and not callable(events):
        raise TypeError(f"{_WHAT}; got {events!r}")


def composed(job: Job, events: Events | None) -> Observable[Progress]:
    """The stream that clients are told of a job.

    A client must learn how its job ended: one that did not would ask again, and a failed job would run again. So if the
    composed stream ends without an event that has a returncode, the job's last one follows when the job has ended; and
    nothing follows an event that has one. An operator that raises, or tells what is no Progress, ends the composed
    stream so too, and the log says why.

    Args:
        job: whose.
        events: composes; None: all is told.

    Raises:
        TypeError: `events` returned no observable.
    """
    if events is None:
        return job.progress
    chosen = events(job.progress)
    if not isinstance(chosen, Observable):
        raise TypeError(f"{_WHAT}; it returned {chosen!r}")

    def subscribe(
        observer: abc.ObserverBase[Progress], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        end = SerialDisposable()

        def tell(progress: Progress) -> None:
            observer.on_next(progress)
            if progress.returncode is not None:
                observer.on_completed()  # which lets nothing through any more

        def tell_end(progress: Progress) -> None:
            if progress.returncode is not None:
                tell(progress)

        def fail(error: Exception) -> None:
            logger.error("events raised, so a client is told only how the job %s ends", job.key, exc_info=error)
            complete()

        def complete() -> None:
            end.disposable = job.progress.subscribe(
                tell_end, observer.on_error, observer.on_completed, scheduler=scheduler
            )

        chosen_subscription = chosen.do_action(_check_progress).subscribe(tell, fail, complete, scheduler=scheduler)
        return CompositeDisposable(chosen_subscription, end)

    return Observable(subscribe)


def _check_progress(event: object) -> None:
    if not isinstance(event, Progress):
        raise TypeError(f"{_WHAT}; it told {event!r}")
