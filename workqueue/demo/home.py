"""The page at `/`: the document sets, what becomes of each, and /sets with its buttons.

Anybody who can reach it sees the page, and with it the tokens of the sets. So it is for public texts alone, and its
buttons do no more than to stop builds of these and to remove what was built. What changes anything must come from a
page of ours, as the browser says (Origin, Sec-Fetch-Site), under a name by which this machine calls itself: not from a
page elsewhere, whatever name it has its reader's browser take for 127.0.0.1.
"""

import logging
from collections.abc import Collection
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import werkzeug
from flask import Blueprint, Response, render_template, request

from workqueue import OverviewViewParams, State, StorageError, WorkQueue
from workqueue.demo.last_jobs import LastJobs
from workqueue.demo.library import Library, ShelvedSet
from workqueue.demo.programs import Programs
from workqueue.web import Problem
from workqueue.web.flask import progress_response
from workqueue.web.stream import DEFAULT_MAX_DURATION

logger = logging.getLogger("workqueue")

#: How many programs run at once.
SLOTS: Final = 2

#: The header of a request that only looks, and starts nothing.
FOLLOWS: Final = "X-Follows"

#: Seconds that a response lasts as long as its job waits. A browser has six connections for a host, and there are six
#: sets: as many streams would leave none for a click. So what waits looks in now and then, and only what runs streams.
_GLANCE: Final = 0.05

_HEADERS: Final = {
    "Cache-Control": "no-store",
    # Nobody may frame it: a click meant for another page would press its buttons.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Home(NamedTuple):
    """What the page is about."""

    library: Library
    sets: tuple[ShelvedSet, ...]
    programs: Programs

    def set_of(self, set_id: str) -> ShelvedSet:
        """The one with this number.

        Raises:
            Problem: 404.
        """
        for item in self.sets:
            if item.params.document_set_id == set_id:
                return item
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no document set {set_id!r}; reload the page")


def create_home(home: Home, queue: WorkQueue, origins: Collection[str]) -> Blueprint:
    """Make it; the plugin's app takes it.

    Args:
        home: what it shows.
        queue: builds the sets.
        origins: where the page is, such as ``http://127.0.0.1:8765``.
    """
    views = _Views(home, queue, origins)
    blueprint = Blueprint("home", __name__)
    blueprint.add_url_rule("/", view_func=views.index)
    blueprint.add_url_rule("/sets", view_func=views.standing)
    for rule, view in (
        ("/sets/<set_id>/progress", views.progress),
        ("/sets/<set_id>/cancel", views.cancel),
        ("/sets/<set_id>/kill", views.kill),
        ("/start-over", views.start_over),
    ):
        blueprint.add_url_rule(rule, view_func=view, methods=["POST"])
    blueprint.register_error_handler(StorageError, _unavailable)
    blueprint.before_request(views.check)
    blueprint.after_request(_not_kept)
    return blueprint


class _Views:
    def __init__(self, home: Home, queue: WorkQueue, origins: Collection[str]) -> None:
        self._home = home
        self._queue = queue
        self._jobs = LastJobs(queue)
        self._origins = origins

    def check(self) -> None:
        """Refuse what would change something, unless it comes from the page."""
        if request.method not in {"GET", "HEAD", "OPTIONS"}:
            site = request.headers.get("Sec-Fetch-Site", "same-origin")
            if request.headers.get("Origin") not in self._origins or site != "same-origin":
                pages = " or ".join(f"{origin}/" for origin in sorted(self._origins))
                raise Problem(HTTPStatus.FORBIDDEN, f"only the demo's own page may do that: open {pages}")

    def index(self) -> Response:
        """The page."""
        sets = [
            {"id": item.params.document_set_id, "show": _show(item.params), **item._asdict()}
            for item in self._home.sets
        ]
        page = render_template("home.html", sets=sets, server=sets[0]["params"].server, slots=SLOTS)
        return Response(page, headers=_HEADERS)

    def standing(self) -> dict[str, Any]:
        """How each set stands, and the number of the process that builds it."""
        told = {}
        for item in self._home.sets:
            state = self._jobs.standing(item.params)
            set_id = item.params.document_set_id
            told[set_id] = {"state": state, "pid": self._home.programs.pid(set_id) if state == "running" else None}
        return told

    def progress(self, set_id: str) -> werkzeug.Response:
        """Build a set, or join its build; or, for a page that has begun to follow it, tell how that goes or went."""
        params = self._home.set_of(set_id).params
        job = self._jobs.look(params) if FOLLOWS in request.headers else self._jobs.start(params)
        is_waiting = job is not None and job.state is State.PENDING
        return progress_response(job, request, max_duration=_GLANCE if is_waiting else DEFAULT_MAX_DURATION)

    def cancel(self, set_id: str) -> Response:
        """Have it end, if it waits or runs."""
        self._jobs.cancel(self._home.set_of(set_id).params)
        return Response(status=HTTPStatus.NO_CONTENT)

    def kill(self, set_id: str) -> Response:
        """End its program; the queue is not told."""
        if not self._home.programs.kill(self._home.set_of(set_id).params.document_set_id):
            raise Problem(HTTPStatus.CONFLICT, "no program builds this set now")
        return Response(status=HTTPStatus.NO_CONTENT)

    def start_over(self) -> Response:
        """Cancel all, and remove what was built."""
        jobs = [job for item in self._home.sets if (job := self._queue.live_job(item.params)) is not None]
        # Those that wait first, so that none of them begins when one that runs is stopped.
        for job in sorted(jobs, key=lambda job: job.state is not State.PENDING):
            job.cancel()
        for item in self._home.sets:
            self._queue.delete(item.params)
        self._jobs.forget()
        self._home.library.start_over()
        return Response(status=HTTPStatus.NO_CONTENT)


def _show(params: OverviewViewParams) -> str:
    """The plugin's page for one set, as Overview opens it in its frame."""
    return f"show?{urlencode(show_query(params))}"


def show_query(params: OverviewViewParams) -> dict[str, str]:
    """What Overview adds to the address of a plugin's page."""
    return {
        "server": params.server,
        "origin": params.server,
        "documentSetId": params.document_set_id,
        "apiToken": params.api_token,
    }


def _unavailable(error: StorageError) -> Response:
    # What it says is the operator's to read: it may name a directory.
    logger.warning("%s", error)
    problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "the indexes cannot be had now; try again later")
    return Response(problem.body(), problem.status, problem.headers)


def _not_kept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
