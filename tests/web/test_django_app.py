"""`INSTALLED_APPS = ["workqueue.web.django"]`: its URLs, its template tag, its checks; served, in tests/recipes."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django
import django.conf
import pytest
from django.core import checks
from django.http import HttpRequest
from django.template import Context, Engine
from django.test import Client, override_settings
from django.urls import include, path

from tests.conftest import write_program
from workqueue import OverviewViewParams, Params, WorkQueue
from workqueue.testing import ManualEngine
from workqueue.web import BROWSER_MODULE, BROWSER_TYPES, Fields
from workqueue.web.django import queue as configured_queue

MakeQueue = Callable[..., WorkQueue]

if not django.conf.settings.configured:
    django.conf.settings.configure()

urlpatterns = [path("builds/", include("workqueue.web.django.urls"))]

#: The queue that the setting names, by its path.
a_queue: WorkQueue | None = None

APP = "workqueue.web.django"


def named(fields: Fields) -> Params:
    return (fields["name"],)


def may(request: HttpRequest, params: Params) -> bool:
    return request.headers.get("X-User") == params[0]


async def may_later(request: HttpRequest, params: Params) -> bool:
    return True


@pytest.fixture
def site(queue: WorkQueue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Settings of a site, with these for the app."""
    monkeypatch.setitem(globals(), "a_queue", queue)
    entered: list[Any] = []

    def settings(middleware: tuple[str, ...] = (), **options: object) -> Client:
        given = {"QUEUE": f"{__name__}.a_queue", "PARAMS": f"{__name__}.named", **options}
        override = override_settings(
            ALLOWED_HOSTS=["testserver"],
            INSTALLED_APPS=[APP],
            MIDDLEWARE=list(middleware),
            ROOT_URLCONF=__name__,
            WORKQUEUE={key: value for key, value in given.items() if value is not None},
        )
        if not entered:
            django.setup(set_prefix=False)
        override.enable()
        entered.append(override)
        return Client()

    yield settings
    while entered:
        entered.pop().disable()


def build(queue: WorkQueue, engine: ManualEngine, name: str) -> None:
    job = queue.ensure_run((name,))
    assert job is not None
    engine.start(job)
    engine.succeed(job)


@pytest.mark.parametrize("method", ["get", "post"])
def test_it_tells_how_a_job_goes(site: Any, queue: WorkQueue, engine: ManualEngine, method: str) -> None:
    client = site()
    build(queue, engine, "a")
    response = getattr(client, method)(
        "/builds/", {"name": "a"}, **json_or_form(method), headers={"Accept": "text/event-stream"}
    )
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.headers["Content-Encoding"] == "identity"
    assert "Access-Control-Allow-Origin" not in response.headers
    body = b"".join(response.streaming_content)
    assert b'"returncode": 0' in body


def json_or_form(method: str) -> dict[str, str]:
    return {"content_type": "application/json"} if method == "post" else {}


def test_refusals_are_those_of_the_ready_application(site: Any) -> None:
    client = site(ALLOW_ORIGIN="*")
    response = client.get("/builds/")
    assert (response.status_code, response.headers["Content-Type"]) == (400, "application/problem+json")
    assert json.loads(response.content)["detail"].startswith("name is missing")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert client.put("/builds/?name=a").status_code == 405
    assert client.options("/builds/").status_code == 204
    assert client.head("/builds/").content == b""
    assert client.get("/builds/result?name=a").status_code == 404
    assert client.put("/builds/result?name=a").status_code == 405
    assert client.get("/builds/result").status_code == 400


def test_who_may_ask_is_told_by_the_request(site: Any, queue: WorkQueue, engine: ManualEngine) -> None:
    client = site(AUTHORIZE=f"{__name__}.may")
    build(queue, engine, "a")
    for address in ("/builds/?name=a", "/builds/result?name=a"):
        assert client.get(address).status_code == 403
        assert client.get(address, headers={"X-User": "b"}).status_code == 403
        assert client.get(address, headers={"X-User": "a"}).status_code == 200


def test_it_serves_results_and_the_browser_module(site: Any, queue: WorkQueue, engine: ManualEngine) -> None:
    client = site(RESULT_OPTIONS={"media_type": "text/csv"})
    response = client.get("/builds/workqueue.js")
    assert (response.content, response.headers["Content-Type"]) == (
        BROWSER_MODULE.read_bytes(),
        "text/javascript; charset=utf-8",
    )
    assert client.get("/builds/workqueue.d.ts").content == BROWSER_TYPES.read_bytes()
    assert client.get("/builds/workqueue.js", headers={"If-None-Match": response.headers["ETag"]}).status_code == 304
    missing = json.loads(client.get("/builds/result?name=a").content)
    assert missing["generate"] == "/builds/"
    build(queue, engine, "a")
    response = client.get("/builds/result?name=a")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/csv")
    assert b"".join(response.streaming_content)


def test_a_queue_is_made_of_the_setting(site: Any, tmp_path: Path) -> None:
    """And once; by default its parameters are Overview's."""
    program = write_program(tmp_path / "program", 'echo "$2" > "$output"')
    options = {"storage_dir": tmp_path / "storage"}
    client = site(QUEUE=None, PROGRAM=program, OPTIONS=options, PARAMS=None)
    queue = configured_queue()
    try:
        assert queue is configured_queue()
        response = client.get("/builds/?server=http://h&documentSetId=1&apiToken=t")
        assert json.loads(b"".join(response.streaming_content))[-1]["returncode"] == 0
        assert queue.ensure_run(OverviewViewParams("http://h", "1", "t")) is None
    finally:
        queue.close(0.0)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"QUEUE": None}, "must have a PROGRAM, with OPTIONS for its queue, or a QUEUE"),
        ({"PROGRAM": "p"}, "or a QUEUE, and not both"),
        ({"OPTIONS": {}}, "has OPTIONS for a queue that is there"),
        ({"Program": "p"}, "has no key 'Program'; it has ALLOW_ORIGIN, AUTHORIZE"),
        ({"PARAMS": f"{__name__}.nothing"}, "WORKQUEUE['PARAMS'] cannot be imported"),
        ({"QUEUE": "no.such.module.queue"}, "WORKQUEUE['QUEUE'] cannot be imported"),
        ({"HEARTBEAT": 0}, "heartbeat must be a number of seconds above 0"),
        ({"QUEUE": None, "PROGRAM": "/no/such/program"}, "/no/such/program"),
        ({"AUTHORIZE": f"{__name__}.may_later"}, "must be a plain function"),
    ],
)
def test_the_check_says_what_is_wrong_with_the_setting(
    site: Any, tmp_path: Path, options: dict[str, object], error: str
) -> None:
    if "PROGRAM" in options:
        options = {"OPTIONS": {"storage_dir": tmp_path / "storage"}, **options} if "QUEUE" in options else options
    site(**options)
    [found] = [found for found in checks.run_checks() if found.id == "workqueue.E001"]
    assert error in found.msg


def test_a_site_without_the_setting_is_told_of_it(site: Any) -> None:
    site()
    with override_settings(WORKQUEUE=None):
        [found] = [found for found in checks.run_checks() if found.id == "workqueue.E001"]
    assert "WORKQUEUE must be a dict" in found.msg


def test_what_is_right_is_not_complained_of(site: Any) -> None:
    site()
    assert [found for found in checks.run_checks() if str(found.id).startswith("workqueue")] == []


def test_the_check_names_what_holds_streams_back(site: Any) -> None:
    site(middleware=("django.middleware.gzip.GZipMiddleware",))
    [found] = [found for found in checks.run_checks() if str(found.id).startswith("workqueue")]
    assert (found.id, found.level) == ("workqueue.I001", checks.INFO)
    assert "GZipMiddleware" in found.msg


#: Django's own, all that need no other app.
MIDDLEWARE = [
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.cache.FetchFromCacheMiddleware",
]


def test_djangos_own_middleware_lets_a_stream_through(site: Any, queue: WorkQueue, engine: ManualEngine) -> None:
    """Piece by piece: each is here before the next event is told."""
    client = site(middleware=tuple(MIDDLEWARE))
    headers = {"Accept": "application/x-ndjson", "Accept-Encoding": "gzip", "If-None-Match": '"a"'}
    response = client.get("/builds/?name=a", headers=headers)
    assert "X-Frame-Options" not in response.headers
    pieces = iter(response.streaming_content)
    job = queue.ensure_run(("a",))
    assert job is not None
    engine.start(job)
    for fraction in (0.25, 0.5):
        engine.progress(job, fraction)
        while json.loads(next(pieces))["fraction"] != fraction:
            pass
    engine.succeed(job)
    assert json.loads(list(pieces)[-1])["returncode"] == 0
    response.close()


def render(text: str) -> str:
    engine = Engine(libraries={"workqueue": f"{APP}.templatetags.workqueue"})
    return engine.from_string("{% load workqueue %}" + text).render(Context({"evil": '"><script>'}))


def test_the_template_tag_is_the_element_and_its_module(site: Any) -> None:
    site()
    assert render('{% workqueue_progress label="The index" name="a&b" year=2001 %}') == (
        '<script type="module" src="/builds/workqueue.js"></script>\n'
        '<workqueue-progress src="/builds/?name=a%26b&amp;year=2001" label="The index"></workqueue-progress>'
    )
    assert render("{% workqueue_progress %}").endswith('<workqueue-progress src="/builds/"></workqueue-progress>')
    text = render("{% workqueue_progress label=evil name=evil %}")
    assert "<script>" not in text.replace('<script type="module"', "")
    assert 'label="&quot;&gt;&lt;script&gt;"' in text
