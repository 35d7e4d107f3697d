"""The app for Django, in a project as `startproject` makes it, with what the documentation adds to that."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.recipes.recipe import GUNICORN, STEPS, UVICORN, Served, recipe
from tests.servers.server import ROOT, TIMEOUT, Client, Server, get
from workqueue.testing import ScriptedProgram

#: What the documentation adds, by the name there; the first is added to a file that is there, others take its place.
FILES = {
    "django_app_settings.py": "mysite/settings.py",
    "django_app_reports.py": "mysite/reports.py",
    "django_app_urls.py": "mysite/urls.py",
    "django_app_show.html": "templates/show.html",
}

COMMANDS = {
    "wsgi": [*GUNICORN, "mysite.wsgi:application"],
    "asgi": [*UVICORN, "mysite.asgi:application"],
}

NDJSON = "application/x-ndjson"


def make_project(directory: Path, program: Path) -> None:
    """A project, and its program."""
    start = [sys.executable, "-m", "django", "startproject", "mysite", str(directory)]
    subprocess.run(start, check=True, timeout=TIMEOUT)
    for name, file in FILES.items():
        path = directory / file
        path.parent.mkdir(exist_ok=True)
        before = path.read_text() if name == "django_app_settings.py" else ""
        path.write_text(before + recipe(name))
    (directory / "make-report.py").symlink_to(program)


def manage(directory: Path, *arguments: str) -> str:
    """What `manage.py` prints."""
    command = [sys.executable, "-W", "error", "manage.py", *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    options = {"cwd": directory, "env": environment, "capture_output": True, "text": True, "timeout": TIMEOUT}
    done = subprocess.run(command, check=False, **options)
    return done.stdout + done.stderr


@pytest.fixture(scope="module", params=COMMANDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("project")
    with ScriptedProgram(directory / "program", *STEPS) as program:
        make_project(directory, program.path)
        with Server(COMMANDS[request.param], directory, PYTHONWARNINGS="error") as server:
            try:
                yield Served(server.port, directory, program)
            finally:
                program.close()


def test_events_come_one_by_one_and_then_the_result_is_there(site: Served) -> None:
    address = "/generate/?corpus=enron&year=2001"
    with closing(Client(site.port, address, None, Accept=NDJSON)) as client:
        assert client.until(0.25)["message"] == "one"
        site.program.release("one")
        assert client.until(0.5)["message"] == "two"
        site.program.release("two")
        assert client.until(1.0)["returncode"] == 0
        assert client.rest() == ""
    assert site.program.runs[0][:2] == ["enron", "2001"]
    with closing(Client(site.port, "/generate/result?corpus=enron&year=2001", None)) as client:
        assert (client.response.status, client.media_type) == (200, "text/csv")
        assert client.response.read() == b"the database"


def test_the_page_has_the_element_and_the_module_is_there(site: Served) -> None:
    page = get(site.port, "/show")
    assert '<script type="module" src="/generate/workqueue.js"></script>' in page
    assert '<workqueue-progress src="/generate/?corpus=enron&amp;year=2001" label="Building the report">' in page
    assert 'href="/generate/result?corpus=enron&amp;year=2001"' in page
    assert "export" in get(site.port, "/generate/workqueue.js")
    assert "export" in get(site.port, "/generate/workqueue.d.ts")


def test_who_may_not_ask_is_refused(site: Served) -> None:
    """And nothing is run for it; nor is anything asked for without a field."""
    n_before = len(site.program.runs)
    with closing(Client(site.port, "/generate/", "corpus=other&year=2001")) as client:
        assert client.response.status == 403
        assert json.loads(client.rest())["detail"] == "you may not have this"
    with closing(Client(site.port, "/generate/?corpus=enron", None)) as client:
        assert client.response.status == 400
        assert json.loads(client.rest())["detail"].startswith("year is missing")
    assert len(site.program.runs) == n_before


def test_the_project_is_checked(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    directory = tmp_path / "project"
    directory.mkdir()
    make_project(directory, program)
    assert "System check identified no issues" in manage(directory, "check")
    settings = directory / "mysite" / "settings.py"
    gzip = 'MIDDLEWARE += ["django.middleware.gzip.GZipMiddleware"]\n'
    settings.write_text(settings.read_text() + gzip)
    assert "workqueue.I001" in manage(directory, "check")
    (directory / "make-report.py").unlink()
    answer = manage(directory, "check")
    assert "workqueue.E001" in answer
    assert "make-report.py" in answer
