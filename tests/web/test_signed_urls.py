"""Results in a bucket: through this host's copy, or by a URL that the bucket's credentials sign; real servers."""

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ensure, write_program
from tests.objects.server import ObjectServer
from tests.web.test_results import CONTENT, ask, build, named
from workqueue import StorageError, WorkQueue
from workqueue.storage.objects import ObjectStorage
from workqueue.testing import ManualEngine
from workqueue.web import asgi, wsgi


@pytest.fixture(params=["wsgi", "asgi"])
def apps(request: pytest.FixtureRequest) -> Any:
    return {"wsgi": wsgi, "asgi": asgi}[request.param]


@pytest.fixture
def storage(object_server: ObjectServer, prefix: str, tmp_path: Path) -> ObjectStorage:
    return ObjectStorage(
        object_server.url(prefix), tmp_path / "host", endpoint=object_server.endpoint, config=object_server.credentials
    )


@pytest.fixture
def built(make_queue: Callable[..., WorkQueue], engine: ManualEngine, storage: ObjectStorage) -> WorkQueue:
    queue = make_queue("program", engine=engine, storage_dir=None, storage=storage)
    build(queue, engine, CONTENT)
    return queue


def test_a_result_of_a_bucket_is_sent_through_this_hosts_copy(
    apps: Any, built: WorkQueue, engine: ManualEngine
) -> None:
    app = apps.ResultApp(built, params=named)
    reply = ask(app)
    assert (reply.status, reply.body) == (200, CONTENT)
    part = ask(app, Range="bytes=10-19", If_Range=reply.headers["etag"])
    assert (part.status, part.body) == (206, CONTENT[10:20])
    assert ask(app, If_None_Match=reply.headers["etag"]).status == 304
    build(built, engine, b"new")
    assert ask(app, If_None_Match=reply.headers["etag"]).body == b"new"


def test_a_client_is_sent_to_the_bucket(apps: Any, built: WorkQueue) -> None:
    """And gets there what is asked for, also a part of it, without any credentials of ours."""
    app = apps.ResultApp(built, params=named, redirect=True)
    reply = ask(app, If_None_Match="*", Range="bytes=0-1")
    assert (reply.status, reply.headers["cache-control"]) == (307, "no-store")
    url = reply.headers["location"]
    with urllib.request.urlopen(url, timeout=20) as response:
        assert response.read() == CONTENT
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Range": "bytes=10-19"}), timeout=20) as response:
        assert (response.status, response.read()) == (206, CONTENT[10:20])
    head = ask(app, "HEAD")
    with urllib.request.urlopen(
        urllib.request.Request(head.headers["location"], method="HEAD"), timeout=20
    ) as response:
        assert response.headers["Content-Length"] == str(len(CONTENT))
    form = {"body": "name=there", "Content_Type": "application/x-www-form-urlencoded", "query": ""}
    assert ask(app, "POST", **form).status == 303
    assert ask(app, query="name=nothing").status == 404
    assert ask(app, path="/result/within").status == 404


def test_what_cannot_be_signed_is_sent_through_the_copy(
    apps: Any,
    built: WorkQueue,
    storage: ObjectStorage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Credentials that cannot sign are known of only when they are asked to."""

    def refuse(*_: object) -> str:
        raise StorageError("Cannot sign a URL of the result: no key")

    monkeypatch.setattr(storage, "signed_url", refuse)
    reply = ask(apps.ResultApp(built, params=named, redirect=True))
    assert (reply.status, reply.body) == (200, CONTENT)
    assert "cannot redirect to the result, and send it: Cannot sign a URL of the result: no key" in caplog.text
    caplog.clear()  # the error in it has the storage in its traceback, and with it a connection


def test_only_a_bucket_signs(built: WorkQueue, make_queue: Callable[..., WorkQueue], engine: ManualEngine) -> None:
    assert built.signs_urls
    queue = make_queue("program", engine=engine)
    assert not queue.signs_urls
    with pytest.raises(TypeError, match="results of this storage have no URLs; give the queue an ObjectStorage"):
        queue.signed_url(("there",), 60)


def test_a_file_of_a_directory_is_sent_through_the_copy(
    apps: Any, make_queue: Callable[..., WorkQueue], storage: ObjectStorage, tmp_path: Path
) -> None:
    """One object holds all of its files, so no URL leads to one."""
    program = write_program(tmp_path / "program", 'printf index > "$output/index.html"')
    queue = make_queue(program, storage_dir=None, storage=storage, result="directory")
    assert ensure(queue, "there").wait(60).returncode == 0
    reply = ask(apps.ResultApp(queue, params=named, redirect=True), path="/index.html")
    assert (reply.status, reply.body) == (200, b"index")
    assert ask(apps.ResultApp(queue, params=named, redirect=True)).status == 404
