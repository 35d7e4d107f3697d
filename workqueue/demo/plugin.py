"""The plugin: a queue and its finished indexes -> /metadata, /show, /generate and /search."""

import json
import logging
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, render_template, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from workqueue import OverviewViewParams, ResultNotFound, StorageError, WorkQueue, WorkQueueError
from workqueue.demo.search_index import Answer, IndexUnreadableError, search_index
from workqueue.web import OverviewTokenCheck, Problem, overview_params, parse_fields
from workqueue.web.wsgi import GenerateApp

logger = logging.getLogger("workqueue")

#: Longer than anything a person types; a search costs more with every word.
LONGEST_QUERY: Final = 500

#: The page loads nothing but its own files, and talks to nobody but this plugin.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors {frame_ancestors}"
)


def create_plugin(queue: WorkQueue, *, frame_ancestors: str = "*", page: str = "show.html") -> Flask:
    """Make the app. Several threads may serve it: every open /generate takes one.

    Args:
        queue: runs process-docset.py, and says where its indexes lie.
        frame_ancestors: who may show the page in a frame: Overview's origins, separated by spaces.
        page: which template is shown.
    """
    plugin = _Plugin(queue, _POLICY.format(frame_ancestors=frame_ancestors), page)
    app = Flask(__name__)
    app.add_url_rule("/metadata", view_func=plugin.metadata)
    app.add_url_rule("/show", view_func=plugin.show)
    app.add_url_rule("/search", view_func=plugin.search)
    app.register_error_handler(WorkQueueError, _refusal)
    generate = GenerateApp(queue, authorize=OverviewTokenCheck())
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/generate": generate})  # type: ignore[method-assign]
    return app


class _Plugin:
    """The views."""

    def __init__(self, queue: WorkQueue, policy: str, page: str) -> None:
        self._queue = queue
        self._policy = policy
        self._page = page

    def metadata(self) -> Response:
        """Overview's browser asks, from its own origin, whether there is a plugin here."""
        headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=3600"}
        return Response("{}", headers=headers, content_type="application/json")

    def show(self) -> Response:
        """The page. Its address holds the token, so it goes into no cache and no Referer header."""
        headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": self._policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(render_template(self._page), headers=headers)

    def search(self) -> Response:
        """Find documents in the finished index."""
        params = _requested_params()
        words = _requested_words()
        answer = self._search(params, words)
        hits = [hit._asdict() for hit in answer.hits]
        body = json.dumps({"query": words, "total": answer.total, "hits": hits})
        return Response(body, headers={"Cache-Control": "no-store"}, content_type="application/json")

    def _search(self, params: OverviewViewParams, words: str) -> Answer:
        try:
            with self._queue.open_result(params) as path:
                return search_index(path, words)
        except ResultNotFound:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no index yet; POST /generate builds it") from None
        except StorageError as err:
            # What it says is the operator's to read: it may name a directory.
            logger.warning("%s", err)
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "The index cannot be had now; try again later") from err
        except IndexUnreadableError as err:
            raise Problem(HTTPStatus.INTERNAL_SERVER_ERROR, f"The index cannot be read: {err}") from err


def _requested_params() -> OverviewViewParams:
    """What a search is about. Its token is not taken from the address, which ends up in logs."""
    fields = parse_fields(request.query_string.decode("latin-1"))
    fields["apiToken"] = parse_fields(authorization=request.headers.get("Authorization", "")).get("apiToken", "")
    return overview_params(fields)


def _requested_words() -> str:
    words = request.args.get("q", "").strip()
    if not words:
        raise Problem(HTTPStatus.BAD_REQUEST, "q is needed: the words to look for")
    if len(words) > LONGEST_QUERY:
        raise Problem(HTTPStatus.BAD_REQUEST, f"q may have at most {LONGEST_QUERY} characters")
    return words


def _refusal(error: WorkQueueError) -> Response:
    problem = Problem.of(error)
    return Response(problem.body(), problem.status, problem.headers)
