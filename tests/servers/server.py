"""A real server as a process on loopback, and a client that reads its stream event by event."""

import http.client
import json
import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TIMEOUT = 20.0


@contextmanager
def serving(command: list[str], directory: Path) -> Iterator[int]:
    """Start `python -m COMMAND` in a directory; yield the port that it says it listens on; stop it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
    )
    assert process.stdout is not None
    try:
        yield _port(process.stdout.fileno())
    finally:
        process.terminate()
        try:
            # Read to its end: a server that fills the pipe would not stop.
            output, _ = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            raise
        sys.stdout.write(output.decode())  # for the report of a test that failed


def _port(fd: int) -> int:
    output = b""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while not (match := re.search(rb"http://127\.0\.0\.1:(\d+)", output)):
        assert poll.poll(TIMEOUT * 1000), f"the server does not say where it listens: {output!r}"
        data = os.read(fd, 4096)
        assert data, f"the server ended: {output!r}"
        output += data
    return int(match[1])


class Client:
    """One request whose response is a JSON array that grows."""

    def __init__(self, port: int, path: str, body: str = "", **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        self._connection.request("POST", path, body, headers)
        self.response = self._connection.getresponse()
        self._text = ""

    def event(self) -> dict[str, Any]:
        """The next element of the array, as soon as it is there; the array has one more, or this fails."""
        while True:
            text = self._text.lstrip("[,\n ")
            try:
                event, end = json.JSONDecoder().raw_decode(text)
            except ValueError:
                data = self.response.read1(65536)
                assert data, f"the stream ended in the middle of {self._text!r}"
                self._text += data.decode()
            else:
                self._text = text[end:]
                assert isinstance(event, dict)
                return event

    def rest(self) -> str:
        """All that comes, to the end of the response."""
        return self._text + self.response.read().decode()

    def close(self) -> None:
        """Leave, whatever is still to come."""
        self.response.close()
        self._connection.close()
