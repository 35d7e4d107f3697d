"""The example of several workers: gunicorn and nginx with the settings of its containers, on loopback."""

import json
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.examples.example import EXAMPLES, copy, events, readme
from tests.readme import ROOT
from tests.servers.nginx import nginx
from tests.servers.server import Client, Server, eventually, get
from tests.tools import missing

if TYPE_CHECKING:
    from playwright.sync_api import Page

DIRECTORY = EXAMPLES / "workers-behind-nginx"
LONG = "/generate?name=bees&seconds=3600"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file of the containers."""
    try:
        import yaml
    except ModuleNotFoundError:
        missing("no YAML reader: pip install pyyaml")
    data: dict[str, Any] = yaml.safe_load((DIRECTORY / "compose.yaml").read_text())
    return data


@pytest.fixture(scope="module")
def port(compose: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of nginx, before the workers."""
    directory = copy("workers-behind-nginx", tmp_path_factory.mktemp("example"))
    web = compose["services"]["web"]
    command = [word.replace("0.0.0.0:8000", "127.0.0.1:0") for word in shlex.split(web["command"])]
    assert command != shlex.split(web["command"])
    proxy = tmp_path_factory.mktemp("nginx")
    with ExitStack() as stack:
        server = stack.enter_context(Server(command, directory, RESULTS=str(proxy.parent / "reports")))
        text = (DIRECTORY / "nginx.conf").read_text()
        for here, there in {
            "listen 80;": "listen ADDRESS;",
            "http://web:8000;": f"http://127.0.0.1:{server.port};",
        }.items():
            assert text.count(here) == 1
            text = text.replace(here, there)
        [port] = stack.enter_context(nginx(proxy, text))
        yield port


def pid(port: int) -> int:
    """Of a worker, by a connection of its own."""
    return int(json.loads(get(port, "/worker"))["pid"])


def test_clients_of_several_workers_see_one_run(port: int) -> None:
    seen: set[int] = set()
    eventually(lambda: seen.add(pid(port)) or len(seen) > 1)
    with ExitStack() as stack:
        # Fewer than one worker has threads for, so that none waits, whoever takes them.
        clients = [stack.enter_context(closing(events(port, LONG))) for _ in range(12)]
        for client in clients:
            event = next(event for event in client if event["message"])
            assert (event["message"], event["returncode"]) == ("Writing chapter 1 of 20", None)


def test_a_report_that_one_worker_built_is_there_in_all(port: int) -> None:
    *_, last = events(port, "/generate?name=whales&seconds=0")
    assert (last["returncode"], last["error"]) == (0, None)
    for _ in range(8):
        assert get(port, "/report?name=whales&seconds=0").endswith("Chapter 20 of the report on whales\n")


def test_what_cannot_be_built_is_refused(port: int) -> None:
    with closing(Client(port, "/generate?name=whales&seconds=x", None)) as client:
        assert client.response.status == 400
        assert "seconds must be a whole number" in client.rest()


def test_its_page_shows_the_progress_and_then_the_report(port: int, page: "Page") -> None:
    page.goto(f"http://127.0.0.1:{port}/?name=bees&seconds=3600")
    page.get_by_text("Writing chapter 1 of 20").wait_for()
    page.goto(f"http://127.0.0.1:{port}/?name=whales&seconds=0")
    page.locator("a").wait_for(state="visible")


def test_the_containers_say_what_they_need(compose: dict[str, Any]) -> None:
    """By the names that Compose's specification has for it."""
    assert set(compose) == {"services", "volumes"}
    web, proxy = compose["services"]["web"], compose["services"]["nginx"]
    assert set(compose["services"]) == {"web", "nginx"}
    assert set(web) <= {"build", "command", "environment", "init", "restart", "stop_grace_period", "volumes"}
    assert set(proxy) <= {"depends_on", "image", "ports", "restart", "volumes"}
    assert web["init"] is True
    assert web["volumes"] == [f"reports:{web['environment']['RESULTS']}"]
    assert set(compose["volumes"]) == {"reports"}
    assert proxy["depends_on"] == ["web"]
    assert proxy["volumes"] == ["./nginx.conf:/etc/nginx/conf.d/default.conf:ro"]
    assert proxy["ports"] == ["127.0.0.1:8080:80"]
    assert web["build"] == {"context": "../..", "dockerfile": "examples/workers-behind-nginx/Dockerfile"}
    assert readme("workers-behind-nginx").command[2:4] == ["-f", "examples/workers-behind-nginx/compose.yaml"]


def test_the_image_has_all_that_its_command_needs(compose: dict[str, Any]) -> None:
    text = (DIRECTORY / "Dockerfile").read_text().replace("\\\n", " ")
    copied = [word for line in text.splitlines() if line.startswith("COPY ") for word in line.split()[1:-1]]
    for name in {path.name for path in DIRECTORY.iterdir() if path.is_file()} & {"app.py", "build.py", "page.html"}:
        assert f"examples/workers-behind-nginx/{name}" in copied
    assert {"pyproject.toml", "README.rst", "LICENSE", "workqueue"} <= set(copied)
    assert [name for name in copied if name.startswith("examples/") and not Path(ROOT, name).exists()] == []
    results = compose["services"]["web"]["environment"]["RESULTS"]
    assert f"RUN install --directory --owner www-data --group www-data {results}\n" in text
    assert text.endswith("USER www-data\n")
