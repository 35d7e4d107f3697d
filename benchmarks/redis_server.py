"""redis_server: a Redis for the peers that need one, on loopback, with nothing on disk; ended with its context."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: For a note, where there is none.
MISSING = "There was no redis-server, so what needs it was not measured; Debian's package redis-server has it."

START_SECONDS = 10.0


@contextmanager
def redis_server() -> Iterator[str | None]:
    """Its URL; None where the program is not installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL) as process:
            try:
                wait_until_open(port)
                yield f"redis://127.0.0.1:{port}"
            finally:
                process.terminate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_until_open(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
