"""nginx in front of a WSGI and an ASGI server, as its package configures it: it buffers, and it compresses."""

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import NamedTuple

import pytest

from tests.servers.checks import check_events_are_held_back, check_events_come_one_by_one
from tests.servers.server import TIMEOUT, eventually
from tests.servers.sites import JSON_ARRAY, KINDS, MEDIA_TYPES, Kind, Site, running
from tests.tools import find_program
from workqueue.testing import ScriptedProgram

#: proxy_read_timeout of the impatient one, 60 by default: how long a stream may be silent.
IMPATIENT_SECONDS = 1

# What buffers, and what compresses, is on: by default, or as the comments of Debian's nginx.conf propose.
CONFIGURATION = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    gzip on;
    gzip_proxied any;
    gzip_min_length 0;
    gzip_types application/json application/x-ndjson text/event-stream;
    server {{
        listen 127.0.0.1:{patient};
        location / {{ proxy_pass http://127.0.0.1:{port}; }}
    }}
    server {{
        listen 127.0.0.1:{modern};
        location / {{ proxy_pass http://127.0.0.1:{port}; proxy_http_version 1.1; }}
    }}
    server {{
        listen 127.0.0.1:{impatient};
        location / {{ proxy_pass http://127.0.0.1:{port}; proxy_read_timeout {seconds}s; }}
    }}
}}
"""


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


@pytest.fixture(scope="module", params=["gunicorn gthread", "uvicorn"])
def proxied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    kind = KINDS[request.param]
    program = find_program("nginx", package="nginx-light")
    with ExitStack() as stack:
        direct = stack.enter_context(running(kind.command, tmp_path_factory.mktemp("site")))
        # nginx cannot be asked which port it chose, but it takes over sockets that listen already: so does it from
        # the nginx that it replaces.
        listening = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        patient, modern, impatient = (Site(sock.getsockname()[1]) for sock in listening)
        directory = tmp_path_factory.mktemp("nginx")
        configuration = directory / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(
                directory=directory,
                port=direct.port,
                patient=patient.port,
                modern=modern.port,
                impatient=impatient.port,
                seconds=IMPATIENT_SECONDS,
            )
        )
        descriptors = [sock.fileno() for sock in listening]
        process = subprocess.Popen(
            [program, "-p", directory, "-c", configuration, "-e", directory / "error.log"],
            env={**os.environ, "NGINX": "".join(f"{fd};" for fd in descriptors)},
            pass_fds=descriptors,
        )
        for sock in listening:
            sock.close()  # so that who asks an nginx that did not start is refused
        try:
            yield Proxied(kind, direct, patient, modern, impatient)
        finally:
            process.terminate()
            process.wait(TIMEOUT)
            sys.stdout.write((directory / "error.log").read_text())


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
