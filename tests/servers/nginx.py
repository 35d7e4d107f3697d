"""nginx as a process on loopback."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.readme import DOCS, block
from tests.servers.server import TIMEOUT
from tests.tools import find_program

# What buffers, and what compresses, is on: by default, or as the comments of Debian's nginx.conf propose.
_CONFIGURATION = """
daemon off;
worker_processes 1;
pid "{directory}/nginx.pid";
error_log "{directory}/error.log";
events {{}}
http {{
    access_log off;
    client_body_temp_path "{directory}/body";
    proxy_temp_path "{directory}/proxy";
    fastcgi_temp_path "{directory}/fastcgi";
    uwsgi_temp_path "{directory}/uwsgi";
    scgi_temp_path "{directory}/scgi";
    gzip on;
    gzip_proxied any;
    gzip_min_length 0;
    gzip_types application/json application/x-ndjson text/event-stream;
{servers}
}}
"""


def documented(directory: Path, port: int) -> str:
    """The documentation's `server` block, for the server at this port, with a certificate that was made for it."""
    text = block("nginx.conf", DOCS / "web.rst")
    certificate, key = directory / "plugin.pem", directory / "plugin.key"
    making = ["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=127.0.0.1", "-out", certificate]
    subprocess.run([find_program("openssl", "openssl"), *making, "-keyout", key], check=True, capture_output=True)
    for here, there in {
        "listen 443 ": "listen ADDRESS ",
        "/etc/ssl/certs/plugin.pem": str(certificate),
        "/etc/ssl/private/plugin.key": str(key),
        "http://127.0.0.1:8000;": f"http://127.0.0.1:{port};",
    }.items():
        assert text.count(here) == 1
        text = text.replace(here, there)
    return text


@contextmanager
def nginx(directory: Path, *servers: str) -> Iterator[list[int]]:
    """Run nginx with these `server` blocks, until the context ends.

    Args:
        directory: for its files; an empty one.
        servers: each has ``ADDRESS`` where it says what it listens on.

    Yields:
        The port of each.
    """
    program = find_program("nginx", package="nginx-light")
    with ExitStack() as stack:
        # nginx cannot be asked which port it chose, but it takes over sockets that listen already: so does it from
        # the nginx that it replaces.
        listening = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in servers]
        ports = [sock.getsockname()[1] for sock in listening]
        texts = [text.replace("ADDRESS", f"127.0.0.1:{port}") for text, port in zip(servers, ports, strict=True)]
        configuration = directory / "nginx.conf"
        configuration.write_text(_CONFIGURATION.format(directory=directory, servers="\n".join(texts)))
        descriptors = [sock.fileno() for sock in listening]
        process = subprocess.Popen(
            [program, "-p", directory, "-c", configuration, "-e", directory / "error.log"],
            env={**os.environ, "NGINX": "".join(f"{fd};" for fd in descriptors)},
            pass_fds=descriptors,
        )
        for sock in listening:
            sock.close()  # so that who asks an nginx that did not start is refused
        try:
            yield ports
        finally:
            process.terminate()
            process.wait(TIMEOUT)
            sys.stdout.write((directory / "error.log").read_text())
