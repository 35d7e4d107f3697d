"""FastAPI's recipe: what its documentation says is what its clients get; and the page's client reads it."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.readme import block
from tests.recipes.recipe import UVICORN, WEB, Served, served
from tests.recipes.spy import close_queue
from tests.servers.server import Client, get
from workqueue.progress import succeeded
from workqueue.web import progress_responses, progress_schema
from workqueue.web.encodings import ENCODINGS, JsonArray


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("recipe")
    with served("fastapi_endpoint.py", [*UVICORN, "fastapi_endpoint:app"], directory) as site:
        yield site


@pytest.fixture(scope="module")
def responses(site: Served) -> dict[str, Any]:
    """What the documentation says of them."""
    document = json.loads(get(site.port, "/openapi.json"))
    found: dict[str, Any] = document["paths"]["/reports/{name}"]["post"]["responses"]
    return found


def ask(site: Served, name: str, accept: str) -> Client:
    return Client(site.port, f"/reports/{name}", "", Accept=accept)


def test_the_document_has_it_all(site: Served, responses: dict[str, Any]) -> None:
    of_fastapi = responses.keys() - {str(status) for status in progress_responses()}
    assert of_fastapi == {"422"}
    assert {status: responses[str(status)] for status in progress_responses()} == progress_responses()


@pytest.mark.parametrize("accept", [encoding.media_type for encoding in ENCODINGS])
def test_a_stream_keeps_the_schema_of_the_document(site: Served, responses: dict[str, Any], accept: str) -> None:
    schema = responses["200"]["content"][accept]["schema"]
    events: list[Any] = []
    with closing(ask(site, accept.replace("/", "-"), accept)) as client:
        assert client.media_type == accept
        for step in "one", "two":
            events.append(client.until(0.25 if step == "one" else 0.5))
            site.program.release(step)
        events.append(client.until(1.0))
    values = [events] if accept == JsonArray.media_type else events
    for value in values:
        Draft202012Validator(schema).validate(value)
    assert events[-1]["returncode"] == 0


def test_the_client_of_the_page_reads_it_to_its_end(site: Served, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(compile(block("typed_client.py", WEB), "typed_client.py", "exec"), names)
    site.program.release("one")
    site.program.release("two")
    assert names["watch"](f"http://127.0.0.1:{site.port}/reports/typed", b"") == succeeded().as_dict()
    assert capsys.readouterr().out.endswith("1.0 None\n")


def test_the_command_of_the_page_prints_the_schema(tmp_path: Path) -> None:
    [line] = re.findall(r"^   \$ (python -c .*)$", WEB.read_text(), re.MULTILINE)
    command, _, file = line.partition(" > ")
    assert file == "progress.schema.json"
    done = subprocess.run([sys.executable, *shlex.split(command)[1:]], cwd=tmp_path, stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout) == progress_schema()


# The last, since it closes the queue.
def test_a_refusal_keeps_the_schema_of_the_document(site: Served, responses: dict[str, Any]) -> None:
    with closing(ask(site, "%00", "")) as client:
        check_refusal(client, responses["400"])
    close_queue(site.directory)
    with closing(ask(site, "late", "")) as client:
        check_refusal(client, responses["503"])


def check_refusal(client: Client, response: dict[str, Any]) -> None:
    schema = response["content"][client.media_type]["schema"]
    problem = json.loads(client.rest())
    Draft202012Validator(schema).validate(problem)
    assert problem["status"] == client.response.status
    for name, header in response.get("headers", {}).items():
        Draft202012Validator(header["schema"]).validate(int(client.response.headers[name]))
