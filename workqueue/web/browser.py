"""7 browser: the browser module, and its types, as answers."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

BROWSER_MODULE: Final = Path(__file__).with_name("static") / "workqueue.js"
"""The browser module, an ES module without dependencies, for those who serve it themselves."""

BROWSER_TYPES: Final = BROWSER_MODULE.with_suffix(".d.ts")
"""What it declares to TypeScript."""

_CONTENT_TYPES: Final = {
    BROWSER_MODULE.name: "text/javascript; charset=utf-8",
    # Nobody has registered one; this is what servers of types send.
    BROWSER_TYPES.name: "application/typescript; charset=utf-8",
}


class BrowserFile(NamedTuple):
    """A file for browsers."""

    data: bytes
    etag: str
    """It changes with them."""

    content_type: str


@cache
def browser_file(name: str) -> BrowserFile | None:
    """One of the files, by its name; None: there is no such file."""
    if name not in _CONTENT_TYPES:
        return None
    data = BROWSER_MODULE.with_name(name).read_bytes()
    return BrowserFile(data, f'"{hashlib.blake2b(data, digest_size=10).hexdigest()}"', _CONTENT_TYPES[name])
