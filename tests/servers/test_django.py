"""Django, under WSGI and under ASGI, with its middleware that compresses."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.servers.checks import (
    check_events_are_held_back,
    check_events_come_one_by_one,
    check_leaving_is_noticed_at_once,
)
from tests.servers.server import eventually
from tests.servers.sites import GTHREAD, MEDIA_TYPES, UVICORN, Site, running
from workqueue.testing import ScriptedProgram

COMMANDS = {
    "wsgi": [*GTHREAD, "tests.servers.apps.django_site:wsgi"],
    "asgi": [*UVICORN, "tests.servers.apps.django_site:asgi"],
}


@pytest.fixture(scope="module", params=COMMANDS)
def interface(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def site(interface: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    # Warnings too: Django warns of the wrong iterator, and so it must where that is what is tested.
    with running(COMMANDS[interface], tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.mark.parametrize("path", ["/view", "/async_view"])
@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_each_event_arrives_before_the_next_is_printed(
    site: Site, program: ScriptedProgram, path: str, media_type: str
) -> None:
    """From a plain view and from an async one; Django's compression notwithstanding."""
    client = site.watch(program, path, media_type)
    assert client.response.getheader("Content-Encoding") == "identity"
    check_events_come_one_by_one(client, program)


def test_the_wrong_iterator_is_held_back_as_a_whole(site: Site, program: ScriptedProgram) -> None:
    """A plain one under ASGI, or an asynchronous one under WSGI; so `progress_response` asks which it is."""
    check_events_are_held_back(site.watch(program, "/wrong"), site.watch(program), program)


@pytest.mark.parametrize("interface", ["wsgi"], indirect=True, scope="module")
def test_compression_would_hold_back_everything(interface: str, site: Site, program: ScriptedProgram) -> None:
    """If we did not say Content-Encoding: identity. (Django 5 under WSGI; elsewhere each piece is packed by itself.)"""
    client = site.watch(program, without="Content-Encoding")
    check_events_are_held_back(client, site.watch(program), program)
    assert client.response.getheader("Content-Encoding") == "gzip"


def test_a_client_that_left_is_noticed(interface: str, site: Site, program: ScriptedProgram) -> None:
    """Under ASGI at once, under WSGI within two heartbeats."""
    for path in ("/view", "/async_view"):
        if interface == "asgi":
            check_leaving_is_noticed_at_once(site, program, path)
            continue
        with closing(site.watch(program, path, heartbeat=0.25, client=path)) as client:
            client.until(0.25)
            client.event()
        n_written = site.n_pieces(program, path)
        eventually(lambda path=path: not site.is_open(program, path))
        assert site.n_watchers(program) == 0
        assert site.n_pieces(program, path) <= n_written + 2
