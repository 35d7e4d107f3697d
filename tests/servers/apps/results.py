"""What the applications that serve results have in common: a queue over what the test has built, and a look at it.

A request names a result by ``name`` in its query.
"""

from pathlib import Path
from typing import Any

from workqueue import Params, WorkQueue
from workqueue.web import Fields

queue = WorkQueue(Path("build").absolute(), storage_dir="storage", suffix=".bin", max_running=2)

#: As every application serves them.
OPTIONS: dict[str, Any] = {"media_type": "application/x-test", "download_name": "a result.bin"}


def named(fields: Fields) -> Params:
    return (fields["name"],)


def held() -> dict[str, int]:
    """How many descriptors of this process are open on results, the holds of the storage among them."""
    storage = str(Path("storage").resolve())
    n_open = 0
    for path in Path("/proc/self/fd").iterdir():
        try:
            n_open += str(path.readlink()).startswith(f"{storage}/")
        except OSError:  # that of the listing
            continue
    return {"n_open": n_open}
