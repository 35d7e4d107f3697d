"""A server with one thread is warned of, once; those with more, and with greenlets, are not."""

import logging
import sys
import types
from collections.abc import Callable

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory
from flask import Flask, request

from tests.web.conftest import BODY, FORM, TOKEN, environ, opened
from workqueue import WorkQueue
from workqueue.web import django as for_django
from workqueue.web import flask as for_flask
from workqueue.web import one_thread
from workqueue.web.wsgi import GenerateApp

if not settings.configured:
    settings.configure()

HEADERS = {"Content-Type": FORM, "Authorization": TOKEN, "Accept": "application/x-ndjson"}


@pytest.fixture(autouse=True)
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was told in this process yet."""
    monkeypatch.setattr(one_thread, "_told", [])


def served(is_multithread: bool) -> dict[str, object]:
    """What a server tells of itself."""
    return {"wsgi.multithread": is_multithread, "SERVER_SOFTWARE": "a server/1.0"}


def ready(queue: WorkQueue, is_multithread: bool) -> None:
    asked = environ("POST", "/generate", "", BODY, HEADERS) | served(is_multithread)
    with opened(GenerateApp(queue), asked):
        pass


def in_flask(queue: WorkQueue, is_multithread: bool) -> None:
    with Flask("test").test_request_context("/", environ_overrides=served(is_multithread)):
        for_flask.progress_response(queue.ensure_run(("a",)), request).close()


def in_django(queue: WorkQueue, is_multithread: bool) -> None:
    asked = WSGIRequest(environ("GET", "/", "", b"", HEADERS) | served(is_multithread))
    for_django.progress_response(queue.ensure_run(("a",)), asked).close()


@pytest.mark.parametrize("respond", [ready, in_flask, in_django])
def test_one_thread_is_warned_of_once(
    queue: WorkQueue, caplog: pytest.LogCaptureFixture, respond: Callable[[WorkQueue, bool], None]
) -> None:
    respond(queue, True)
    assert caplog.records == []
    respond(queue, False)
    respond(queue, False)
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, one_thread.ADVICE)


def test_what_is_no_stream_is_no_reason(queue: WorkQueue, caplog: pytest.LogCaptureFixture) -> None:
    asked = environ("GET", "/generate/workqueue.js", "", b"", {}) | served(False)
    with opened(GenerateApp(queue), asked) as (status, _, _pieces):
        assert status == 200
    assert caplog.records == []


def test_uwsgi_tells_its_version_in_a_way_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    one_thread.warn_of_one_thread({"wsgi.multithread": False, "uwsgi.version": b"2.0"})
    assert len(caplog.records) == 1


def test_the_frameworks_test_clients_are_no_servers(queue: WorkQueue, caplog: pytest.LogCaptureFixture) -> None:
    """They say that they have one thread."""
    asked = RequestFactory().get("/")
    assert asked.META["wsgi.multithread"] is False
    for_django.progress_response(queue.ensure_run(("a",)), asked).close()
    with Flask("test").test_request_context("/"):
        assert request.environ["wsgi.multithread"] is False
        for_flask.progress_response(queue.ensure_run(("a",)), request).close()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("module", "function"), [("gevent.monkey", "is_module_patched"), ("eventlet.patcher", "is_monkey_patched")]
)
@pytest.mark.parametrize("is_patched", [True, False])
def test_greenlets_are_as_good_as_threads(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    function: str,
    is_patched: bool,
) -> None:
    for name in ("gevent.monkey", "eventlet.patcher"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    fake = types.ModuleType(module)
    vars(fake)[function] = lambda _name: is_patched
    monkeypatch.setitem(sys.modules, module, fake)
    one_thread.warn_of_one_thread(served(False))
    assert len(caplog.records) == (0 if is_patched else 1)
