"""What docs/deploy.rst shows: the servers take the commands, systemd the unit, nginx the file."""

import json
import re
import shlex
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.guide.walk import FILES, Folder
from tests.guide.walk import PAGE as TUTORIAL
from tests.readme import DOCS, block, blocks
from tests.servers.nginx import nginx
from tests.servers.server import Client, Server
from tests.tools import systemd_complaints

PAGE = DOCS / "deploy.rst"

INSTRUCTIONS = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "CMD"}


def joined(text: str) -> list[str]:
    """Its lines, those that go on made one."""
    return text.replace("\\\n", " ").splitlines()


def gunicorn_options(words: list[str]) -> Any:
    """What gunicorn makes of its arguments; it ends this process if it does not take them."""
    config = pytest.importorskip("gunicorn.config").Config()
    options = config.parser().parse_args(words[1:])
    config.set("worker_class", options.worker_class)
    assert options.args == ["plugin:app"]
    assert (options.threads, options.workers, options.graceful_timeout) == (32, 4, 3)
    return options


def dockerfile() -> list[tuple[str, str]]:
    """Each instruction, and what it is given."""
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in joined(block("dockerfile", PAGE)) if line]


def service() -> dict[str, str]:
    """The unit's [Service] section."""
    section = "\n".join(joined(block("plugin.service", PAGE))).partition("[Service]\n")[2].partition("\n\n")[0]
    return {key: " ".join(value.split()) for key, _, value in (line.partition("=") for line in section.splitlines())}


def test_gunicorn_takes_its_command() -> None:
    prompt, *words = shlex.split(block("gunicorn", PAGE))
    assert prompt == "$"
    gunicorn_options(words)


def test_uvicorn_takes_its_command() -> None:
    main = pytest.importorskip("uvicorn.main").main
    _, *words = shlex.split(block("uvicorn", PAGE))
    context = main.make_context("uvicorn", words[1:])
    assert (context.params["workers"], context.params["timeout_graceful_shutdown"]) == (4, 3)
    assert context.params["app"] == "plugin:app"


def test_a_unit_for_systemd(tmp_path: Path) -> None:
    unit = service()
    words = shlex.split(unit["ExecStart"])
    options = gunicorn_options(words)
    assert options.bind == ["127.0.0.1:8000"]
    # Else systemd would stop the programs with the server that is to end them.
    assert unit["KillMode"] == "mixed"
    assert float(unit["TimeoutStopSec"]) > options.graceful_timeout
    text = block("plugin.service", PAGE).replace(words[0], str(shutil.which("true")))
    # Where there is a systemd that can tell, it finds nothing to say of it.
    if systemd_complaints(tmp_path / "plugin.service", text.replace("Restart=", "Restar=")):
        assert systemd_complaints(tmp_path / "plugin.service", text) == []


def test_results_are_in_the_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("report.py").write_text(block("report.py", TUTORIAL))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    names: dict[str, Any] = {}
    exec(block("state_directory.py", PAGE), names)
    with names["queue"] as queue:
        assert queue.storage_dir == tmp_path / "state" / "reports"
    assert service()["StateDirectory"] == service()["User"] == "plugin"


def test_the_image_has_the_tutorials_files_and_serves_them() -> None:
    instructions = dockerfile()
    assert {name for name, _ in instructions} == INSTRUCTIONS
    assert instructions[0][0] == "FROM"
    given = dict(instructions)
    assert given["COPY"].split() == [*FILES, "./"]
    options = gunicorn_options(json.loads(given["CMD"]))
    assert options.bind == [f"0.0.0.0:{given['EXPOSE']}"]
    text = PAGE.read_text()
    volume = re.search(r"-v reports:(\S+) plugin", text)
    assert volume is not None
    # The folder is there in the image, and is the user's; so is the volume that is made of it.
    assert volume[1] == f"{given['WORKDIR']}/reports"
    assert f"install -d -o {given['USER']} {volume[1]}" in text
    assert "docker run --init" in text


def test_each_event_comes_through_nginx_at_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with Server(["flask", "--app", "plugin", "run", "--port", "0"], tmp_path) as server:
        text = block("nginx.conf", PAGE)
        for here, there in {"listen 80;": "listen ADDRESS;", "127.0.0.1:8000;": f"127.0.0.1:{server.port};"}.items():
            assert text.count(here) == 1
            text = text.replace(here, there)
        place = tmp_path / "nginx"
        place.mkdir()
        with (
            nginx(place, text) as [port],
            closing(Client(port, "/generate", "name=tides", Accept="application/x-ndjson")) as client,
        ):
            # The program writes the next page when this client has seen the one before.
            for page in range(1, 4):
                folder.allow(page)
                assert client.until(page / 20)["message"] == f"Wrote page {page} of 20"
            folder.allow(20)
            while client.event()["returncode"] is None:
                pass


def test_every_example_is_looked_at() -> None:
    names = {"gunicorn", "uvicorn", "plugin.service", "state_directory.py", "dockerfile", "nginx.conf", "caddyfile"}
    assert set(blocks(PAGE)) == names
    # The page says that no test runs Caddy; at least it proxies to where the others listen.
    assert "reverse_proxy 127.0.0.1:8000 {" in block("caddyfile", PAGE)
