"""`workqueue demo --cluster` as a process, over an Overview of the test's, which sends documents when it is told to."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from tests.cluster.nats_servers import find_nats
from tests.demo.conftest import PATIENCE, TOKEN, Answer, ask, basic, make_document_set
from tests.servers.server import eventually
from workqueue.demo.overview_api import create_overview_api
from workqueue.demo.server import listen, serving

FORM = {"Content-Type": "application/x-www-form-urlencoded"}

#: Seconds that a batch is held at most: longer than any test takes.
HELD = 120.0

#: More than a build takes, however often it begins.
ALL = 1000


class ClusterDemo:
    """The demo; as a context manager it is started, and has ended at the end.

    Args:
        scratch: where it makes its temporary directory.
    """

    def __init__(self, scratch: Path) -> None:
        find_nats()
        self._scratch = scratch
        self._stack = ExitStack()
        #: A batch of 20 documents comes for each release; one has come before.
        self.batches = threading.Semaphore(1)
        app = create_overview_api(
            make_document_set(45), TOKEN, delay=0.25, wait=lambda _: self.batches.acquire(timeout=HELD)
        )
        self.overview = self._stack.enter_context(serving(app, listen("127.0.0.1", 0)))

    def __enter__(self) -> Self:
        real = ["--server", self.overview, "--document-set-id", "7", "--api-token", TOKEN]
        self.process = self._stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "workqueue", "demo", "--cluster", "--port", "0", *real],
                env={**os.environ, "TMPDIR": str(self._scratch)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._stdout, self._stderr = self.process.stdout, self.process.stderr
        self.page = next((line.strip() for line in self._stdout if "/show?" in line), "")
        assert self.page, self._stderr.read()
        self.url = self.page.partition("/show")[0]
        return self

    def __exit__(self, *_error: object) -> None:
        self.batches.release(ALL)  # programs that nobody has released wait in the stand-in
        if self.process.returncode is None:
            self.process.terminate()
        self._stack.close()

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        """Send it a signal; its exit status, and the rest of what it printed, once nothing of it is left."""
        assert len(self.processes()) >= 6 or not Path("/proc/self").exists()
        self.process.send_signal(number)
        stdout, stderr = self._stdout.read(), self._stderr.read()
        status = self.process.wait(PATIENCE)
        eventually(lambda: self.processes() == [])
        eventually(lambda: list(self._scratch.iterdir()) == [])
        return status, stdout, stderr

    def processes(self) -> list[int]:
        """All that it has started, whoever is their parent by now, and itself; none where there is no /proc."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if os.fsencode(f"TMPDIR={self._scratch}") in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return found

    def hold(self) -> None:
        """From now on no batch comes, to a build that has not begun yet."""
        self.batches.release(ALL)
        self.batches = threading.Semaphore(0)

    def generate(self) -> "Build":
        """Have the index built, as the page does."""
        return Build(self.url, self.overview)

    def nodes(self) -> dict[str, dict[str, Any]]:
        """How they stand, by name."""
        answer = ask(f"{self.url}/cluster/nodes", basic(TOKEN))
        assert answer.status == 200, answer.body
        return {node["name"]: node for node in json.loads(answer.body)["nodes"]}

    def builder(self, *, but: str = "") -> str:
        """The worker that builds, once there is one, other than that."""

        def found() -> str | None:
            named = [name for name, node in self.nodes().items() if node["says"].startswith("building")]
            return next((name for name in named if name != but), None)

        return str(eventually(found))

    def post(self, what: str, headers: dict[str, str] | None = None, **form: str) -> Answer:
        """Press a button; with other headers than the page sends, if any are given."""
        headers = basic(TOKEN) | {"Origin": self.url} if headers is None else headers
        return ask(f"{self.url}/cluster/{what}", headers | FORM, "POST", urlencode(form).encode())


class Build:
    """A client that is told of a build; `read` tells more."""

    def __init__(self, plugin: str, overview: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(plugin).netloc, timeout=PATIENCE)
        form = urlencode({"server": overview, "documentSetId": "7"})
        self._connection.request("POST", "/generate", form, basic(TOKEN) | FORM)
        self._response = self._connection.getresponse()
        self.text = ""

    def read_to(self, words: str) -> None:
        """Read until it says this, from here on."""
        start = len(self.text)
        while words not in self.text[start:]:
            piece = self._response.read1().decode()
            assert piece, f"the stream ended: {self.text}"
            self.text += piece

    def read_all(self) -> list[dict[str, Any]]:
        """All its events, to the end."""
        self.text += self._response.read().decode()
        self._connection.close()
        events: list[dict[str, Any]] = json.loads(self.text)
        return events
