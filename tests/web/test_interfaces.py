"""Which interface a request came through is told by what is true of it, whatever class it is of."""

import asyncio
import importlib.util
import io
from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast

import django.conf
import pytest
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from quart import Quart
from quart import request as quart_request

from tests.conftest import ensure
from tests.tools import missing
from tests.web.conftest import environ, scope
from workqueue import Job, WorkQueue
from workqueue.testing import ManualEngine
from workqueue.web import django as for_django
from workqueue.web import flask as for_flask

if not django.conf.settings.configured:
    django.conf.settings.configure()

NDJSON = {"Accept": "application/x-ndjson"}


@pytest.fixture
def job(queue: WorkQueue, engine: ManualEngine) -> Job:
    job = ensure(queue, "a", "b")
    engine.start(job)
    return job


def asgi_request() -> ASGIRequest:
    return ASGIRequest(scope("GET", "/", "", NDJSON), io.BytesIO())


def wsgi_request() -> WSGIRequest:
    return WSGIRequest(environ("GET", "/", "", b"", NDJSON))


class Wrapper:
    """A request that is not one of Django's, and hands on what it is asked for, as Django REST framework's does."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


class Own(ASGIRequest):
    """A subclass."""


def is_streamed_async(job: Job, request: Any) -> bool:
    response = for_django.progress_response(job, request)
    assert isinstance(response, StreamingHttpResponse)
    if response.is_async:
        return True
    with closing(response):
        next(cast("Iterator[bytes]", iter(response)))
        return False


@pytest.mark.parametrize("is_asgi", [True, False])
@pytest.mark.parametrize("n_wrappers", [0, 1, 2])
def test_a_wrapped_request_is_what_it_wraps(job: Job, n_wrappers: int, is_asgi: bool) -> None:
    request: Any = asgi_request() if is_asgi else wsgi_request()
    for _ in range(n_wrappers):
        request = Wrapper(request)
    assert is_streamed_async(job, request) is is_asgi


def test_subclasses_and_requests_of_tests(job: Job) -> None:
    assert is_streamed_async(job, Own(scope("GET", "/", "", NDJSON), io.BytesIO()))
    assert is_streamed_async(job, AsyncRequestFactory().get("/"))
    assert not is_streamed_async(job, RequestFactory().get("/"))


@pytest.mark.parametrize("is_asgi", [True, False])
def test_django_rest_framework(job: Job, is_asgi: bool) -> None:
    if importlib.util.find_spec("rest_framework") is None:
        missing("no Django REST framework: pip install djangorestframework")
    from rest_framework.request import Request

    assert is_streamed_async(job, Request(asgi_request() if is_asgi else wsgi_request())) is is_asgi


def test_a_request_of_neither_interface_is_refused(job: Job, queue: WorkQueue) -> None:
    with pytest.raises(TypeError, match=r"HttpRequest has neither.*RequestFactory"):
        for_django.progress_response(job, HttpRequest())
    with pytest.raises(TypeError, match=r"HttpRequest has neither"):
        for_django.result_response(queue, ("a",), HttpRequest())
    assert job.n_watchers == 0


def test_a_request_for_asgi_is_refused_where_wsgi_is_meant(job: Job) -> None:
    """Quart's is one of Werkzeug's, too."""

    async def scenario() -> None:
        async with Quart("test").test_request_context("/"):
            with pytest.raises(TypeError, match=r"got a .*\. In Quart, .* send ProgressStream"):
                for_flask.progress_response(job, quart_request)  # type: ignore[arg-type]

    asyncio.run(scenario())
    assert job.n_watchers == 0
