"""Each recipe that sends results, served by the server that the documentation names, against the cases of the RFC."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import write_program
from tests.recipes.recipe import GUNICORN, HYPERCORN, UVICORN, WAITRESS, recipe
from tests.servers.result_cases import CASES, DATA, ask, check_case
from tests.servers.server import TIMEOUT, Server
from workqueue import OverviewViewParams, Params, WorkQueue


class Recipe(NamedTuple):
    """How a recipe is served, and asked for the result that the test has built."""

    name: str
    command: list[str]
    path: str
    params: Params = ("enron",)
    media_type: str = "text/csv; charset=utf-8"
    disposition: str | None = 'attachment; filename="enron.csv"'


_QUERY = "?server=http%3A%2F%2Flocalhost&documentSetId=1&apiToken=token"
_OVERVIEW = OverviewViewParams("http://localhost", "1", "token")
_REPORT = "/reports/enron.csv"

SERVED = [
    Recipe(
        "result_wsgi.py",
        [*GUNICORN, "result_wsgi:app"],
        f"/result{_QUERY}",
        _OVERVIEW,
        disposition='attachment; filename="report.csv"',
    ),
    Recipe("result_asgi.py", [*UVICORN, "result_asgi:app"], f"/{_QUERY}", _OVERVIEW, disposition=None),
    Recipe("flask_result.py", [*GUNICORN, "flask_result:app"], _REPORT),
    Recipe("django_result.py", [*WAITRESS, "django_result:application"], _REPORT),
    Recipe("starlette_result.py", [*HYPERCORN, "starlette_result:app"], _REPORT),
    Recipe("fastapi_result.py", [*UVICORN, "fastapi_result:app"], _REPORT),
]


class Site(NamedTuple):
    """A recipe that is served."""

    recipe: Recipe
    port: int


@pytest.fixture(params=SERVED, ids=lambda recipe: recipe.name, scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    served: Recipe = request.param
    directory = tmp_path_factory.mktemp("recipe")
    (directory / served.name).write_text(recipe(served.name))
    build(directory, served.params)
    with Server(served.command, directory, PYTHONWARNINGS="error") as server:
        yield Site(served, server.port)
        server.stop()
        assert "Traceback" not in server.output


def build(directory: Path, params: Params) -> None:
    """Have the result built by the recipe's program, in its storage."""
    (directory / "data").write_bytes(DATA)
    program = write_program(directory / "make-report.py", f'cat "{directory}/data" > "$output"')
    with WorkQueue(program, storage_dir=directory / "reports") as queue:
        job = queue.ensure_run(params)
        assert job is not None
        assert job.wait(TIMEOUT).returncode == 0


def test_it_is_sent_as_the_rfc_has_it(site: Site) -> None:
    there = ask(site.port, site.recipe.path)
    assert (there.status, there.body) == (200, DATA)
    assert there.headers["Content-Type"] == site.recipe.media_type
    assert there.headers["Content-Disposition"] == site.recipe.disposition
    for case in CASES.values():
        check_case(site.port, site.recipe.path, case, there)


def test_what_is_not_there_is_told(site: Site) -> None:
    path = site.recipe.path.replace("enron", "another").replace("documentSetId=1", "documentSetId=2")
    reply = ask(site.port, path)
    assert (reply.status, reply.problem) == (404, True)
