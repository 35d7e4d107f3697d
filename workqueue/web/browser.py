"""7 browser: the browser module as an answer."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

BROWSER_MODULE: Final = Path(__file__).with_name("static") / "workqueue.js"
"""The browser module, an ES module without dependencies, for those who serve it themselves."""


@cache
def module() -> tuple[bytes, str]:
    """The module's bytes, and an entity tag that changes with them."""
    data = BROWSER_MODULE.read_bytes()
    return data, f'"{hashlib.blake2b(data, digest_size=10).hexdigest()}"'
