"""The demo's page at `/` with small document sets, whose documents come when a test lets them."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.demo.conftest import PATIENCE, Answer, ask, basic
from tests.servers.server import eventually
from workqueue.demo.library import Library
from workqueue.demo.server import listen
from workqueue.demo.sets import OfferedSet
from workqueue.demo.stage import Stage, open_library
from workqueue.demo.texts import Text

#: More than all builds of a test take.
ALL = 1000

LINES = {"Accept": "application/x-ndjson"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def offered(title: str, *, breaks_once: bool = False) -> OfferedSet:
    """40 documents, which come in two batches."""
    texts = [Text(f"{title}-{i}", f"{title} {i}", f"common {title.lower()} word{i}") for i in range(40)]
    return OfferedSet(title, texts, ("common", f"{title.lower()} word7"), 1.0, breaks_once)


class Gates:
    """What lets batches of documents through: a semaphore a set."""

    def __init__(self) -> None:
        self._batches: defaultdict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(0))

    def wait(self, number: str, _: float) -> None:
        self._batches[number].acquire(timeout=PATIENCE * 2)

    def open(self, number: str, n_batches: int = ALL) -> None:
        """Let so many batches of this set come."""
        self._batches[number].release(n_batches)

    def close(self, number: str) -> None:
        """Let no more come, to builds that have not begun yet."""
        self._batches[number] = threading.Semaphore(0)


class LibraryDemo:
    """A demo with sets 1, 2, 3 and 4, of which the last breaks once."""

    def __init__(self, stage: Stage, gates: Gates) -> None:
        self.url = stage.plugin_url
        self.gates = gates
        page = ask(f"{self.url}/").body.decode()
        self.tokens = {
            item.partition('"')[0]: item.partition('data-token="')[2].partition('"')[0]
            for item in page.split('data-id="')[1:]
        }
        self.server = stage.params.server

    @property
    def own(self) -> dict[str, str]:
        """What the browser adds to a request of the page's."""
        return {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}

    def follow(self, number: str) -> Answer:
        """Look how a build goes or went, as the page does that has begun to follow it."""
        return self.post(f"sets/{number}/progress", self.own | LINES | {"X-Follows": "1"})

    def post(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """Press a button; with other headers than the page sends, if any are given."""
        return ask(f"{self.url}/{path}", self.own if headers is None else headers, "POST", b"")

    def standing(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(ask(f"{self.url}/sets").body)
        return answer

    def stands(self, number: str, state: str) -> int | None:
        """Wait until a set stands so; the number of its process."""
        pid: int | None = eventually(lambda: (now := self.standing()[number])["state"] == state and now)["pid"]
        return pid

    def runs(self, number: str) -> int:
        """Wait until a set's program runs; the number of its process."""
        return int(eventually(lambda: self.standing()[number]["pid"]))

    def search(self, number: str, words: str) -> Any:
        about = {"server": self.server, "documentSetId": number, "q": words}
        return json.loads(ask(f"{self.url}/search", basic(self.tokens[number]), **about).body)

    @contextmanager
    def generate(self, number: str) -> Iterator["Following"]:
        """Have a set's index built, or join its build."""
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)
        form = urlencode({"server": self.server, "documentSetId": number})
        try:
            connection.request("POST", "/generate", form, basic(self.tokens[number]) | FORM | LINES)
            with connection.getresponse() as response:
                yield Following(response)
        finally:
            connection.close()


class Following:
    """A client that is told of a build."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def first(self) -> dict[str, Any]:
        """The next event."""
        event: dict[str, Any] = json.loads(self._response.readline())
        return event

    def last(self) -> dict[str, Any]:
        """The last event."""
        event: dict[str, Any] = json.loads(self._response.read().splitlines()[-1])
        return event


@contextmanager
def library_demo() -> Iterator[LibraryDemo]:
    """Start it; all that is held back has ended at the end."""
    gates = Gates()
    sets = [offered("Alpha"), offered("Beta"), offered("Gamma"), offered("Delta", breaks_once=True)]
    with open_library(Library(sets, wait=gates.wait), listen("127.0.0.1", 0)) as stage:
        try:
            yield LibraryDemo(stage, gates)
        finally:
            for number in "1234":
                gates.open(number)
