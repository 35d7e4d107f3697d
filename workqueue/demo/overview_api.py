"""A stand-in for Overview's HTTP API: one document set, one token, the server's status codes and bodies.

What a plugin needs to build its database and to keep its state: the token, the documents (paged and
streamed), the tags, the state. Left out: writing metadata, store objects, selecting by tag, object or document.
"""

import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from flask import Flask, Response, jsonify, request
from werkzeug.datastructures import Authorization
from werkzeug.exceptions import HTTPException

from workqueue.demo.documents import ALL_FIELDS, DEFAULT_FIELDS, Document, DocumentSet
from workqueue.demo.selections import Selection, Selections

#: The server's own limits: documents in one page, in one page with whole texts, in one batch of a stream.
PAGE_LIMIT: Final = 1000
TEXT_PAGE_LIMIT: Final = 20
STREAM_BATCH: Final = 20
_NO_LIMIT: Final = 2**31 - 1

#: What stands beside the token in the Authorization header; no secret.
_PASSWORD: Final = "x-auth-token"  # noqa: S105

_LARGE_FIELDS: Final = frozenset({"text", "tokens", "metadata"})

_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "origin, authorization, content-type, accept",
}
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "DELETE, PUT, POST, GET, OPTIONS",
    "Access-Control-Max-Age": "1728000",
}

_UNAUTHORIZED: Final = (
    "You must set an Authorization header of 'Basic #{base64encode(\"YOUR-DOCSET-TOKEN:x-auth-token\")}', "
    "with a token that is valid"
)
_FORBIDDEN: Final = "Your API token is valid, but it is for another document set"


def create_overview_api(
    document_set: DocumentSet,
    api_token: str,
    *,
    delay: float = 0.0,
    wait: Callable[[float], object] = time.sleep,
    batch: int = STREAM_BATCH,
    truncate_after: int | None = None,
    max_selections: int = 1000,
) -> Flask:
    """Make the app. Several threads may serve it.

    Args:
        document_set: what it serves.
        api_token: the only token that is valid, for this document set.
        delay: seconds to wait before each batch of a stream, so that a person can watch the progress.
        wait: what waits; a test that orders its threads gives its own.
        batch: how many documents of a stream come at once.
        truncate_after: break off each stream after so many documents, as a failing server does.
        max_selections: how many selections are kept before the oldest expires.
    """

    def before_batch() -> None:
        if delay:
            wait(delay)

    api = _OverviewApi(
        document_set, api_token, Selections(max_selections), before_batch, batch=batch, truncate_after=truncate_after
    )
    app = Flask(__name__, static_folder=None)
    app.before_request(api.authorize)
    app.after_request(_add_cors)
    app.register_error_handler(HTTPException, _problem_of)
    for rule, view, methods in api.routes():
        app.add_url_rule(f"/api/v1{rule}", view.__name__, view, methods=methods)
    return app


class _OverviewApi:
    """The views, and the little state behind them: selections and the plugin's state."""

    def __init__(
        self,
        document_set: DocumentSet,
        api_token: str,
        selections: Selections,
        before_batch: Callable[[], None],
        *,
        batch: int,
        truncate_after: int | None,
    ) -> None:
        self._set = document_set
        self._token = api_token
        self._selections = selections
        self._before_batch = before_batch
        self._batch = batch
        self._truncate_after = truncate_after
        self._created_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._lock = threading.Lock()  # guards _state
        self._state: dict[str, object] = {}

    def routes(self) -> Iterator[tuple[str, Callable[..., Response], list[str]]]:
        documents = "/document-sets/<int:set_id>/documents"
        yield "/api-token", self.show_token, ["GET"]
        yield documents, self.index_documents, ["GET"]
        yield f"{documents}/<int:document_id>", self.show_document, ["GET"]
        yield "/document-sets/<int:set_id>/tags", self.index_tags, ["GET"]
        yield "/store/state", self.show_state, ["GET"]
        yield "/store/state", self.put_state, ["PUT"]

    def authorize(self) -> Response | None:
        """Answer a preflight, or a request without the right token; None lets a request through."""
        if request.method == "OPTIONS":
            return Response(status=204, headers=_PREFLIGHT)
        if not self._knows(request.authorization):
            return _message(401, _UNAUTHORIZED)
        if (request.view_args or {}).get("set_id", self._set.id) != self._set.id:
            return _message(403, _FORBIDDEN)
        return None

    def _knows(self, auth: Authorization | None) -> bool:
        if auth is None or auth.type != "basic" or auth.password != _PASSWORD:
            return False
        return hmac.compare_digest((auth.username or "").encode(), self._token.encode())

    def show_token(self) -> Response:
        return jsonify(
            token=self._token,
            description="The demo's token",
            createdAt=self._created_at,
            userEmail="demo@example.org",
            documentSetId=self._set.id,
        )

    def index_documents(self, set_id: int) -> Response:  # noqa: ARG002 - authorize() has compared it
        selection = self._requested_selection()
        if selection is None:
            return _problem(404, "not-found", "There is no such selection, or it has expired")
        fields = _requested_fields()
        if fields == {"id"}:
            return jsonify([document.id for document in selection.documents])
        streaming = request.args.get("stream") == "true"
        most = _NO_LIMIT if streaming else TEXT_PAGE_LIMIT if fields & _LARGE_FIELDS else PAGE_LIMIT
        offset = request.args.get("offset", 0, _count)
        limit = min(max(1, request.args.get("limit", most, _count)), most)
        pagination = {"offset": offset, "limit": limit, "total": len(selection.documents)}
        page = selection.documents[offset : offset + limit]
        head: dict[str, object] = {"selectionId": selection.id, "pagination": pagination}
        if streaming:
            return Response(self._stream(head, page, fields), content_type="application/json")
        return jsonify(head | {"warnings": [], "items": [document.to_json(fields) for document in page]})

    def _requested_selection(self) -> Selection | None:
        if selection_id := request.args.get("selectionId"):
            return self._selections.find(selection_id)
        return self._selections.add(self._set.search(request.args.get("q", "")))

    def _stream(self, head: dict[str, object], page: tuple[Document, ...], fields: set[str]) -> Iterator[str]:
        yield json.dumps(head, separators=(",", ":"))[:-1] + ',"items":['
        kept = page[: self._truncate_after]
        for start in range(0, len(kept), self._batch):
            self._before_batch()
            items = ",".join(json.dumps(d.to_json(fields)) for d in kept[start : start + self._batch])
            yield f",{items}" if start else items
        if self._truncate_after is None:
            yield "]}"

    def show_document(self, set_id: int, document_id: int) -> Response:
        document = self._set.find(document_id)
        if document is None:
            return _problem(404, "not-found", f"Document {document_id} not found in document set {set_id}")
        return jsonify(document.to_json(ALL_FIELDS))

    def index_tags(self, set_id: int) -> Response:  # noqa: ARG002 - authorize() has compared it
        return jsonify([])

    def show_state(self) -> Response:
        with self._lock:
            return jsonify(self._state)

    def put_state(self) -> Response:
        try:
            state = json.loads(request.get_data())
        except ValueError:
            return _problem(400, "bad-request", "The body is not JSON")
        if not isinstance(state, dict):
            return _problem(400, "illegal-arguments", "You must pass a JSON Object")
        with self._lock:
            self._state = state
        return jsonify(state)


def _requested_fields() -> set[str]:
    """The fields asked for, id among them; unknown names are passed over, as the server does."""
    known = set(ALL_FIELDS).intersection(request.args.get("fields", "").split(","))
    return (known or set(DEFAULT_FIELDS)) | {"id"}


def _count(text: str) -> int:
    """A number of documents; anything else is as good as absent (ValueError: werkzeug takes the default)."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise ValueError(text)
    return int(text)


def _message(status: int, message: str) -> Response:
    return Response(json.dumps({"message": message}), status, content_type="application/json")


def _problem(status: int, code: str, message: str) -> Response:
    return Response(json.dumps({"code": code, "message": message}), status, content_type="application/json")


def _problem_of(error: HTTPException) -> Response:
    code = "not-found" if error.code == 404 else "bad-request"
    return _problem(error.code or 500, code, error.description or error.name)


def _add_cors(response: Response) -> Response:
    response.headers.extend(_CORS)
    return response
