"""A server as a process, which a test may kill: `python -m tests.browser.server PORT PROGRAM STORAGE`."""

import subprocess
import sys
import threading
from pathlib import Path

from tests.browser.pages import serving
from tests.browser.test_element import text_of
from workqueue import WorkQueue
from workqueue.web.wsgi import GenerateApp

ROOT = Path(__file__).parent.parent.parent


class ServerProcess:
    """Runs as long as the context lasts, unless it is killed before. Its page is `/page`."""

    def __init__(self, program: Path, storage: Path, port: int = 0) -> None:
        arguments = [str(port), str(program), str(storage)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.browser.server", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._stdout = self._process.stdout
        self.origin = self._stdout.readline().strip()
        assert self.origin, "the server ended"
        self.port = int(self.origin.rpartition(":")[2])

    def kill(self) -> None:
        """SIGKILL: it cannot say farewell."""
        self._process.kill()
        self._process.wait()
        self._stdout.close()

    def __enter__(self) -> "ServerProcess":
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()


if __name__ == "__main__":
    port, program, storage = sys.argv[1:]
    queue = WorkQueue(program, storage_dir=storage)
    with serving(GenerateApp(queue, params=lambda fields: (fields["name"],), heartbeat=0.2), int(port)) as site:
        site.page("page", text_of(script="element.request = { body: { name: 'a' }, longestPause: 200 };"))
        print(site.origin, flush=True)  # noqa: T201 - for the test
        threading.Event().wait()
