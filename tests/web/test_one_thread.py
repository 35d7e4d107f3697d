"""A server with one thread is warned of, once; those with more, and with greenlets, are not."""

import logging
import sys
import types
from collections.abc import Callable

import pytest
from django.core.handlers.wsgi import WSGIRequest
from flask import Flask, request

from tests.web.conftest import BODY, FORM, TOKEN, environ, opened
from workqueue import WorkQueue
from workqueue.web import django as for_django
from workqueue.web import flask as for_flask
from workqueue.web import one_thread
from workqueue.web.wsgi import GenerateApp

HEADERS = {"Content-Type": FORM, "Authorization": TOKEN, "Accept": "application/x-ndjson"}


@pytest.fixture(autouse=True)
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was told in this process yet."""
    monkeypatch.setattr(one_thread, "_told", [])


def ready(queue: WorkQueue, is_multithread: bool) -> None:
    asked = environ("POST", "/generate", "", BODY, HEADERS) | {"wsgi.multithread": is_multithread}
    with opened(GenerateApp(queue), asked):
        pass


def in_flask(queue: WorkQueue, is_multithread: bool) -> None:
    with Flask("test").test_request_context("/", environ_overrides={"wsgi.multithread": is_multithread}):
        for_flask.progress_response(queue.ensure_run(("a",)), request).close()


def in_django(queue: WorkQueue, is_multithread: bool) -> None:
    asked = WSGIRequest(environ("GET", "/", "", b"", HEADERS) | {"wsgi.multithread": is_multithread})
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
    asked = environ("GET", "/generate/workqueue.js", "", b"", {}) | {"wsgi.multithread": False}
    with opened(GenerateApp(queue), asked) as (status, _, _pieces):
        assert status == 200
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
    one_thread.warn_of_one_thread({"wsgi.multithread": False})
    assert len(caplog.records) == (0 if is_patched else 1)
