"""What ends a server's programs and streams when it is told to end: the documentation's recipe, as it stands there."""

from collections.abc import Callable
from typing import Any

from tests.readme import DOCS, block
from workqueue import WorkQueue

_names: dict[str, Any] = {}
exec(block("stop.py", DOCS / "web.rst"), _names)

close_at_sigterm: Callable[[WorkQueue], None] = _names["close_at_sigterm"]
