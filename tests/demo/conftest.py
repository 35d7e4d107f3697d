"""For the demo's tests: real servers on free ports of this machine, and a client that hides nothing."""

import base64
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPMessage
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from flask import Flask

from workqueue.demo.documents import DocumentSet
from workqueue.demo.server import listen, serving
from workqueue.demo.texts import Text

TOKEN = "correct0horse"

#: Seconds after which a test that waits for another thread gives up; never reached when all is well.
PATIENCE = 20.0

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Answer(NamedTuple):
    status: int
    headers: HTTPMessage
    body: bytes


def basic(user: str, password: str = "x-auth-token") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def ask(
    url: str, headers: dict[str, str] | None = None, method: str = "GET", body: bytes | None = None, **query: Any
) -> Answer:
    """Send a request; give the answer, whatever its status."""
    target = f"{url}?{urlencode(query)}" if query else url
    request = urllib.request.Request(target, body, headers or {}, method=method)
    try:
        with _direct.open(request, timeout=PATIENCE) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as response:
        with response:
            return Answer(response.status, response.headers, response.read())


def make_document_set(size: int, set_id: int = 7) -> DocumentSet:
    """Documents 0, 1, ...: each with a word of its own, and one that all share."""
    texts = [Text(f"file-{i}", f"Title {i}", f"common word{i} café 😀") for i in range(size)]
    return DocumentSet.from_texts(set_id, texts)


@pytest.fixture
def serve() -> Iterator[Callable[[Flask], str]]:
    """Starts a server for an app, and gives its address; stopped after the test."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(serving(app, listen("127.0.0.1", 0)))


@pytest.fixture
def our_python_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `env python3` find the Python that runs the tests, which has ijson."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
