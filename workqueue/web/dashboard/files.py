"""7 dashboard files: the page and what it loads, as answers; nothing is built, and nothing comes from elsewhere."""

import hashlib
import html
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.web.message import Answer, Request

_STATIC: Final = Path(__file__).with_name("static")

_CONTENT_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

#: What the page loads, by name.
NAMES: Final = ("dashboard.css", "dashboard.js", "dialogs.js", "plots.js", "tables.js", "words.js")


class _File(NamedTuple):
    data: bytes
    etag: str
    content_type: str


def page(title: str, token: str) -> bytes:
    """The page.

    Args:
        title: what it is called.
        token: what it repeats when it asks for a change.
    """
    text = _text("dashboard.html")
    return text.replace("{title}", html.escape(title)).replace("{token}", html.escape(token)).encode()


def file_answer(name: str, request: Request) -> Answer:
    """One of the files that the page loads. It is asked for each time, and nearly always answered with 304."""
    file = _file(name)
    headers = {"Cache-Control": "no-cache", "ETag": file.etag}
    if file.etag in request.headers.get("if-none-match", ""):
        return Answer(HTTPStatus.NOT_MODIFIED, headers)
    return Answer(HTTPStatus.OK, {**headers, "Content-Type": file.content_type}, file.data)


@cache
def _text(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


@cache
def _file(name: str) -> _File:
    data = _text(name).encode()
    etag = f'"{hashlib.blake2b(data, digest_size=10).hexdigest()}"'
    return _File(data, etag, _CONTENT_TYPES[Path(name).suffix])
