"""Several document sets behind one stand-in for Overview, each with a token of its own."""

import itertools
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from flask import Flask
from werkzeug.datastructures import Authorization

from workqueue import OverviewViewParams
from workqueue.demo.documents import DocumentSet
from workqueue.demo.overview_api import create_overview_api
from workqueue.demo.sets import OfferedSet

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

#: Seconds between two batches that the stand-in sends, about: a bar that moves twice a second looks alive.
_PAUSE: Final = 0.5

#: The part of a document set after which a stream breaks off.
_BREAKS_AFTER: Final = 0.6


Wait = Callable[[str, float], object]
"""Given a set's number and seconds, waits before a batch of its documents."""


def _sleep(_: str, seconds: float) -> None:
    time.sleep(seconds)


class ShelvedSet(NamedTuple):
    """A document set that can be asked for."""

    title: str
    n_documents: int
    words: tuple[str, ...]
    """What to type into the search box."""

    breaks_once: bool
    params: OverviewViewParams


class Library:
    """The sets, and an app that serves them as Overview would. Callable from any thread."""

    def __init__(self, offered: Iterable[OfferedSet], delay: float | None = None, wait: Wait = _sleep) -> None:
        """Number the sets, and give each a token.

        Args:
            offered: what it has.
            delay: seconds before each batch of documents; None: so many that a set takes its `seconds`.
            wait: what waits; a test that orders its threads gives its own.
        """
        self._offered = {str(number): item for number, item in zip(itertools.count(1), offered, strict=False)}
        self._tokens = {number: secrets.token_hex(12) for number in self._offered}
        self._apps = {
            number: _BreaksOnce(_app_maker(number, self._tokens[number], item, delay, wait), item.breaks_once)
            for number, item in self._offered.items()
        }

    def app(self) -> Flask:
        """Make the app: Overview's API, which knows by its token what a request is about."""
        app = Flask("overview", static_folder=None)
        by_token = {token: self._apps[number] for number, token in self._tokens.items()}
        app.wsgi_app = _ByToken(by_token)  # type: ignore[method-assign]
        return app

    def shelved(self, server: str) -> tuple[ShelvedSet, ...]:
        """The sets, as they are asked for.

        Args:
            server: where the app is served.
        """
        return tuple(
            ShelvedSet(
                item.title,
                len(item.texts),
                item.words,
                item.breaks_once,
                OverviewViewParams(server, number, self._tokens[number]),
            )
            for number, item in self._offered.items()
        )

    def start_over(self) -> None:
        """Let what breaks off once do so once more."""
        for number, app in self._apps.items():
            if self._offered[number].breaks_once:
                app.arm()


class _ByToken:
    """Each token has an app of its own; a request without one of them is refused by the first."""

    def __init__(self, apps: "Mapping[str, _BreaksOnce]") -> None:
        self._apps = apps
        self._first = next(iter(apps.values()))

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        known = Authorization.from_header(environ.get("HTTP_AUTHORIZATION"))
        token = "" if known is None else known.username or ""
        return self._apps.get(token, self._first)(environ, start_response)


class _BreaksOnce:
    """An Overview whose first stream breaks off, if it is to.

    Args:
        make: makes the app, given after how many parts of all documents a stream breaks off.
        is_armed: whether the next stream does.
    """

    def __init__(self, make: Callable[[float | None], Flask], is_armed: bool) -> None:
        self._whole = make(None)
        self._broken = make(_BREAKS_AFTER) if is_armed else self._whole
        self._lock = threading.Lock()  # guards _is_armed
        self._is_armed = is_armed

    def arm(self) -> None:
        with self._lock:
            self._is_armed = True

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        is_stream = "stream=true" in environ.get("QUERY_STRING", "")
        app = self._broken if is_stream and self._disarm() else self._whole
        return app(environ, start_response)

    def _disarm(self) -> bool:
        with self._lock:
            was_armed, self._is_armed = self._is_armed, False
            return was_armed


def _app_maker(
    number: str, token: str, item: OfferedSet, delay: float | None, wait: Wait
) -> Callable[[float | None], Flask]:
    documents = DocumentSet.from_texts(int(number), item.texts)
    batch = math.ceil(len(item.texts) * _PAUSE / item.seconds)
    pause = item.seconds / math.ceil(len(item.texts) / batch) if delay is None else delay

    def make(breaks_after: float | None) -> Flask:
        truncate_after = None if breaks_after is None else int(len(item.texts) * breaks_after)
        return create_overview_api(
            documents,
            token,
            delay=pause,
            wait=lambda seconds: wait(number, seconds),
            batch=batch,
            truncate_after=truncate_after,
        )

    return make
