"""7 openapi: the schemas of what clients are sent -> what an endpoint's documentation says of its responses; pure.

Source: `OpenAPI 3.1 <https://spec.openapis.org/oas/v3.1.1.html>`_, "Responses Object".
"""

from http import HTTPStatus
from typing import Any, Final

from workqueue.progress import Progress, succeeded
from workqueue.web.encodings import ENCODINGS, Encoding
from workqueue.web.schema import array_schema, event_schema, refusal_schema

_EXAMPLE: Final = (Progress(n_ahead_in_queue=1), Progress(fraction=0.5, message="Read 1 of 2"), succeeded())


def progress_responses() -> dict[int | str, dict[str, Any]]:
    """What an endpoint answers that returns a `progress_response`, for OpenAPI 3.1.

    In FastAPI: ``@app.post("/reports", responses=progress_responses())``. The statuses are those of the stream, and of
    what `Problem.of` makes of a refusal of `WorkQueue.ensure_run`. Add those of your own to the dict.

    The schema of NDJSON and of server-sent events is that of one event, as is custom: OpenAPI has none of a stream
    before its version 3.2.

    Returns:
        OpenAPI's responses by their statuses; a new dict, which you may change.
    """
    return {
        HTTPStatus.OK.value: {
            "description": "The events of the job, as they come. The `Accept` header chooses their form.",
            "content": {encoding.media_type: _media_type(encoding) for encoding in ENCODINGS},
        },
        HTTPStatus.NO_CONTENT.value: {"description": "An `EventSource` that has seen the last event is to stop."},
        HTTPStatus.BAD_REQUEST.value: _refusal("The parameters can never run."),
        HTTPStatus.SERVICE_UNAVAILABLE.value: {
            **_refusal("The queue is full, or closed."),
            "headers": {
                "Retry-After": {
                    "description": "After how many seconds to ask again.",
                    "schema": {"type": "integer", "minimum": 0},
                }
            },
        },
    }


def _media_type(encoding: type[Encoding]) -> dict[str, Any]:
    if not encoding.is_resumable:
        # No example: FastAPI would leave out what is null in it, and thus show events that do not keep the schema.
        return {"schema": array_schema()}
    encode = encoding().encode
    return {"schema": event_schema(), "example": b"".join(encode(progress) for progress in _EXAMPLE).decode()}


def _refusal(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/problem+json": {"schema": refusal_schema()}}}
