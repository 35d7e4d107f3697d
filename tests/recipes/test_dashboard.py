"""Each recipe that mounts a dashboard, served by the server that the documentation names, and who gets in."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from tests.recipes.recipe import GUNICORN, STEPS, UVICORN, Served, recipe, served
from tests.servers.server import ROOT, TIMEOUT, Server, eventually
from workqueue import Job, WorkQueue
from workqueue.testing import ScriptedProgram

PASSWORD = "correct horse"
SECRETS = {"OPS_PASSWORD": PASSWORD, "SECRET_KEY": "for tests"}
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "


class Reply(NamedTuple):
    """A response to its end."""

    status: int
    headers: dict[str, str]
    text: str


class Visitor:
    """Somebody with a browser, which keeps cookies."""

    def __init__(self, port: int, **headers: str) -> None:
        self._port = port
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.cookies: dict[str, str] = {}

    @contextmanager
    def asking(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Iterator[HTTPResponse]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
        with closing(connection):
            sent = {**self._headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
            if self.cookies:
                sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            for cookie in response.headers.get_all("Set-Cookie") or ():
                name, _, value = cookie.partition(";")[0].partition("=")
                self.cookies[name] = value
            with closing(response):
                yield response

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Reply:
        with self.asking(path, method, body, **headers) as response:
            return Reply(response.status, dict(response.headers), response.read().decode())

    def post_form(self, path: str, **fields: str) -> Reply:
        return self.ask(path, "POST", urlencode(fields), Content_Type="application/x-www-form-urlencoded")

    def first_snapshot(self, at: str) -> dict[str, Any]:
        """What the page at this place is told first."""
        with self.asking(f"{at}events") as response:
            assert response.status == 200
            for line in response:
                if line.startswith(b"data: {"):
                    snapshot: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
                    return snapshot
        raise AssertionError("the stream ended without a snapshot")


def with_short_streams(text: str) -> str:
    """A recipe whose server notices soon that a page was left, so that it stops soon."""
    shortened = text.replace("authorize_operator=is_operator", "authorize_operator=is_operator, heartbeat=0.2")
    assert shortened != text
    return shortened


def log_in(visitor: Visitor) -> None:
    assert visitor.post_form("/login", password="wrong").status in {302, 303}
    assert visitor.ask("/dashboard/").status == 403
    assert visitor.post_form("/login", password=PASSWORD).status in {302, 303}


def check(directory: Path, visitor: Visitor, at: str) -> None:
    """An operator sees a job of another process, and cancels it."""
    assert visitor.ask(at.rstrip("/") or "/").status in ({307} if at != "/" else {200})
    page = visitor.ask(at)
    assert page.status == 200
    assert page.headers.get("Content-Security-Policy", page.headers.get("content-security-policy", "")).startswith(
        POLICY
    )
    assert visitor.ask(f"{at}dashboard.js").status == 200
    token = re.search(r'name="token" content="([^"]+)"', page.text)
    assert token is not None
    with WorkQueue(directory / "process-docset.py", storage_dir=directory / "databases") as queue:
        job = queue.ensure_run(("http://localhost", "1", "t0ken"))
        assert isinstance(job, Job)
        eventually(lambda: visitor.first_snapshot(at)["running"] == 1)
        [row] = visitor.first_snapshot(at)["jobs"]
        assert (row["key"], row["is_running"]) == (job.key, True)
        body = json.dumps({"key": job.key})
        headers = {"Content_Type": "application/json", "Sec_Fetch_Site": "same-origin"}
        assert visitor.ask(f"{at}cancel", "POST", body, **headers).status == 403
        assert not job.state.is_final
        reply = visitor.ask(f"{at}cancel", "POST", body, **headers, X_Workqueue_Token=token[1])
        assert (reply.status, json.loads(reply.text)) == (200, {"was_there": True})
        assert job.wait(TIMEOUT).returncode == -998
    eventually(lambda: visitor.first_snapshot(at)["outcomes"] == {"cancelled": 1})


def check_basic(site: Served) -> None:
    stranger = Visitor(site.port)
    assert (stranger.ask("/").status, stranger.ask("/events").status) == (401, 401)
    assert stranger.ask("/").headers["Www-Authenticate"] == 'Basic realm="operators"'
    operator = Visitor(site.port, Authorization="Basic " + base64.b64encode(f"ops:{PASSWORD}".encode()).decode())
    check(site.directory, operator, "/")


def check_session(site: Served) -> None:
    visitor = Visitor(site.port)
    for path in ("", "/", "/events", "/dashboard.js"):
        assert visitor.ask(f"/dashboard{path}").status in ({403} if path else {403, 307})
    log_in(visitor)
    check(site.directory, visitor, "/dashboard/")


CHECKS: dict[str, tuple[list[str], Callable[[Served], None]]] = {
    "dashboard_wsgi.py": ([*GUNICORN, "dashboard_wsgi:app"], check_basic),
    "flask_dashboard.py": ([*GUNICORN, "flask_dashboard:app"], check_session),
    "starlette_dashboard.py": ([*UVICORN, "starlette_dashboard:app"], check_session),
}

DJANGO = "django_dashboard.py"

NAMES = [*CHECKS, DJANGO]


@pytest.mark.parametrize("name", CHECKS)
def test_an_operator_gets_in_and_nobody_else(name: str, tmp_path: Path) -> None:
    command, check_site = CHECKS[name]
    with served(name, command, tmp_path, with_short_streams, **SECRETS) as site:
        check_site(site)


def test_in_django_the_staff_gets_in_and_nobody_else(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    start = [sys.executable, "-m", "django", "startproject", "mysite", str(project)]
    subprocess.run(start, check=True, timeout=TIMEOUT)
    (project / "mysite" / "wsgi.py").write_text(with_short_streams(recipe(DJANGO)))
    manage(project, "migrate", "--verbosity", "0")
    for name, is_staff in (("reader", False), ("operator", True)):
        manage(
            project,
            "shell",
            "-c",
            "from django.contrib.auth.models import User;"
            f"User.objects.create_user({name!r}, password={PASSWORD!r}, is_staff={is_staff})",
        )
    with ScriptedProgram(tmp_path / "program", *STEPS) as program:
        (project / "process-docset.py").symlink_to(program.path)
        with Server([*GUNICORN, "mysite.wsgi"], project, PYTHONWARNINGS="error") as server:
            try:
                reader, operator = Visitor(server.port), Visitor(server.port)
                assert reader.ask("/dashboard/").status == 403
                log_in_to_admin(reader, "reader")
                assert reader.ask("/dashboard/events").status == 403
                log_in_to_admin(operator, "operator")
                check(project, operator, "/dashboard/")
            finally:
                program.close()


def manage(project: Path, *arguments: str) -> None:
    command = [sys.executable, "-W", "error", "manage.py", *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    subprocess.run(command, check=True, cwd=project, env=environment, capture_output=True, timeout=3 * TIMEOUT)


def log_in_to_admin(visitor: Visitor, name: str) -> None:
    form = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', visitor.ask("/admin/login/").text)
    assert form is not None
    visitor.post_form("/admin/login/", username=name, password=PASSWORD, csrfmiddlewaretoken=form[1], next="/")
