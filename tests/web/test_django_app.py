"""`INSTALLED_APPS = ["workqueue.web.django"]`: its URLs, its template tag, its checks; served, in tests/recipes."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
from workqueue import OverviewViewParams, Params, QueueClosed, WorkQueue
from workqueue.testing import ManualEngine
from workqueue.web import BROWSER_MODULE, BROWSER_TYPES, Fields
from workqueue.web.django import configuration
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
        ({"PARAMS": "math.pi"}, "WORKQUEUE['PARAMS'] must be a plain function, called with Fields"),
        ({"PARAMS": f"{__name__}.may_later"}, "WORKQUEUE['PARAMS'] must be a plain function"),
        ({"PARAMS": "broken_module.params"}, "WORKQUEUE['PARAMS'] cannot be imported: ZeroDivisionError: "),
        ({"QUEUE": "math.pi"}, "WORKQUEUE['QUEUE'] must be a WorkQueue, or the path of one; got 3.14"),
        ({"HEARTBEAT": 0}, "WORKQUEUE['HEARTBEAT']: ValueError: heartbeat must be a number of seconds above 0"),
        ({"HEARTBEAT": "10"}, "WORKQUEUE['HEARTBEAT']: "),
        ({"MAX_DURATION": "10"}, "WORKQUEUE['MAX_DURATION']: "),
        ({"ALLOW_ORIGIN": "https://a, https://b"}, "WORKQUEUE['ALLOW_ORIGIN']: ValueError: allow_origin must be one"),
        ({"RESULT_OPTIONS": {"max_agee": 3}}, "WORKQUEUE['RESULT_OPTIONS']: TypeError: there is no option max_agee"),
        ({"RESULT_OPTIONS": {"media_type": 3}}, "WORKQUEUE['RESULT_OPTIONS']: "),
        ({"QUEUE": None, "PROGRAM": "p", "OPTIONS": {"storage": "s3://b"}}, "WORKQUEUE['PROGRAM'] with its OPTIONS: "),
        ({"QUEUE": None, "PROGRAM": "p", "OPTIONS": 3}, "WORKQUEUE['PROGRAM'] with its OPTIONS: TypeError: "),
        ({"QUEUE": None, "PROGRAM": "/no/such/program"}, "/no/such/program"),
        ({"AUTHORIZE": f"{__name__}.may_later"}, "WORKQUEUE['AUTHORIZE'] must be a plain function"),
        ({"AUTHORIZE": "math.pi"}, "WORKQUEUE['AUTHORIZE'] must be a plain function, called with the request and"),
        ({"AUTHORIZE": True}, "WORKQUEUE['AUTHORIZE'] must be a plain function"),
    ],
)
def test_the_check_says_what_is_wrong_with_the_setting(
    site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], error: str
) -> None:
    (tmp_path / "broken_module.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
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


@pytest.mark.parametrize(
    ("same_site", "authorize", "n_warnings"),
    [("None", f"{__name__}.may", 1), ("None", None, 0), ("Lax", f"{__name__}.may", 0), (False, f"{__name__}.may", 0)],
)
def test_the_check_warns_of_a_session_that_other_sites_can_use(
    site: Any, same_site: str | bool, authorize: str | None, n_warnings: int
) -> None:
    site(AUTHORIZE=authorize)
    with override_settings(SESSION_COOKIE_SAMESITE=same_site):
        found = [found for found in checks.run_checks() if str(found.id).startswith("workqueue")]
    assert [(one.id, one.level) for one in found] == [("workqueue.W001", checks.WARNING)] * n_warnings


MODULE_THAT_WANTS_THE_QUEUE = """
import threading
from workqueue.web.django import queue

found = []
thread = threading.Thread(target=lambda: found.append(queue()))
thread.start()
thread.join(5)


def params(fields):
    return (fields["name"],)
"""


def test_a_module_of_the_setting_may_wait_for_a_thread_that_wants_the_queue(
    site: Any, queue: WorkQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wants_the_queue.py").write_text(MODULE_THAT_WANTS_THE_QUEUE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wants_the_queue", raising=False)
    site(PARAMS="wants_the_queue.params")
    assert [found.msg for found in checks.run_checks() if found.id == "workqueue.E001"] == []
    module = sys.modules.pop("wants_the_queue")
    assert module.found == [queue]
    module.thread.join()


class MeetingPath:
    """A path that two threads look at in the same moment, the first time that each does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._barrier = threading.Barrier(2, timeout=10)
        self._seen: set[int] = set()

    def __fspath__(self) -> str:
        if threading.get_ident() not in self._seen:
            self._seen.add(threading.get_ident())
            self._barrier.wait()
        return str(self._path)


def test_two_threads_that_make_the_queue_at_once_get_one(
    site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is closed."""
    made: list[WorkQueue] = []

    class Noted(WorkQueue):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(configuration, "WorkQueue", Noted)
    program = write_program(tmp_path / "program", 'echo > "$output"')
    site(QUEUE=None, PROGRAM=program, OPTIONS={"storage_dir": MeetingPath(tmp_path / "storage")})
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: configured_queue(), range(2))
    try:
        assert one is other
        [closed] = [queue for queue in made if queue is not one]
        with pytest.raises(QueueClosed):
            closed.ensure_run(("a",))
        assert one.ensure_run(("a",)) is not None
    finally:
        one.close(0.0)


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
