"""A real server as a process on loopback, and a client that reads its stream event by event."""

import http.client
import json
import os
import re
import select
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

TIMEOUT = 20.0

#: zlib's name for the format.
_GZIP = 16 + zlib.MAX_WBITS

#: Where the package `tests` is, for the servers that run the applications in `tests.servers.apps`.
ROOT = Path(__file__).parent.parent.parent


@contextmanager
def serving(command: list[str], directory: Path) -> Iterator[int]:
    """Start `python -m COMMAND` in a directory; yield the port that it says it listens on; stop it at the end."""
    with Server(command, directory) as server:
        yield server.port


class Server:
    """`python -m COMMAND`, started in a directory; as a context manager it is stopped at the end, and has to go.

    What it prints goes to a file, which never fills as a pipe would, and to the report of a test that failed.
    """

    def __init__(self, command: list[str], directory: Path, **environment: str) -> None:
        self._log = directory / "server.log"
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        # gunicorn reads it; without it, one that can be asked how it is would put a socket into the user's home.
        (directory / "gunicorn.conf.py").write_text("control_socket_disable = True\n")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=directory,
                env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **environment},
                stdout=log,
                stderr=log,
            )
        try:
            self.port = int(eventually(lambda: self._said_port() or self._has_ended())[1])
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._log.read_text()

    def _said_port(self) -> re.Match[str] | None:
        return re.search(r"http://127\.0\.0\.1:(\d+)", self.output)

    def _has_ended(self) -> None:
        assert self.process.poll() is None, f"the server ended: {self.output}"

    def stop(self) -> float:
        """Send SIGTERM, and return after how many seconds it was gone; or fail."""
        before = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            sys.stdout.write(self.output)  # for the report of a test that failed
        return time.monotonic() - before

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.stop()
        else:
            sys.stdout.write(self.output)  # as `stop` does: why it ended by itself


def eventually(condition: Callable[[], Any], timeout: float = TIMEOUT) -> Any:
    """Look again and again until there is something true to see; return it."""
    deadline = time.monotonic() + timeout
    while not (seen := condition()):
        assert time.monotonic() < deadline, f"still {seen!r} after {timeout} s"
        time.sleep(0.005)
    return seen


class Client:
    """One request, and its response: a JSON array that grows, a line for each object, or server-sent events.

    Args:
        port: of the server.
        path: and query.
        body: a form, to be posted; None: the request is a GET.
        headers: of the request, with `_` in place of `-`.
    """

    def __init__(self, port: int, path: str, body: str | None = "", **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            names.setdefault("Content-Type", "application/x-www-form-urlencoded")
        self._connection.request("GET" if body is None else "POST", path, body, names)
        self._socket = self._connection.sock
        self._text = ""
        #: How many events were read.
        self.n_events = 0

    @cached_property
    def response(self) -> http.client.HTTPResponse:
        """The response, as soon as its headers are there."""
        return self._connection.getresponse()

    @property
    def media_type(self) -> str:
        """The response's, without a charset."""
        return (self.response.getheader("Content-Type") or "").partition(";")[0]

    def event(self) -> dict[str, Any]:
        """The next event, as soon as it is there; there is one more, or this fails."""
        while (event := self._whole_event()) is None:
            data = self.response.read1(65536)
            assert data, f"the stream ended in the middle of {self._text!r}"
            self._text += data.decode()
        self.n_events += 1
        return event

    def _whole_event(self) -> dict[str, Any] | None:
        """The next event, if all of it is there: up to and with the end of its line, or its empty line."""
        if self.media_type == "text/event-stream":
            whole, end, rest = self._text.partition("\n\n")
            text = "\n".join(line.removeprefix("data: ") for line in whole.split("\n") if line.startswith("data: "))
        elif self.media_type == "application/x-ndjson":
            text, end, rest = self._text.partition("\n")
        else:
            try:
                start = len(self._text) - len(self._text.lstrip("[,\n "))
                _, stop = json.JSONDecoder().raw_decode(self._text, start)
            except ValueError:
                return None
            text, end, rest = self._text[start:stop], "]", self._text[stop:]
        if not end:
            return None
        self._text = rest
        event = json.loads(text)
        assert isinstance(event, dict)
        return event

    def until(self, fraction: float) -> dict[str, Any]:
        """Read on to the first event at this fraction."""
        while (event := self.event())["fraction"] != fraction:
            pass
        return event

    def is_silent(self, seconds: float) -> bool:
        """Whether nothing that is not read yet is there, nor comes for so long."""
        if self._text.strip("[,\n "):
            return False
        if "response" in self.__dict__:
            self._socket.settimeout(0)
            is_buffered = bool(self.response.fp.peek(1))
            self._socket.settimeout(TIMEOUT)
            if is_buffered:
                return False
        return not select.select([self._socket], [], [], seconds)[0]

    def arrived_text(self) -> str:
        """What is there behind the headers, unpacked; for a response that nobody has begun to read."""
        assert "response" not in self.__dict__
        if self.is_silent(0):
            return ""
        head, _, rest = self._socket.recv(65536, socket.MSG_PEEK).partition(b"\r\n\r\n")
        assert b"chunked" in head.lower()
        body = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        return (zlib.decompressobj(_GZIP).decompress(body) if body.startswith(b"\x1f\x8b") else body).decode()

    def rest(self) -> str:
        """All that comes, to the end of the response."""
        return self._text + self.response.read().decode()

    def close(self) -> None:
        """Leave, whatever is still to come."""
        if "response" in self.__dict__:
            self.response.close()
        self._connection.close()
        self._socket.close()


def get(port: int, path: str) -> str:
    """The body of a response that is not a stream."""
    with closing(Client(port, path, None)) as client:
        assert client.response.status == 200
        return client.rest()
