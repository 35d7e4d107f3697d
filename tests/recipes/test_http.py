"""Each recipe that answers HTTP requests, served by the server that the documentation names."""

import base64
import importlib.util
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest

from tests.recipes.recipe import GUNICORN, HYPERCORN, UVICORN, WAITRESS, Served, served
from tests.recipes.spy import close_queue, wait_for_no_watchers
from tests.servers.server import Client
from tests.tools import missing
from workqueue.web import ProgressStream

BASIC = {"Authorization": "Basic " + base64.b64encode(b"token:x-auth-token").decode()}


class Recipe(NamedTuple):
    """How a recipe is served, and how it is asked for a document set, or a report."""

    name: str
    command: list[str]
    asked: str
    """Of what kind the request is: "overview", "form" with the token in it, or "report"."""

    is_async: bool = False
    is_ready: bool = False
    """Whether it is the ready application."""

    needs: str | None = None
    """A package that may be missing."""


RECIPES = [
    Recipe("ready_wsgi.py", [*GUNICORN, "ready_wsgi:app"], "overview", is_ready=True),
    Recipe("ready_asgi.py", [*UVICORN, "ready_asgi:app"], "overview", is_async=True, is_ready=True),
    Recipe("events_wsgi.py", [*GUNICORN, "events_wsgi:app"], "overview", is_ready=True),
    Recipe("encoding_wsgi.py", [*GUNICORN, "encoding_wsgi:app"], "overview", is_ready=True),
    Recipe("flask_mount.py", ["flask", "--app", "flask_mount", "run", "--port", "0"], "overview", is_ready=True),
    Recipe("flask_view.py", [*GUNICORN, "flask_view:app"], "overview"),
    Recipe("django_wsgi.py", [*GUNICORN, "django_wsgi:application"], "form"),
    Recipe("django_asgi.py", [*UVICORN, "django_asgi:application"], "form", is_async=True),
    Recipe("django_wsgi_mount.py", [*WAITRESS, "django_wsgi_mount:application"], "overview", is_ready=True),
    Recipe(
        "django_asgi_mount.py", [*UVICORN, "django_asgi_mount:application"], "overview", is_async=True, is_ready=True
    ),
    Recipe("django_rest.py", [*UVICORN, "django_rest:application"], "form", is_async=True, needs="rest_framework"),
    Recipe("starlette_mount.py", [*UVICORN, "starlette_mount:app"], "overview", is_async=True, is_ready=True),
    Recipe("starlette_endpoint.py", [*UVICORN, "starlette_endpoint:app"], "report", is_async=True),
    Recipe("fastapi_mount.py", [*UVICORN, "fastapi_mount:app"], "overview", is_async=True, is_ready=True),
    Recipe("fastapi_endpoint.py", [*UVICORN, "fastapi_endpoint:app"], "report", is_async=True),
    Recipe("quart_mount.py", [*HYPERCORN, "quart_mount:app"], "overview", is_async=True, is_ready=True),
    Recipe("quart_view.py", [*HYPERCORN, "quart_view:app"], "overview", is_async=True),
    Recipe("litestar_mount.py", [*UVICORN, "litestar_mount:app"], "overview", is_async=True, is_ready=True),
    Recipe("litestar_handler.py", [*UVICORN, "litestar_handler:app"], "report", is_async=True),
    Recipe("aiohttp_handler.py", ["aiohttp_handler"], "form", is_async=True),
]


class Site(NamedTuple):
    """A recipe that is served, and how to ask it."""

    recipe: Recipe
    server: Served

    def ask(self, number: str, accept: str = "application/x-ndjson") -> Client:
        """Ask for a job, by the number of its document set or the name of its report."""
        port = self.server.port
        if self.recipe.asked == "report":
            return Client(port, f"/reports/{number}", "", Accept=accept)
        body = f"server=http://localhost&documentSetId={number}"
        if self.recipe.asked == "form":
            return Client(port, "/generate", f"{body}&apiToken=token", Accept=accept)
        return Client(port, "/generate", body, Accept=accept, **BASIC)

    def ask_for_what_cannot_be(self) -> Client:
        """Ask for what can never run."""
        if self.recipe.asked == "report":
            return self.ask("%00")
        body = "server=ftp://x&documentSetId=1&apiToken=token"
        return Client(self.server.port, "/generate", body, **({} if self.recipe.asked == "form" else BASIC))


@pytest.fixture(params=RECIPES, ids=lambda recipe: recipe.name, scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    recipe: Recipe = request.param
    if recipe.needs is not None and importlib.util.find_spec(recipe.needs) is None:
        missing(f"there is no {recipe.needs}; see the extra test")
    with served(recipe.name, recipe.command, tmp_path_factory.mktemp("recipe")) as server:
        yield Site(recipe, server)


def test_events_come_one_by_one_to_all_who_watch_one_run(site: Site) -> None:
    program = site.server.program
    with closing(site.ask("1")) as first, closing(site.ask("1")) as second:
        for client in (first, second):
            # The program waits until both have seen the event, so it cannot have come with the next one.
            assert client.until(0.25)["message"] == "one"
        program.release("one")
        for client in (first, second):
            assert client.until(0.5)["message"] == "two"
        program.release("two")
        for client in (first, second):
            assert client.until(1.0)["returncode"] == 0
            assert client.rest() == ""
    assert len(program.runs) == 1


@pytest.mark.parametrize(
    ("accept", "body"),
    [
        ("application/json", "[]\n"),
        ("application/x-ndjson", '{"n_ahead'),
        ("text/event-stream", 'retry: 1000\nid: end\ndata: {"n_ahead'),
    ],
)
def test_a_result_that_is_there_is_told_at_once(site: Site, accept: str, body: str) -> None:
    program = site.server.program
    number = "there-" + accept.replace("/", "-")
    program.release("one")
    program.release("two")
    with closing(site.ask(number)) as client:
        client.until(1.0)
    n_before = len(program.runs)
    with closing(site.ask(number, accept)) as client:
        assert client.response.status == 200
        headers = client.response.headers
        for name, value in ProgressStream(None, accept).headers.items():
            assert headers.get_all(name) == [value]
        assert headers.get_all("X-Frame-Options") is None  # Overview shows a plugin in a frame
        assert client.rest().startswith(body)
    assert len(program.runs) == n_before


def test_who_left_comes_back_to_where_the_job_is(site: Site) -> None:
    program = site.server.program
    n_before = len(program.runs)
    with closing(site.ask("2")) as client:
        client.until(0.25)
    if site.recipe.is_async:
        wait_for_no_watchers(site.server.directory)  # without an event or a heartbeat
    with closing(site.ask("2")) as client:
        assert client.event()["fraction"] == 0.25
        program.release("one")
        client.until(0.5)
        program.release("two")
        assert client.until(1.0)["returncode"] == 0
    wait_for_no_watchers(site.server.directory)
    assert len(program.runs) == n_before + 1


def test_the_ready_application_serves_the_browser_module_too(site: Site) -> None:
    if site.recipe.is_ready:
        with closing(Client(site.server.port, "/generate/workqueue.js", None)) as client:
            assert client.response.status == 200
            assert client.media_type == "text/javascript"
            assert "export" in client.rest()


def test_what_cannot_be_is_refused_and_what_cannot_be_now_is_put_off(site: Site) -> None:
    n_before = len(site.server.program.runs)
    with closing(site.ask_for_what_cannot_be()) as client:
        assert (client.response.status, client.media_type) == (400, "application/problem+json")
        assert "NUL" in (answer := client.rest()) or "http:// or https:// URL" in answer
    if site.recipe.asked == "overview":
        with closing(Client(site.server.port, "/generate", "server=http://localhost&documentSetId=1")) as client:
            assert (client.response.status, client.media_type) == (401, "application/problem+json")
    close_queue(site.server.directory)
    with closing(site.ask("3")) as client:
        assert (client.response.status, client.media_type) == (503, "application/problem+json")
        assert client.response.getheader("Retry-After") == "5"
        assert "queue was closed" in client.rest()
    assert len(site.server.program.runs) == n_before
