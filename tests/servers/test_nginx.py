"""nginx in front of the servers, as its package configures it: it buffers, and it compresses."""

import http.client
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest

from tests.servers.checks import check_events_are_held_back, check_events_come_one_by_one
from tests.servers.nginx import nginx
from tests.servers.server import eventually
from tests.servers.sites import JSON_ARRAY, KINDS, MEDIA_TYPES, Kind, Site, running
from workqueue.testing import ScriptedProgram

#: proxy_read_timeout of the impatient one, 60 by default: how long a stream may be silent.
IMPATIENT_SECONDS = 1


class Proxied(NamedTuple):
    """A site, and the ways to it."""

    kind: Kind
    direct: Site
    patient: Site
    """nginx, which speaks HTTP/1.0 to the server unless it is told, or is of 2026 or later."""

    modern: Site
    """With HTTP/1.1."""

    impatient: Site
    """With a short proxy_read_timeout."""

    deaf: Site
    """With proxy_ignore_client_abort."""


@pytest.fixture(scope="module", params=["gunicorn gthread", "uvicorn"])
def proxied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    kind = KINDS[request.param]
    with running(kind.command, tmp_path_factory.mktemp("site")) as direct:
        servers = [
            f"server {{ listen ADDRESS; location / {{ proxy_pass http://127.0.0.1:{direct.port}; {setting} }} }}"
            for setting in (
                "",
                "proxy_http_version 1.1;",
                f"proxy_read_timeout {IMPATIENT_SECONDS}s;",
                "proxy_ignore_client_abort on;",
            )
        ]
        with nginx(tmp_path_factory.mktemp("nginx"), *servers) as ports:
            yield Proxied(kind, direct, *map(Site, ports))


@pytest.mark.parametrize("proxied", KINDS, indirect=True, scope="module")
@pytest.mark.parametrize("version", ["patient", "modern"], ids=["HTTP/1.0", "HTTP/1.1"])
@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_each_event_arrives_before_the_next_is_printed(
    proxied: Proxied, program: ScriptedProgram, media_type: str, version: str
) -> None:
    """Through nginx as it is: it has nothing to be configured, since our headers say what to do."""
    client = getattr(proxied, version).watch(program, "/generate", media_type)
    assert client.media_type == media_type
    check_events_come_one_by_one(client, program)


def test_nginx_would_hold_back_events_until_its_buffer_is_full(proxied: Proxied, program: ScriptedProgram) -> None:
    """If we did not say X-Accel-Buffering: no, and it speaks HTTP/1.0 to the server."""
    client = proxied.patient.watch(program, without="X-Accel-Buffering")
    check_events_are_held_back(client, proxied.direct.watch(program), program)


def test_compressed_by_nginx_everything_would_be_held_back(proxied: Proxied, program: ScriptedProgram) -> None:
    """If we did not say that it is neither to buffer nor to compress."""
    client = proxied.patient.watch(
        program, "/view", JSON_ARRAY, without="X-Accel-Buffering,Content-Encoding,Cache-Control"
    )
    check_events_are_held_back(client, proxied.direct.watch(program), program)
    assert client.response.getheader("Content-Encoding") == "gzip"


def test_a_heartbeat_keeps_a_silent_stream_alive(proxied: Proxied, program: ScriptedProgram) -> None:
    """A program may be silent for longer than proxy_read_timeout."""
    heartbeat = 0.4 * IMPATIENT_SECONDS
    with closing(proxied.impatient.watch(program, heartbeat=heartbeat)) as client:
        client.until(0.25)
        for _ in range(4):
            assert client.event()["fraction"] == 0.25
        program.release("one")
        client.until(0.5)
        program.release("two")
        assert client.until(1.0)["returncode"] == 0


def test_without_a_heartbeat_a_silent_stream_is_cut(proxied: Proxied, program: ScriptedProgram) -> None:
    with closing(proxied.impatient.watch(program, heartbeat="none", max_duration="none")) as client:
        client.until(0.25)
        with pytest.raises(http.client.IncompleteRead):
            client.event()
    program.release("one")
    program.release("two")


def test_a_client_that_left_nginx_is_noticed(proxied: Proxied, program: ScriptedProgram) -> None:
    """nginx leaves too: an ASGI server sees that at once, a WSGI server within two heartbeats."""
    heartbeat = "none" if proxied.kind.is_asgi else 0.25
    with closing(proxied.patient.watch(program, heartbeat=heartbeat, max_duration="none", client="left")) as client:
        client.until(0.25)
    n_written = proxied.direct.n_pieces(program, "left")
    eventually(lambda: not proxied.direct.is_open(program, "left"))
    assert proxied.direct.n_watchers(program) == 0
    assert proxied.direct.n_pieces(program, "left") <= n_written + (0 if proxied.kind.is_asgi else 2)


def test_who_left_an_nginx_that_ignores_it_is_not_noticed(proxied: Proxied, program: ScriptedProgram) -> None:
    """`proxy_ignore_client_abort`: not even by ASGI, as long as nothing is written."""
    silent = {"heartbeat": "none", "max_duration": "none"}
    with closing(proxied.deaf.watch(program, client="ignored", **silent)) as client:
        client.until(0.25)
    heartbeat = "none" if proxied.kind.is_asgi else 0.25
    with closing(proxied.patient.watch(program, heartbeat=heartbeat, max_duration="none", client="noticed")) as client:
        client.until(0.25)
    eventually(lambda: not proxied.direct.is_open(program, "noticed"))
    assert proxied.direct.is_open(program, "ignored")
    program.release("one")
    program.release("two")
    eventually(lambda: not proxied.direct.is_open(program, "ignored"))
