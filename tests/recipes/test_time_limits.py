"""The time limit of a framework, and what the recipe does about it."""

import http.client
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.recipes.recipe import HYPERCORN, Served, served
from tests.recipes.test_http import BASIC
from tests.servers.server import Client


def watch(server: Served) -> Client:
    body = "server=http://localhost&documentSetId=1"
    return Client(server.port, "/generate", body, Accept="application/x-ndjson", **BASIC)


def test_quart_cuts_every_response_but_that_of_the_recipe(tmp_path: Path) -> None:
    """After 60 seconds; here after one."""

    def impatient(text: str) -> str:
        return text.replace("\nqueue = ", "\napp.config['RESPONSE_TIMEOUT'] = 1\nqueue = ")

    def forgetful(text: str) -> str:
        assert "    response.timeout = None\n" in text
        return impatient(text).replace("    response.timeout = None\n", "")

    with ExitStack() as stack:

        def serve(name: str, edit: Callable[[str], str]) -> Served:
            (tmp_path / name).mkdir()
            return stack.enter_context(served("quart_view.py", [*HYPERCORN, "quart_view:app"], tmp_path / name, edit))

        recipe, without = serve("recipe", impatient), serve("without", forgetful)
        clients = [stack.enter_context(closing(watch(server))) for server in (recipe, without)]
        for client in clients:
            client.until(0.25)
        # With the wait_for of Python 3.11 the client hears of it; with a newer one the stream is silent from then on.
        clients[1]._socket.settimeout(3.0)
        with pytest.raises((http.client.IncompleteRead, TimeoutError)):
            clients[1].until(0.5)
        recipe.program.release("one")
        clients[0].until(0.5)
        recipe.program.release("two")
        assert clients[0].until(1.0)["returncode"] == 0
