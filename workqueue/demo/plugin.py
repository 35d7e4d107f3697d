"""The plugin: a queue and its finished indexes -> /metadata, /show, /generate and /search."""

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Final

from flask import Flask, Response, render_template, request

from workqueue import InvalidParams, OverviewViewParams, Progress, WorkQueue
from workqueue.demo.search_index import Answer, IndexUnreadableError, search_index

#: Longer than anything a person types; a search costs more with every word.
LONGEST_QUERY: Final = 500

#: The page loads nothing but its own files, and talks to nobody but this plugin.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors {frame_ancestors}"
)

#: Nothing between here and the browser may hold events back, change them, or keep them.
_STREAM_HEADERS: Final = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


def create_plugin(queue: WorkQueue, *, frame_ancestors: str = "*") -> Flask:
    """Make the app. Several threads may serve it: every open /generate takes one.

    Args:
        queue: runs process-docset.py, and says where its indexes lie.
        frame_ancestors: who may show the page in a frame: Overview's origins, separated by spaces.
    """
    plugin = _Plugin(queue, _POLICY.format(frame_ancestors=frame_ancestors))
    app = Flask(__name__)
    app.add_url_rule("/metadata", view_func=plugin.metadata)
    app.add_url_rule("/show", view_func=plugin.show)
    app.add_url_rule("/generate", view_func=plugin.generate, methods=["POST"])
    app.add_url_rule("/search", view_func=plugin.search)
    app.register_error_handler(_ProblemError, _ProblemError.response)
    app.register_error_handler(InvalidParams, _invalid_params)
    return app


class _ProblemError(Exception):
    """An answer that is not what was asked for: Overview's own form, `{"code", "message"}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self._status = status
        self._body = json.dumps({"code": code, "message": message})

    def response(self) -> Response:
        return Response(self._body, self._status, {"Cache-Control": "no-store"}, content_type="application/json")


class _Plugin:
    """The views."""

    def __init__(self, queue: WorkQueue, policy: str) -> None:
        self._queue = queue
        self._policy = policy

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
        return Response(render_template("show.html"), headers=headers)

    def generate(self) -> Response:
        """Build the index unless it is there; tell how far it is, until the end."""
        job = self._queue.ensure_run(_requested_params(request.form.get))
        body: Iterator[str] = iter(["[]"])
        if job is not None:
            body = _json_array(self._queue.report_job_progress_until_completed(job))
        return Response(body, headers=_STREAM_HEADERS, content_type="application/json")

    def search(self) -> Response:
        """Find documents in the finished index."""
        params = _requested_params(request.args.get)
        words = _requested_words()
        answer = self._search(params, words)
        hits = [hit._asdict() for hit in answer.hits]
        body = json.dumps({"query": words, "total": answer.total, "hits": hits})
        return Response(body, headers={"Cache-Control": "no-store"}, content_type="application/json")

    def _search(self, params: OverviewViewParams, words: str) -> Answer:
        try:
            return search_index(self._queue.destination_path_for_params(params), words)
        except FileNotFoundError:
            raise _ProblemError(404, "not-found", "There is no index yet; POST /generate builds it") from None
        except IndexUnreadableError as err:
            raise _ProblemError(500, "unreadable", f"The index cannot be read: {err}") from err


def _requested_params(field: Callable[[str], str | None]) -> OverviewViewParams:
    """What a request is about. The password beside the token is not looked at; plugins differ in it."""
    server, document_set_id = field("server"), field("documentSetId")
    if not server or not document_set_id:
        raise _ProblemError(400, "bad-request", "server and documentSetId are needed")
    auth = request.authorization
    api_token = (auth.username if auth is not None and auth.type == "basic" else None) or _form_token()
    if not api_token:
        # No WWW-Authenticate: a browser would ask the person for a name and a password.
        raise _ProblemError(401, "unauthorized", "The API token is needed, as the user of Basic authorization")
    return OverviewViewParams(server, document_set_id, api_token)


def _form_token() -> str | None:
    """The token of a form; never of an address, which ends up in logs."""
    return request.form.get("apiToken")


def _requested_words() -> str:
    words = request.args.get("q", "").strip()
    if not words:
        raise _ProblemError(400, "bad-request", "q is needed: the words to look for")
    if len(words) > LONGEST_QUERY:
        raise _ProblemError(400, "bad-request", f"q may have at most {LONGEST_QUERY} characters")
    return words


def _invalid_params(error: InvalidParams) -> Response:
    return _ProblemError(400, "illegal-arguments", str(error)).response()


def _json_array(events: Generator[Progress, None, None]) -> Iterator[str]:
    """Events -> the pieces of a JSON array, one element a line; each piece is to be sent at once."""
    with closing(events):
        yield "[\n"
        separator = ""
        for event in events:
            yield separator + json.dumps(event._asdict())
            separator = ",\n"
        yield "\n]"
