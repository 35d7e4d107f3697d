"""The plugin's answers, as a program reads them: its progress live, its hits whole."""

import base64
import codecs
import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from workqueue import OverviewViewParams

#: Seconds of silence after which a server counts as gone; a stream repeats itself more often than this.
_TIMEOUT: Final = 60.0

_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = json.JSONDecoder()


class ClientError(Exception):
    """A server did not answer as it should; the text says which request, without the token."""


class Client:
    """Asks one server about one document set, a connection for each request. Use it from one thread."""

    def __init__(self, url: str, params: OverviewViewParams, *, password: str = "") -> None:
        """Make a client.

        Args:
            url: the plugin's address, or Overview's.
            params: what the requests are about.
            password: what to send beside the token; Overview insists on its own, the plugin on nothing.
        """
        self._url = urlsplit(url)
        self._about = {"server": params.server, "documentSetId": params.document_set_id}
        credentials = base64.b64encode(f"{params.api_token}:{password}".encode()).decode("ascii")
        self._headers = {"Authorization": f"Basic {credentials}"}

    def get(self, path: str, **query: str) -> Any:
        """The JSON that a GET answers.

        Raises:
            ClientError: no answer, or one that is not 200 and JSON.
        """
        pieces = self._request("GET", f"{path}?{urlencode(query)}", None)
        try:
            return json.loads(b"".join(pieces))
        except ValueError as err:
            raise ClientError(f"GET {path}: the answer is not JSON") from err

    def generate(self) -> Iterator[dict[str, Any]]:
        """The events of POST /generate, each as soon as it is there; none if the index is already built.

        Raises:
            ClientError: as for get(); also if the stream breaks off.
        """
        decoder = _ArrayDecoder()
        for piece in self._request("POST", "/generate", urlencode(self._about)):
            yield from decoder.feed(piece)
        if not decoder.ended:
            raise ClientError("POST /generate: the stream broke off before its end")

    def search(self, words: str) -> dict[str, Any]:
        """What the finished index holds.

        Raises:
            ClientError: as for get(); also if there is no index yet.
        """
        answer: dict[str, Any] = self.get("/search", q=words, **self._about)
        return answer

    def _request(self, method: str, target: str, form: str | None) -> Iterator[bytes]:
        """Send a request; give the answer's pieces as they arrive."""
        what = f"{method} {target.partition('?')[0]}"
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        headers = self._headers | ({"Content-Type": _FORM} if form is not None else {})
        try:
            with closing(kind(self._url.hostname or "", self._url.port, timeout=_TIMEOUT)) as connection:
                connection.request(method, f"{self._url.path.rstrip('/')}{target}", form, headers)
                yield from _pieces(connection.getresponse(), what)
        except (OSError, HTTPException) as err:
            raise ClientError(f"{what}: {str(err) or type(err).__name__}") from err


def _pieces(response: HTTPResponse, what: str) -> Iterator[bytes]:
    with response:
        if response.status != 200:
            raise ClientError(f"{what}: HTTP {response.status}: {_reason(response)}")
        while piece := response.read1():
            yield piece


def _reason(response: HTTPResponse) -> str:
    try:
        answer = json.loads(response.read())
        # The plugin's word for it, and Overview's.
        return str(answer.get("detail") or answer["message"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return response.reason


class _ArrayDecoder:
    """Pieces of a JSON array of objects -> its elements, each as soon as it is whole."""

    def __init__(self) -> None:
        self._to_text = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self.ended = False
        """Whether the closing bracket has come."""

    def feed(self, piece: bytes) -> Iterator[dict[str, Any]]:
        """Take the next piece; give the elements that it completes."""
        self._text += self._to_text.decode(piece)
        while (text := self._text.lstrip("[, \n")).startswith("{"):
            try:
                element, end = _JSON.raw_decode(text)
            except ValueError:
                return  # its end has not come yet: no prefix of an object is JSON
            self._text = text[end:]
            yield element
        self.ended = text.startswith("]")
