"""What is WSGI's own: how a body is read, and how a response is closed."""

import io

import pytest

from tests.web.conftest import BODY, FORM, PARAMS, TOKEN, environ, opened
from workqueue import WorkQueue
from workqueue.testing import ManualEngine
from workqueue.web.fields import MAX_BODY_BYTES
from workqueue.web.wsgi import GenerateApp

HEADERS = {"Content-Type": FORM, "Authorization": TOKEN, "Accept": "application/x-ndjson"}


class Endless(io.RawIOBase):
    """A body that never ends; it counts what is read of it."""

    def __init__(self) -> None:
        self.n_read = 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "all of it would be read"
        self.n_read += size
        return b"a" * size


def test_a_response_that_is_closed_has_left(queue: WorkQueue) -> None:
    job = queue.ensure_run(PARAMS)
    assert job is not None
    with opened(GenerateApp(queue), environ("POST", "/", "", BODY, HEADERS)) as (status, _, pieces):
        assert status == 200
        next(pieces)
        assert job.n_watchers == 1
    assert job.n_watchers == 0


def test_a_response_that_was_never_read_leaves_nothing(queue: WorkQueue) -> None:
    with opened(GenerateApp(queue), environ("POST", "/", "", BODY, HEADERS)):
        pass
    job = queue.ensure_run(PARAMS)
    assert job is not None
    assert job.n_watchers == 0


def test_a_chunked_body_is_read_where_the_server_ends_it(queue: WorkQueue, engine: ManualEngine) -> None:
    request = environ("POST", "/", "", BODY, HEADERS) | {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    with opened(GenerateApp(queue), request) as (status, _, _):
        assert status == 200
    assert [task.arguments for task in engine.tasks] == [tuple(PARAMS)]


def test_a_chunked_body_is_left_alone_where_reading_might_hang(queue: WorkQueue) -> None:
    chunked = {"wsgi.input": Endless(), "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    with opened(GenerateApp(queue), environ("POST", "/", "", b"", HEADERS) | chunked) as (status, _, [body]):
        assert status == 411
        assert b"send the body with a Content-Length" in body


def test_a_body_that_was_cut_is_no_request(queue: WorkQueue, engine: ManualEngine) -> None:
    """What is left of it reads like one, for another document set."""
    request = environ("POST", "/", "", BODY, HEADERS) | {"CONTENT_LENGTH": str(len(BODY) + 1)}
    with opened(GenerateApp(queue), request) as (status, _, [body]):
        assert status == 400
        assert b"the body ended before its Content-Length" in body
    assert engine.tasks == []


@pytest.mark.parametrize("length", ["-5", "+38", "38, 38", "9" * 5000, "x", "\u0663"])
def test_a_length_must_be_a_number(queue: WorkQueue, length: str) -> None:
    request = environ("POST", "/", "", BODY, HEADERS) | {"CONTENT_LENGTH": length}
    with opened(GenerateApp(queue), request) as (status, _, _):
        assert status == 400


@pytest.mark.parametrize(
    "length", [{"CONTENT_LENGTH": str(10**12)}, {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}]
)
def test_no_more_is_read_than_shows_that_it_is_too_long(queue: WorkQueue, length: dict[str, object]) -> None:
    endless = Endless()
    request = environ("POST", "/", "", b"", HEADERS) | {"wsgi.input": endless} | length
    with opened(GenerateApp(queue), request) as (status, _, _):
        assert status == 413
    assert endless.n_read == MAX_BODY_BYTES + 1
